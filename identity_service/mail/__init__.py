"""Mails: written to the outbox with the change they tell of, composed and sent by a worker."""
