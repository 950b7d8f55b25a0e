"""Beside SpiceDB: the same organizations, members, projects and questions put to both, on one machine in one run."""
