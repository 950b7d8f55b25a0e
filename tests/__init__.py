"""The tests. Processes that they start do nothing between fork and exec that gRPC would have to be ready for."""

import os

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # before gRPC is imported: its handlers crash such children now and then
