"""Touches: what validation writes behind its answers, seldom and in few statements."""

import asyncio
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from identity_service.queries import validation as queries
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from shared.database import Database
from tenantry.testing.pair import Pair
from tenantry.testing.people import People, TestPerson
from tests.identity.conftest import Rows, validate


async def row(rows: Rows, person: TestPerson) -> tuple[datetime, datetime, object]:
    query = "SELECT last_seen_at, expire, sess FROM session WHERE sid = %s"
    found = await (await rows.execute(query, (person.sid,))).fetchone()
    assert found is not None
    return found[0], found[1], found[2]


async def age(rows: Rows, person: TestPerson, seconds: int) -> None:
    """As if the person had been idle for so long."""
    await rows.execute(
        "UPDATE session SET last_seen_at = last_seen_at - %s, expire = expire - %s WHERE sid = %s",
        (timedelta(seconds=seconds), timedelta(seconds=seconds), person.sid),
    )


async def wait_for_touches() -> None:
    """Long enough for one that must not come."""
    await asyncio.sleep(0.3)


async def wait_for_touch(rows: Rows, person: TestPerson, before: datetime) -> None:
    deadline = time.monotonic() + 10
    while (await row(rows, person))[0] == before:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_a_session_is_touched_once_a_minute_and_behind_the_answer(
    sessions: SessionServiceStub, people: People, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bo = await people.persons(2)
    await age(rows, ada, 100)
    await age(rows, bo, 50)
    before = await row(rows, ada), await row(rows, bo)
    written: list[Sequence[str]] = []
    update_last_seen = queries.update_last_seen

    async def noted(*arguments: Any, **values: Any) -> None:
        written.append(values["sids"])
        await update_last_seen(*arguments, **values)

    monkeypatch.setattr(queries, "update_last_seen", noted)
    for _ in range(20):
        await validate(sessions, ada.token, bo.token)
    await wait_for_touch(rows, ada, before[0][0])
    await wait_for_touches()
    # A question between the statement and its commit may have it written again, without effect.
    assert {sid for sids in written for sid in sids if sid in (ada.sid, bo.sid)} == {ada.sid}
    last_seen, expire, sess = await row(rows, ada)
    assert timedelta(seconds=99) < last_seen - before[0][0] < timedelta(seconds=110)
    assert timedelta(seconds=99) <= expire - before[0][1] < timedelta(seconds=110)
    assert expire.microsecond == 0
    assert sess == before[0][2]
    assert await row(rows, bo) == before[1]


@pytest.mark.parametrize(
    ("original_max_age", "seconds"),
    [(600_000, 600), (None, 1800), ("600000", 1800), (1e300, 43200), (-5, 300), (0, 300), (600_000.5, 600)],
)
async def test_a_touch_moves_the_end_as_express_does(
    sessions: SessionServiceStub, people: People, rows: Rows, original_max_age: object, seconds: int
) -> None:
    """By the session's own originalMaxAge if it is a number, never nearer, never past the absolute limit."""
    ada = await people.person("ada")
    await rows.execute(
        """UPDATE session SET last_seen_at = now() - interval '2 minutes', expire = now() + interval '300 seconds',
                  sess = jsonb_set(sess, '{cookie,originalMaxAge}', %s) WHERE sid = %s""",
        (json.dumps(original_max_age), ada.sid),
    )
    before = await row(rows, ada)
    await validate(sessions, ada.token)
    await wait_for_touch(rows, ada, before[0])
    last_seen, expire, _ = await row(rows, ada)
    assert datetime.now(UTC) - last_seen < timedelta(seconds=5)
    assert abs((expire - last_seen).total_seconds() - seconds) <= 2


async def test_a_touch_revives_nothing_and_waits_for_nobody(
    pair: Pair, sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada, bo, cy = await people.persons(3)
    for person in (ada, bo, cy):
        await age(rows, person, 100)
    locked, free = await row(rows, bo), await row(rows, cy)
    async with await psycopg.AsyncConnection.connect(pair.identity.database_url) as other:
        await other.execute("SELECT FROM session WHERE sid = %s FOR UPDATE", (bo.sid,))
        await validate(sessions, ada.token, bo.token, cy.token)
        await rows.execute("UPDATE session SET expire = now() - interval '1 second' WHERE sid = %s", (ada.sid,))
        await wait_for_touch(rows, cy, free[0])
    assert await validate(sessions, ada.token, bo.token) == ["SESSION_INVALID", bo.session_id]
    await wait_for_touch(rows, bo, locked[0])  # it was skipped, and is due again
    assert await validate(sessions, ada.token) == ["SESSION_INVALID"]


async def test_workers_that_note_the_same_sessions_write_each_once_and_wait_for_nobody(
    pair: Pair, people: People, rows: Rows
) -> None:
    everybody = await people.persons(20)
    for person in everybody:
        await age(rows, person, 100)
    sids = [person.sid for person in everybody]
    workers = [Database(pair.identity.database_url, pool_size=2, name="t", constraint_errors={}) for _ in range(4)]

    async def touch(database: Database, order: list[str]) -> None:
        async with database.transaction() as tx:
            idle = timedelta(minutes=30)
            await queries.update_last_seen(tx, sids=order, idle=idle, touch_every=timedelta(minutes=1))

    versions = "SELECT sid, xmin::text, last_seen_at FROM session WHERE sid = ANY(%s) ORDER BY sid"
    before = await (await rows.execute(versions, (sids,))).fetchall()
    await asyncio.gather(*[touch(worker, sids[::way]) for worker in workers for way in (1, -1)])
    touched = await (await rows.execute(versions, (sids,))).fetchall()
    assert all(late[2] - early[2] > timedelta(seconds=90) for early, late in zip(before, touched, strict=True))
    await asyncio.gather(*[touch(worker, sids) for worker in workers])
    assert await (await rows.execute(versions, (sids,))).fetchall() == touched
    for worker in workers:
        await worker.close()
