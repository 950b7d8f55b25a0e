"""The gateway in front of both services, and what it shows of them over HTTP."""
