"""The service that owns organizations, projects, memberships and roles."""
