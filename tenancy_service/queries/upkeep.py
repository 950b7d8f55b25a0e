"""SQL of upkeep: what may be cleared away."""

from datetime import timedelta

from sqlalchemy import func

from shared.request_results import no_longer_needed
from shared.tidy import Useless
from tenancy_service.tables import events, request_results


def useless(*, events_keep: timedelta) -> Useless:
    """Rows that have had their time."""
    return {
        request_results: no_longer_needed(request_results),
        events: events.c.create_time < func.now() - events_keep,
    }
