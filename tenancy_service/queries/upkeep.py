"""SQL of upkeep: what may be cleared away."""

from shared.request_results import no_longer_needed
from shared.tidy import Useless
from tenancy_service.tables import request_results

USELESS: Useless = {request_results: no_longer_needed(request_results)}
