"""The service that owns users and sessions."""
