"""Which codes a second factor accepts, once each, and how its secret is kept; in transactions, without RPCs."""

import asyncio
from base64 import b32encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_urlsafe
from typing import Literal
from uuid import UUID

import pyotp
import pytest
from sqlalchemy import text
from structlog.testing import CapturingLogger

from identity_service.queries import factors
from identity_service.second_factor import SecondFactors, make_recovery_codes, recovery_hash, totp
from shared.database import Database, Tx
from tenantry.testing.pair import Pair, identity_settings
from tenantry.testing.people import People
from tests.identity.conftest import Rows

OLD, NEW = token_urlsafe(48), token_urlsafe(48)


def second_factors(*secrets: str) -> SecondFactors:
    return SecondFactors(identity_settings("postgresql://nobody@nowhere/none", FACTOR_SECRETS=",".join(secrets)))


@pytest.fixture(scope="module")
async def database(pair: Pair) -> AsyncIterator[Database]:
    made = Database(pair.identity.database_url, pool_size=4, name="tests", constraint_errors={})
    yield made
    await made.close()


class Owner:
    """Somebody with a confirmed factor, sealed with the OLD secret, and recovery codes."""

    def __init__(self, database: Database, user_id: UUID, app: pyotp.TOTP, recovery_codes: list[str]) -> None:
        self.database, self.user_id, self.app, self.recovery_codes = database, user_id, app, recovery_codes

    async def at(self, tx: Tx, later: int = 0) -> str:
        """The app's code `later` steps from now; exact, as the time stands still in a transaction."""
        step = await tx.scalar(text("SELECT floor(extract(epoch FROM now()) / 30)::bigint"))
        return self.app.generate_otp(step + later)

    async def tries(self, code: str, *secrets: str) -> Literal["totp", "recovery"] | None:
        async with self.database.transaction() as tx:
            return await second_factors(*secrets or (OLD,)).accept(tx, self.user_id, code)

    @asynccontextmanager
    async def now(self) -> AsyncIterator[tuple[Tx, SecondFactors]]:
        async with self.database.transaction() as tx:
            yield tx, second_factors(OLD)


async def make_owner(database: Database, people: People, *, confirmed: bool = True) -> Owner:
    user_id = UUID((await people.person()).user_id)
    app, sealed = second_factors(OLD).new_secret(user_id)
    codes = make_recovery_codes()
    async with database.transaction() as tx:
        await factors.upsert_factor(tx, user_id=user_id, secret=sealed)
        if confirmed:
            await factors.update_factor_confirmed(tx, user_id=user_id)
            hashes = [recovery_hash(code) for code in codes]
            await factors.insert_recovery_codes(tx, user_id=user_id, code_hashes=hashes)
    return Owner(database, user_id, app, codes)


@pytest.fixture
async def ada(database: Database, people: People) -> Owner:
    return await make_owner(database, people)


# The vectors of RFC 6238's appendix B for SHA-1; ours are the last six of their eight digits.
@pytest.mark.parametrize(
    ("seconds", "digits"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_are_those_of_the_rfc(seconds: int, digits: str) -> None:
    assert totp(b32encode(b"12345678901234567890").decode()).generate_otp(seconds // 30) == digits[-6:]


@pytest.mark.parametrize(
    ("later", "accepted"), [(-2, None), (-1, "totp"), (0, "totp"), (1, "totp"), (2, None), (-2880, None)]
)
async def test_a_clock_may_be_one_step_off(ada: Owner, later: int, accepted: str | None) -> None:
    async with ada.now() as (tx, ours):
        assert await ours.accept(tx, ada.user_id, await ada.at(tx, later)) == accepted


async def test_a_code_counts_once_and_so_do_those_before_it(ada: Owner) -> None:
    async with ada.now() as (tx, ours):
        for later, accepted in ((0, "totp"), (0, None), (-1, None), (1, "totp"), (1, None), (0, None)):
            assert await ours.accept(tx, ada.user_id, await ada.at(tx, later)) == accepted


@pytest.mark.parametrize("kind", ["totp", "recovery"])
async def test_of_two_at_once_with_the_same_code_one_gets_in(ada: Owner, kind: str) -> None:
    both_have_begun = asyncio.Barrier(2)

    async def accepted() -> str | None:
        async with ada.now() as (tx, ours):
            code = await ada.at(tx) if kind == "totp" else ada.recovery_codes[0]
            await both_have_begun.wait()
            return await ours.accept(tx, ada.user_id, code)

    assert sorted(map(str, await asyncio.gather(accepted(), accepted()))) == ["None", kind]


async def test_a_code_counts_for_its_owner_only(ada: Owner, database: Database, people: People) -> None:
    bo = await make_owner(database, people)
    async with ada.now() as (tx, ours):
        assert await ours.accept(tx, bo.user_id, await ada.at(tx)) is None
    assert await bo.tries(ada.recovery_codes[0]) is None
    assert await ada.tries(ada.recovery_codes[0]) == "recovery"


async def test_a_factor_that_is_not_confirmed_opens_nothing(database: Database, people: People) -> None:
    cy = await make_owner(database, people, confirmed=False)
    async with cy.now() as (tx, ours):
        assert await ours.accept(tx, cy.user_id, await cy.at(tx)) is None


async def test_codes_may_be_typed_as_people_do(ada: Owner) -> None:
    async with ada.now() as (tx, ours):
        digits = await ada.at(tx)
        assert await ours.accept(tx, ada.user_id, f" {digits[:3]} {digits[3:]} ") == "totp"
    one, two, three, *_ = ada.recovery_codes
    for typed in (one.upper(), two.replace("-", ""), f" {three.replace('-', ' - ')}\n"):
        assert await ada.tries(typed) == "recovery"


async def test_a_recovery_code_counts_once(ada: Owner) -> None:
    for code in ada.recovery_codes:
        assert [await ada.tries(code), await ada.tries(code)] == ["recovery", None]


@pytest.mark.parametrize(
    "code", ["", "-", "12345", "1234567", "١٢٣٤٥٦", "½½½½½½", "+12345", "1e5555", "\x00" * 25, "\ud800" * 6, "-" * 99]
)
async def test_what_is_no_code_is_refused(ada: Owner, code: str) -> None:
    assert await ada.tries(code) is None


async def test_a_code_has_at_most_a_hundred_characters(ada: Owner) -> None:
    code = ada.recovery_codes[0]
    assert await ada.tries(code + " " * (101 - len(code))) is None
    assert await ada.tries(code + " " * (100 - len(code))) == "recovery"


async def test_secrets_can_be_changed_while_factors_are_in_use(ada: Owner, database: Database) -> None:
    """A new one first: old factors go on, are sealed with it when they are used, and then the old one can go."""
    async with database.transaction() as tx:
        assert await second_factors(NEW).accept(tx, ada.user_id, await ada.at(tx)) is None
        assert await second_factors(NEW, OLD).accept(tx, ada.user_id, await ada.at(tx)) == "totp"
        assert await second_factors(OLD).accept(tx, ada.user_id, await ada.at(tx, 1)) is None
        assert await second_factors(NEW).accept(tx, ada.user_id, await ada.at(tx, 1)) == "totp"


async def test_a_factor_that_cannot_be_decrypted_is_no_way_in_and_is_logged(
    ada: Owner, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = CapturingLogger()
    monkeypatch.setattr("identity_service.factor_secrets.log", logged)
    for secrets in ((NEW,), ("",)):
        async with database.transaction() as tx:
            assert await second_factors(*secrets).accept(tx, ada.user_id, await ada.at(tx)) is None
        assert await ada.tries("000000", *secrets) is None
    assert [(call.method_name, call.kwargs) for call in logged.calls] == [("error", {"user_id": str(ada.user_id)})] * 4
    assert not any(secret in repr(logged.calls) for secret in (OLD, NEW, ada.app.secret))
    assert await ada.tries(ada.recovery_codes[0], NEW) == "recovery"


async def test_a_factor_copied_to_another_account_opens_nothing(
    ada: Owner, database: Database, people: People, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = CapturingLogger()
    monkeypatch.setattr("identity_service.factor_secrets.log", logged)
    bo = await make_owner(database, people)
    copy = "UPDATE totp_factors SET secret = (SELECT secret FROM totp_factors WHERE user_id = %s) WHERE user_id = %s"
    await rows.execute(copy, (ada.user_id, bo.user_id))
    async with ada.now() as (tx, ours):
        assert await ours.accept(tx, bo.user_id, await ada.at(tx)) is None
        assert await ours.accept(tx, ada.user_id, await ada.at(tx)) == "totp"
    assert [call.kwargs for call in logged.calls] == [{"user_id": str(bo.user_id)}]
