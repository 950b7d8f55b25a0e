"""The mails of tenancy."""
