"""What a fresh check costs beside an empty RPC, and beside the naive way: python -m benchmarks."""
