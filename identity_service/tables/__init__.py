"""The schema."""

from identity_service.tables.records import audit_events, event_epoch, events, outbox_emails, request_results
from identity_service.tables.schema import metadata
from identity_service.tables.sessions import ended_sessions, session_limits, sessions
from identity_service.tables.users import (
    known_devices,
    login_throttle,
    one_time_tokens,
    recovery_codes,
    totp_factors,
    users,
)

__all__ = [
    "audit_events",
    "ended_sessions",
    "event_epoch",
    "events",
    "known_devices",
    "login_throttle",
    "metadata",
    "one_time_tokens",
    "outbox_emails",
    "recovery_codes",
    "request_results",
    "session_limits",
    "sessions",
    "totp_factors",
    "users",
]
