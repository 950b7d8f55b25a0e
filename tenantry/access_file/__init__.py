"""Files that say who may do what, read and checked without a server: `tenantry test`."""
