"""Somebody's phone with an authenticator app, as tests have it: it shows codes without waiting for the time."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyotp

from protos.identity.v1.factors_pb2 import ConfirmTotpRequest, EnrollTotpRequest
from protos.identity.v1.factors_pb2_grpc import FactorServiceStub
from tenantry.testing.people import TestPerson
from tests.identity.conftest import Rows

TOLD = """SELECT (SELECT string_agg(action, ' ' ORDER BY audit_event_id) FROM audit_events WHERE user_id = %(id)s),
                 (SELECT string_agg(type, ' ' ORDER BY event_id) FROM events WHERE user_id = %(id)s),
                 (SELECT string_agg(template, ' ' ORDER BY email_id)
                    FROM outbox_emails WHERE user_id = %(id)s)"""


@dataclass
class Phone:
    """`recovery_codes` are the note beside it."""

    rows: Rows
    person: TestPerson
    app: pyotp.TOTP
    recovery_codes: Sequence[str] = field(default_factory=list)

    async def code(self, later: int = 0) -> str:
        """What the app shows, or will `later` steps of 30 seconds from now. By the database's clock, as is checked."""
        row = await (await self.rows.execute("SELECT floor(extract(epoch FROM now()) / 30)")).fetchone()
        assert row is not None
        return self.app.generate_otp(int(row[0]) + later)

    async def next_code(self) -> str:
        """As if 30 seconds had gone by: the codes so far are forgotten."""
        forget = "UPDATE totp_factors SET last_used_step = 0 WHERE user_id = %s"
        await self.rows.execute(forget, (self.person.user_id,))
        return await self.code()

    async def wrong_code(self) -> str:
        near = {await self.code(later) for later in range(-3, 4)}
        return next(code for code in ("000000", "111111", "222222", "333333", *map(str, range(10**5, 10**5 + 9)))
                    if code not in near)  # fmt: skip


async def scan(factors: FactorServiceStub, rows: Rows, person: TestPerson) -> Phone:
    """A phone with the secret, which does not count yet."""
    shown = await factors.EnrollTotp(EnrollTotpRequest(), metadata=person.metadata)
    return Phone(rows, person, pyotp.TOTP(shown.secret))


async def set_up(factors: FactorServiceStub, rows: Rows, person: TestPerson) -> Phone:
    """A phone that is the person's second factor."""
    phone = await scan(factors, rows, person)
    request = ConfirmTotpRequest(code=await phone.code())
    phone.recovery_codes = (await factors.ConfirmTotp(request, metadata=person.metadata)).recovery_codes
    return phone


async def told(rows: Rows, person: TestPerson) -> tuple[str | None, ...]:
    """What audit, events and mails say of somebody."""
    row = await (await rows.execute(TOLD, {"id": person.user_id})).fetchone()
    assert row is not None
    return tuple(row)
