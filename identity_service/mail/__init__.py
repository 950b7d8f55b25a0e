"""The mails of identity."""
