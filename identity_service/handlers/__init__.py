"""One class for each gRPC service, one method for each RPC."""
