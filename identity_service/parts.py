"""What the handlers work with, made once when the service is assembled."""

from dataclasses import dataclass

from identity_service.mail.texts import Template
from identity_service.password_rules import PasswordRules
from identity_service.passwords import Passwords
from identity_service.second_factor import SecondFactors
from identity_service.settings import Settings
from identity_service.throttle import Throttle
from identity_service.validation import Validation
from shared.database import Database
from shared.event_streams import EventStreams
from shared.mail.outbox import Outbox
from shared.origin import Origins
from shared.request_results import RequestResults


@dataclass(frozen=True, slots=True)
class Parts:
    settings: Settings
    database: Database
    request_results: RequestResults
    validation: Validation
    passwords: Passwords
    password_rules: PasswordRules
    second_factors: SecondFactors
    throttle: Throttle
    outbox: Outbox[Template]
    origins: Origins
    event_streams: EventStreams


class Handlers:
    """The RPCs of a service, or some of them where one file would be too long."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
