"""shared/hot_connection.py against a real PostgreSQL: values, errors, large questions, a line that is cut."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.types.json import Jsonb

from shared.hot_connection import HotConnection
from tenantry.testing.databases import Databases

NUMBERS = "SELECT n, repeat('x', 100) FROM generate_series(1, $1::int) n"


@pytest.fixture
async def hot(databases: Databases) -> AsyncIterator[HotConnection]:
    connection = await HotConnection.connect(databases.postgres.url(), autocommit=True, client_encoding="utf8")
    yield connection
    await connection.close()


async def count_statements(hot: HotConnection) -> int:
    row = await (await hot.execute("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'hot%'")).fetchone()
    assert row is not None
    return int(row[0])


async def end(databases: Databases, hot: HotConnection) -> None:
    async with await psycopg.AsyncConnection.connect(databases.postgres.url(), autocommit=True) as admin:
        await admin.execute("SELECT pg_terminate_backend(%s)", [hot.info.backend_pid])


async def test_values_come_as_psycopg_would_read_them(hot: HotConnection) -> None:
    statement = """
        SELECT $1::text, NULL, 7, true, ARRAY['a', 'b'], '2026-01-02T03:04:05Z'::timestamptz, '{"a": [1]}'::jsonb
         UNION ALL SELECT '', 'x', 8, false, '{}', NULL, NULL"""
    assert await hot.read(statement, ["Grüße, 世界"]) == [
        ("Grüße, 世界", None, 7, True, ["a", "b"], datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), {"a": [1]}),
        ("", "x", 8, False, [], None, None),
    ]


async def test_no_rows_are_an_empty_list(hot: HotConnection) -> None:
    assert await hot.read("SELECT 1 WHERE false", []) == []


async def test_a_statement_is_prepared_once_and_each_under_its_own_name(hot: HotConnection) -> None:
    for n in ("1", "2", "3"):
        assert await hot.read("SELECT $1::int", [n]) == [(int(n),)]
    assert await hot.read("SELECT $1::int + 1", ["1"]) == [(2,)]
    assert await hot.read("SELECT $1::int", ["4"]) == [(4,)]
    assert await count_statements(hot) == 2


async def test_what_is_written_may_be_of_any_type_that_psycopg_knows(hot: HotConnection) -> None:
    values = {
        "text": "it's %",
        "nothing": None,
        "number": 300,
        "key": UUID(int=1),
        "bytes": b"\0\\'\"",
        "many": [b"a", b'{",\\'],
        "none": list[bytes](),
        "step": timedelta(days=1, seconds=2.5),
        "json": Jsonb({"a": ["\N{SNOWMAN}"]}),
        "unused": object(),
    }
    casts = {"text": "text", "nothing": "text", "number": "int", "key": "uuid", "bytes": "bytea", "many": "bytea[]",
             "none": "bytea[]", "step": "interval", "json": "jsonb"}  # fmt: skip
    statement = f"SELECT {', '.join(f'%({name})s::{cast}' for name, cast in casts.items())}"
    expected = tuple(values[name] if name != "json" else {"a": ["\N{SNOWMAN}"]} for name in casts)
    assert await hot.write((statement, values)) == [[expected]]


async def test_a_name_that_is_used_twice_is_one_value_and_statements_are_answered_in_their_order(
    hot: HotConnection,
) -> None:
    twice = "SELECT %(a)s::int + %(b)s::int, %(a)s::int"
    none, command = "SELECT 1 WHERE %(a)s::int = 7", "SET application_name = 'x'"
    answers = await hot.write((twice, {"a": 1, "b": 2}), (none, {"a": 1}), (command, {}), (twice, {"b": 3, "a": 4}))
    assert answers == [[(3, 1)], [], [], [(7, 4)]]


async def test_statements_written_together_are_one_transaction(hot: HotConnection) -> None:
    await hot.write(("CREATE TEMPORARY TABLE kept (n int PRIMARY KEY)", {}))
    insert = "INSERT INTO kept VALUES (%(n)s)"
    with pytest.raises(psycopg.errors.UniqueViolation):
        await hot.write((insert, {"n": 1}), (insert, {"n": 1}), (insert, {"n": 2}))
    assert hot.info.transaction_status == TransactionStatus.IDLE
    await hot.write((insert, {"n": 1}), (insert, {"n": 3}))
    assert await hot.read("SELECT n FROM kept ORDER BY n", []) == [(1,), (3,)]


async def test_a_statement_that_failed_spoils_nothing(hot: HotConnection) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        await hot.read("SELECT 1 / $1::int", ["0"])
    with pytest.raises(psycopg.errors.SyntaxError):
        await hot.read("SELEC 1", [])
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        await hot.read("SELECT $1::uuid", ["no uuid"])
    assert await hot.read("SELECT 1 / $1::int", ["1"]) == [(1,)]
    assert hot.info.transaction_status == TransactionStatus.IDLE


async def test_questions_and_answers_larger_than_a_sockets_buffer_pass(hot: HotConnection) -> None:
    large = "x" * 20_000_000
    assert await hot.read("SELECT length($1::text)", [large]) == [(len(large),)]
    assert await hot.read("SELECT $1::text", [large]) == [(large,)]
    rows = await hot.read(NUMBERS, ["50000"])
    assert [n for n, _ in rows] == list(range(1, 50_001))


async def test_the_loop_goes_on_while_an_answer_is_awaited(hot: HotConnection) -> None:
    reading = asyncio.create_task(hot.read("SELECT pg_sleep(0.3)", []))
    turns = 0
    while not reading.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns >= 10


async def test_what_psycopg_executes_and_what_is_read_take_turns(hot: HotConnection) -> None:
    for n in range(5):
        assert await hot.read("SELECT $1::int", [str(n)]) == [(n,)]
        assert await (await hot.execute("SELECT %s::int", [n])).fetchone() == (n,)


async def test_statements_that_psycopg_deallocates_are_prepared_again(hot: HotConnection) -> None:
    for n in range(3):
        assert await hot.read("SELECT $1::int", [str(n)]) == [(n,)]
        assert await hot.read("SELECT $1::int + 1", [str(n)]) == [(n + 1,)]
        async with hot.transaction(force_rollback=True):
            await hot.execute("SELECT %s::int", [n], prepare=True)
        await hot.execute("BEGIN")
        await hot.rollback()
        assert await count_statements(hot) == 0
    assert await hot.read("SELECT $1::int + 1", ["6"]) == [(7,)]
    assert await hot.read("SELECT $1::int", ["7"]) == [(7,)]


async def test_one_that_was_cancelled_is_active_and_disturbs_no_other(hot: HotConnection, databases: Databases) -> None:
    reading = asyncio.create_task(hot.read("SELECT pg_sleep(5)", []))
    await asyncio.sleep(0.1)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert hot.info.transaction_status == TransactionStatus.ACTIVE
    await hot.close()
    async with await HotConnection.connect(databases.postgres.url(), autocommit=True) as other:
        assert await other.read("SELECT 1", []) == [(1,)]


async def test_one_that_was_cancelled_as_its_answer_came_is_as_good_as_before(
    hot: HotConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive = HotConnection._receive

    def received(*arguments: Any) -> None:
        receive(hot, *arguments)
        if arguments[1].done():
            reading.cancel()

    await hot.read("SELECT 1", [])
    monkeypatch.setattr(hot, "_receive", received)
    reading = asyncio.create_task(hot.read("SELECT 1", []))
    with pytest.raises(asyncio.CancelledError):
        await reading
    monkeypatch.undo()
    assert hot.info.transaction_status == TransactionStatus.IDLE
    assert hot.pgconn.pipeline_status == PipelineStatus.OFF
    assert await (await hot.execute("SELECT 2")).fetchone() == (2,)
    assert await hot.read("SELECT 3", []) == [(3,)]


async def test_a_line_that_is_cut_while_reading_is_an_operational_error(
    hot: HotConnection, databases: Databases
) -> None:
    reading = asyncio.create_task(hot.read("SELECT pg_sleep(5)", []))
    await asyncio.sleep(0.1)
    await end(databases, hot)
    with pytest.raises(psycopg.OperationalError):
        await reading
    with pytest.raises(psycopg.OperationalError):
        await hot.read("SELECT 1", [])


async def test_a_line_that_was_cut_before_is_one_as_well(hot: HotConnection, databases: Databases) -> None:
    assert await hot.read("SELECT 1", []) == [(1,)]
    await end(databases, hot)
    with pytest.raises(psycopg.OperationalError):
        await hot.read("SELECT 1", [])
