"""The `tenantry` command and the local stack that `make run` starts."""
