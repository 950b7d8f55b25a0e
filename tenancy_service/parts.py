"""What the handlers work with, made once when the service is assembled."""

from dataclasses import dataclass

from shared.database import Database
from shared.event_streams import EventStreams
from shared.mail.outbox import Outbox
from shared.origin import Origins
from shared.request_results import RequestResults
from tenancy_service.check import Checks
from tenancy_service.identity_client import IdentityClient
from tenancy_service.mail.texts import Template
from tenancy_service.previews import Previews
from tenancy_service.settings import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    settings: Settings
    database: Database
    request_results: RequestResults
    identity: IdentityClient
    checks: Checks
    previews: Previews
    outbox: Outbox[Template]
    origins: Origins
    event_streams: EventStreams


class Handlers:
    """The RPCs of a service, or some of them where one file would be too long."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
