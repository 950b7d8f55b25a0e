"""The second factor: codes of an authenticator app (TOTP, RFC 6238) and recovery codes."""

from typing import Literal
from uuid import UUID

from identity_service.settings import Settings
from shared.database import Tx


class SecondFactors:
    def __init__(self, settings: Settings) -> None:
        self._secrets = settings.factor_secrets

    async def accept(self, tx: Tx, user_id: UUID, code: str) -> Literal["totp", "recovery"] | None:
        """Which kind of code it is, and it is used up in this transaction; None for a wrong one."""
        raise NotImplementedError
