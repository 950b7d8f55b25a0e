"""The second factor: codes of an authenticator app (TOTP, RFC 6238) and recovery codes."""

import hmac
import secrets
from typing import Literal
from uuid import UUID

import pyotp

from identity_service.factor_secrets import FactorSecrets
from identity_service.queries import factors
from identity_service.settings import Settings
from shared import one_time
from shared.database import Row, Tx

STEP_SECONDS = 30
DIGITS = 6
SECRET_LENGTH = 32  # in base32: the 160 bits that RFC 4226 recommends
MAX_CODE = 100
# The `amr` of a session that a password and a code have made (RFC 8176).
BOTH_FACTORS = ("pwd", "otp", "mfa")
RECOVERY_CODES = 10
# Base32: 25 characters of 5 random bits.
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
RECOVERY_CODE = 25
GROUP = 5


class SecondFactors:
    def __init__(self, settings: Settings) -> None:
        self._secrets = FactorSecrets([secret.get_secret_value() for secret in settings.factor_secrets])

    @property
    def are_open(self) -> bool:
        """Whether this deployment takes second factors."""
        return self._secrets.are_there

    def new_secret(self, user_id: UUID) -> tuple[pyotp.TOTP, bytes]:
        """What an authenticator app is told, and the same sealed for the database."""
        secret = pyotp.random_base32(SECRET_LENGTH)
        return totp(secret), self._secrets.seal(user_id, secret)

    async def accept(self, tx: Tx, user_id: UUID, code: str) -> Literal["totp", "recovery"] | None:
        """Which kind of code it is, and it is used up in this transaction; None for a wrong one.

        The caller has locked the user's row, so that the factor stays the one that is read here.
        """
        if len(code) > MAX_CODE:
            return None
        if not is_totp(code):
            used = await factors.delete_recovery_code(tx, user_id=user_id, code_hash=recovery_hash(code))
            return "recovery" if used else None
        factor = await factors.get_factor(tx, user_id=user_id)
        if factor is None or factor.confirmed_time is None:
            return None
        return "totp" if await self.use(tx, factor, code) else None

    async def use(self, tx: Tx, factor: Row, code: str) -> bool:
        """Whether the app shows this code now, or did or will one step away; it is used up, with those before it."""
        secret = self._secrets.unseal(factor.user_id, factor.secret)
        if secret is None or not is_totp(code):
            return False
        app, digits, used = totp(secret), plain(code), None
        for step in (factor.step - 1, factor.step, factor.step + 1):
            if hmac.compare_digest(app.generate_otp(step), digits):
                used = step
        if used is None:
            return False
        # Sealed anew, so that the first of FACTOR_SECRETS comes into use and the others can go.
        sealed = self._secrets.seal(factor.user_id, secret)
        return await factors.update_factor_used(tx, user_id=factor.user_id, step=used, secret=sealed)


def totp(secret: str) -> pyotp.TOTP:
    return pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS)


def plain(code: str) -> str:
    """Without what people add or apps show to make it readable: spaces, hyphens, capitals."""
    return "".join(code.split()).replace("-", "").lower()


def is_totp(code: str) -> bool:
    digits = plain(code)
    return len(digits) == DIGITS and digits.isascii() and digits.isdigit()


def make_recovery_codes() -> list[str]:
    """Ten of 125 random bits each, in groups to be readable; what is stored is `recovery_hash`."""
    return [make_recovery_code() for _ in range(RECOVERY_CODES)]


def make_recovery_code() -> str:
    code = "".join(secrets.choice(ALPHABET) for _ in range(RECOVERY_CODE))
    return "-".join(code[start : start + GROUP] for start in range(0, RECOVERY_CODE, GROUP))


def recovery_hash(code: str) -> bytes:
    return one_time.hash_of(plain(code))
