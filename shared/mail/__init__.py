"""Mails of both services: written to an outbox with the change they tell of, composed and sent by a worker."""
