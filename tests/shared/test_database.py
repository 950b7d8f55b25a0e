"""shared/database.py against a real PostgreSQL: settings, errors by SQLSTATE, lost and missing connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import psycopg
import pytest
from sqlalchemy import text

from shared.database import HOT_SETTINGS, SESSION_SETTINGS, Database, fetch, send
from shared.errors import ServiceError
from shared.hot_connection import Statement
from shared.reasons import Reason
from tenantry.testing.databases import Databases

ERRORS = {
    "40001": Reason.CONFLICT,
    "40P01": Reason.CONFLICT,
    "55P03": Reason.CONFLICT,
    "57014": Reason.DEADLINE_EXCEEDED,
    "53300": Reason.DATABASE_BUSY,
    "53100": Reason.DATABASE_UNAVAILABLE,
    "57P01": Reason.DATABASE_UNAVAILABLE,
    "25006": Reason.DATABASE_UNAVAILABLE,
    "08006": Reason.DATABASE_UNAVAILABLE,
}
INSERT = """INSERT INTO request_results (caller, method, request_id, fingerprint)
            VALUES ('c', %(method)s, gen_random_uuid(), '') RETURNING method"""
LOCK: Statement = ("SELECT pg_advisory_xact_lock(1)", {})
NAP: Statement = ("SELECT pg_sleep(0.001)", {})
METHODS: Statement = ("SELECT method FROM request_results ORDER BY 1", {})


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    url = databases.service_url("tenancy", databases.copy("tenancy", time_zone="Asia/Kolkata"))
    opened = Database(url, pool_size=2, name="test", constraint_errors={"pk_request_results": Reason.SLUG_TAKEN})
    await opened.open()
    yield opened
    await opened.close()


async def test_connections_have_the_limits_that_are_promised(database: Database) -> None:
    promised = {**SESSION_SETTINGS, "transaction_timeout": "5s"}
    async with database.transaction() as tx:
        for name, value in promised.items():
            assert (await tx.execute(text(f"SHOW {name}"))).scalar_one() == value
    for name, value in {**promised, **HOT_SETTINGS}.items():
        assert await database.hot_read(f"SHOW {name}", ()) == [(value,)]


async def test_a_block_commits_when_it_ends_and_rolls_back_when_it_raises(database: Database) -> None:
    insert = text("INSERT INTO request_results (caller, method, request_id, fingerprint) "
                  "VALUES ('c', :m, gen_random_uuid(), '')")  # fmt: skip
    async with database.transaction() as tx:
        await tx.execute(insert, {"m": "kept"})
    with suppress(RuntimeError):
        async with database.transaction() as tx:
            await tx.execute(insert, {"m": "lost"})
            raise RuntimeError
    async with database.single_read() as tx:
        methods = (await tx.execute(text("SELECT method FROM request_results"))).scalars().all()
    assert methods == ["kept"]


async def test_hot_writes_commit_together_or_not_at_all(database: Database) -> None:
    assert await database.hot_write((INSERT, {"method": "alone"})) == [[("alone",)]]
    together = await database.hot_write((INSERT, {"method": "kept"}), METHODS)
    assert together == [[("kept",)], [("alone",), ("kept",)]]
    with pytest.raises(psycopg.errors.DivisionByZero):
        await database.hot_write((INSERT, {"method": "lost"}), ("SELECT 1 / 0", {}), METHODS)
    assert await database.hot_write(METHODS) == [[("alone",), ("kept",)]]
    async with database.transaction() as slower:
        await send(slower, INSERT, {"method": "slower"})
        assert await fetch(slower, *METHODS) == [("alone",), ("kept",), ("slower",)]


async def test_a_statement_sees_what_was_committed_while_the_one_before_it_waited_for_a_lock(
    database: Database,
) -> None:
    """A sign-in counts on it: it locks the account, then counts its sessions."""
    async with database.transaction() as first:
        await first.execute(text("SELECT pg_advisory_xact_lock(1)"))
        second = asyncio.create_task(database.hot_write(LOCK, METHODS))
        await asyncio.sleep(0.1)
        assert not second.done()
        await send(first, INSERT, {"method": "meanwhile"})
    assert (await second)[1] == [("meanwhile",)]


async def test_hot_writes_that_are_cancelled_leave_no_lock_behind(database: Database) -> None:
    for number in range(40):
        held = asyncio.create_task(database.hot_write(LOCK, NAP, NAP, NAP))
        await asyncio.sleep(number * 0.00015)
        held.cancel()
        await asyncio.wait({held})
        await database.hot_write(LOCK)  # or CONFLICT after half a second


@pytest.mark.parametrize("state", ERRORS)
async def test_an_expected_error_becomes_its_reason(database: Database, state: str) -> None:
    raising = f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END $$"
    with pytest.raises(ServiceError) as caught:
        async with database.transaction() as tx:
            await tx.execute(text(raising))
    assert caught.value.reason is ERRORS[state]
    assert (caught.value.retry_after is not None) is (caught.value.reason is Reason.DATABASE_BUSY)
    with pytest.raises(ServiceError) as caught:
        await database.hot_read(raising, ())
    assert caught.value.reason is ERRORS[state]
    with pytest.raises(ServiceError) as caught:
        await database.hot_write((raising, {}))
    assert caught.value.reason is ERRORS[state]


async def test_a_violated_constraint_is_told_by_its_name_and_an_unknown_one_is_no_expected_error(
    database: Database,
) -> None:
    twice = text("INSERT INTO request_results (caller, method, request_id, fingerprint) "
                 "SELECT 'c', 'm', '00000000-0000-0000-0000-000000000000', '' FROM generate_series(1, 2)")  # fmt: skip
    with pytest.raises(ServiceError) as caught:
        async with database.transaction() as tx:
            await tx.execute(twice)
    assert caught.value.reason is Reason.SLUG_TAKEN
    with pytest.raises(Exception, match="not-null") as unexpected:
        async with database.transaction() as tx:
            await tx.execute(text("INSERT INTO request_results (caller) VALUES ('c')"))
    assert not isinstance(unexpected.value, ServiceError)


async def test_an_unexpected_error_does_not_tell_the_values_of_its_statement(database: Database) -> None:
    """It is logged, and the values may be a hash, an address or a token."""
    with pytest.raises(Exception, match="NUL") as unexpected:
        async with database.transaction() as tx:
            await tx.execute(text("SELECT :a, :b"), {"a": "hunter2", "b": "\0"})
    assert "hunter2" not in str(unexpected.value)


async def test_a_pool_in_use_is_busy_after_half_a_second_and_well_again(database: Database) -> None:
    release = asyncio.Event()

    async def hold() -> None:
        async with database.transaction() as tx:
            await tx.execute(text("SELECT 1"))
            await release.wait()

    holders = [asyncio.create_task(hold()) for _ in range(2)]
    await asyncio.sleep(0.1)
    with pytest.raises(ServiceError) as caught:
        async with asyncio.timeout(2), database.transaction():
            pass
    assert caught.value.reason is Reason.DATABASE_BUSY
    assert caught.value.retry_after == 0.5
    release.set()
    await asyncio.gather(*holders)
    async with database.transaction() as tx:
        assert (await tx.execute(text("SELECT 1"))).scalar_one() == 1


async def test_a_connection_that_was_ended_is_replaced_without_anybody_noticing(
    database: Database, databases: Databases
) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("SELECT 1"))
    assert await database.hot_read("SELECT 1", ()) == [(1,)]
    async with await psycopg.AsyncConnection.connect(databases.postgres.url(), autocommit=True) as admin:
        ended = "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE application_name = 'test'"
        await admin.execute(ended)
    assert await database.hot_write(("SELECT 2", {})) == [[(2,)]]
    async with database.transaction() as tx:
        assert (await tx.execute(text("SELECT 3"))).scalar_one() == 3


async def test_a_restart_that_ends_every_idle_connection_is_not_noticed_either(
    database: Database, databases: Databases
) -> None:
    await asyncio.gather(*(database.hot_read("SELECT pg_sleep(0.2)", ()) for _ in range(2)))
    assert database._hot.get_stats()["pool_size"] == 2
    async with await psycopg.AsyncConnection.connect(databases.postgres.url(), autocommit=True) as admin:
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test'")
    assert await database.hot_read("SELECT 2", ()) == [(2,)]


async def test_a_read_that_is_cancelled_leaves_room_for_others(database: Database) -> None:
    for _ in range(4):
        reading = asyncio.create_task(database.hot_read("SELECT pg_sleep(30)", ()))
        await asyncio.sleep(0.05)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    assert await asyncio.gather(*(database.hot_read("SELECT 1", ()) for _ in range(4))) == [[(1,)]] * 4


async def test_no_database_is_unavailable_and_not_ready() -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing", pool_size=1, name="test", constraint_errors={})
    await nowhere.open()
    try:
        for read in (nowhere.hot_read("SELECT 1", ()), nowhere.transaction().__aenter__()):
            with pytest.raises(ServiceError) as caught:
                await read
            assert caught.value.reason is Reason.DATABASE_UNAVAILABLE
        assert not await nowhere.is_ready()
    finally:
        await nowhere.close()
