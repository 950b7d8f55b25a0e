"""Reading the audit of either service."""

from typing import Any

from tenantry.testing.people import Metadata


async def listed(audit: Any, request_type: Any, metadata: Metadata, *, first_token: str = "", **fields: Any) -> Any:
    """The events of all pages, or of those from a token on."""
    events: list[Any] = []
    token = first_token
    while True:
        response = await audit.ListAuditEvents(request_type(**fields, page_token=token), metadata=metadata)
        events += response.audit_events
        token = response.next_page_token
        if not token:
            return events
