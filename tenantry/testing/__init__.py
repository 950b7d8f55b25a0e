"""A real PostgreSQL and both services in this process, for our own tests and for those of applications."""
