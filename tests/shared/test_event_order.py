"""No event of either service is lost, doubled or out of order, however writers overlap, fail and wait."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

import identity_service.publish
import tenancy_service.publish
from shared import event_cursor, event_log, event_streams
from shared.database import Database, Tx
from shared.event_log import raise_epoch
from shared.reasons import Reason
from tenantry.testing.databases import Databases
from tenantry.testing.pair import running_identity, running_tenancy
from tests import event_reading
from tests.calls import fails
from tests.event_reading import IDENTITY, TENANCY, Alone, Kind, ids, next_of, take

WRITERS, TRANSACTIONS, EVENTS = 8, 140, 3


class RolledBackError(Exception):
    """Takes a transaction back."""


@pytest.fixture(scope="module", params=[IDENTITY, TENANCY], ids=["identity", "tenancy"])
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(scope="module")
async def alone(kind: Kind, databases: Databases) -> AsyncIterator[Alone]:
    async with event_reading.alone(kind, databases) as running:
        yield running


@pytest.fixture
async def database(alone: Alone) -> AsyncIterator[Database]:
    made = alone.database()
    yield made
    await made.close()


async def publish(kind: Kind, tx: Tx, subject: UUID, others: list[UUID]) -> None:
    if kind is IDENTITY:
        await identity_service.publish.sessions_changed(tx, "SESSION_CREATED", subject, others)
    else:
        for user_id in others:
            await tenancy_service.publish.member_removed(tx, subject, user_id)


async def write_some(alone: Alone, database: Database, subject: UUID, chance: random.Random) -> list[str]:
    """The second ids of what was committed, in order."""
    committed: list[str] = []
    for _ in range(TRANSACTIONS):
        others = [uuid4() for _ in range(EVENTS)]
        try:
            async with database.transaction() as tx:
                await publish(alone.kind, tx, subject, others)
                await asyncio.sleep(chance.uniform(0, 0.02))
                if chance.random() < 0.05:
                    raise RolledBackError
        except RolledBackError:
            continue
        committed += map(str, others)
    return committed


async def naive_reader(database: Database, events: Any, stop: asyncio.Event) -> set[int]:
    """What everybody writes at first: all above the last id. The control that shows what the order is for."""
    seen, last = set[int](), 0
    while not stop.is_set():
        async with database.single_read() as tx:
            found = await tx.execute(events.select().where(events.c.event_id > last).order_by(events.c.event_id))
        for row in found:
            seen.add(row.event_id)
            last = row.event_id
        await asyncio.sleep(0.005)
    return seen


async def test_eight_writers_with_delays_and_rollbacks_lose_nothing_and_double_nothing(
    alone: Alone, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As close on the writers' heels as it gets: later, most transactions are over and hide what is wrong.
    monkeypatch.setattr(event_log, "FRESH", 0.0)
    monkeypatch.setattr(event_streams, "POLL", 0.005)
    stream = alone.start()
    assert (await next_of(stream)).HasField("heartbeat")
    stop, control = asyncio.Event(), alone.database()
    naive = asyncio.create_task(naive_reader(control, alone.kind.tables.events, stop))
    subjects = [uuid4() for _ in range(WRITERS)]
    writing = [write_some(alone, database, subject, random.Random(n)) for n, subject in enumerate(subjects)]
    gathered = asyncio.gather(*writing)
    received = []
    least = 3_000
    received += await take(stream, least)
    written = await gathered
    total = sum(map(len, written))
    assert total >= least
    received += await take(stream, total - least)
    stop.set()
    seen_naively = await naive
    await control.close()

    by_subject: dict[str, list[str]] = {str(subject): [] for subject in subjects}
    for message in received:
        subject, other = (getattr(message.event, name) for name in (alone.kind.subject, alone.kind.other))
        by_subject[subject].append(other)
    assert list(by_subject.values()) == written
    assert len(set(ids(received))) == total
    # That the test bites: ids became visible out of order, and the naive reader missed some of them.
    assert [int(event_id) for event_id in ids(received)] != sorted(map(int, ids(received)))
    assert len(seen_naively) < total
    [after] = await alone.write()
    assert ids(await take(stream, 1)) == [after]
    stream.cancel()


async def test_an_event_that_commits_late_comes_before_those_that_waited_for_it(alone: Alone) -> None:
    stream = alone.start(await alone.now())
    async with await alone.connect() as slow:
        late = str((await (await slow.execute(alone.kind.write, (uuid4(), uuid4()))).fetchone() or [])[0])
        early = await alone.write(3)
        reading = asyncio.create_task(take(stream, 4))
        # Committed, yet held back: a reader who took them now would never see the late one.
        done, _ = await asyncio.wait({reading}, timeout=0.6)
        assert not done
        await slow.commit()
        assert ids(await reading) == [late, *early]
    stream.cancel()


async def test_a_rolled_back_event_never_comes_and_holds_nothing_back(alone: Alone) -> None:
    stream = alone.start(await alone.now())
    async with await alone.connect() as slow:
        await slow.execute(alone.kind.write, (uuid4(), uuid4()))
        early = await alone.write(2)
        await slow.rollback()
    assert ids(await take(stream, 2)) == early
    stream.cancel()


async def test_who_waited_for_a_change_of_the_same_thing_comes_after_it_whatever_the_transactions_numbers(
    alone: Alone,
) -> None:
    """A call with a request_id gets its number as it claims the id, before it waits for a row."""
    subject = uuid4()
    stream = alone.start(await alone.now())
    async with await alone.connect() as waiting, await alone.connect() as between:
        await waiting.execute("SELECT pg_current_xact_id()")
        await between.execute("SELECT pg_current_xact_id()")  # so that the watermark stops between the two
        [first] = await alone.write(1, subject)
        second = str((await (await waiting.execute(alone.kind.write, (subject, uuid4()))).fetchone() or [])[0])
        await waiting.commit()
        other = await alone.write()
        await between.commit()
    assert ids(await take(stream, 3)) == [first, second, *other]
    stream.cancel()


async def test_after_a_restore_the_events_go_on_in_a_new_epoch(kind: Kind, databases: Databases) -> None:
    async with event_reading.alone(kind, databases) as alone:
        before = await alone.now()
        [seen] = await alone.write()
        async with await alone.connect() as connection:
            # As a dump brings them: numbers of a database that has counted further.
            await connection.execute("UPDATE events SET xid = (10 ^ 15)::bigint::text::xid8")
        stored = await restored_cursor(alone, before)
        database = alone.database()

        async def start_again() -> None:
            async with database.transaction() as tx:
                await raise_epoch(tx, kind.tables.events, kind.tables.event_epoch)

        await asyncio.gather(*(start_again() for _ in range(5)))
        await database.close()
        async with await alone.connect() as connection:
            rows = await connection.execute("SELECT epoch FROM event_epoch")
            assert await rows.fetchone() == (2,)
        later = await alone.write(3)
        for cursor, expected in ((before, [seen, *later]), (stored, later)):
            stream = alone.start(cursor)
            assert ids(await take(stream, len(expected))) == expected
            stream.cancel()


async def restored_cursor(alone: Alone, before: str) -> str:
    """Of the event that was made to bear a number of the future, as its reader had stored it."""
    async with await alone.connect() as connection:
        row = await (await connection.execute("SELECT event_id FROM events")).fetchone()
    assert row is not None
    return replace(event_cursor.decode(before), epoch=1, xid=10**15, event_id=row[0]).encode()


async def test_the_epoch_is_looked_at_when_a_service_starts(kind: Kind, databases: Databases) -> None:
    async with event_reading.alone(kind, databases) as alone:
        await alone.write()
        async with await alone.connect() as connection:
            await connection.execute("UPDATE events SET xid = (10 ^ 15)::bigint::text::xid8")
        start_again = running_identity if kind is IDENTITY else running_tenancy
        async with start_again(alone.settings) as again:
            async with asyncio.timeout(10):
                await again.channel.channel_ready()
                while True:
                    async with await alone.connect() as connection:
                        rows = await connection.execute("SELECT epoch FROM event_epoch")
                        if await rows.fetchone() == (2,):
                            break
                    await asyncio.sleep(0.02)


async def test_a_reader_that_is_ahead_of_a_restored_dump_must_begin_anew(kind: Kind, databases: Databases) -> None:
    async with event_reading.alone(kind, databases) as alone:
        start = await alone.now()
        await alone.write(2)
        stream = alone.start(start)
        kept, lost = [message.cursor for message in await take(stream, 2)]
        stream.cancel()
        async with await alone.connect() as connection:
            await connection.execute("DELETE FROM events WHERE event_id = (SELECT max(event_id) FROM events)")
            await connection.execute("UPDATE event_epoch SET epoch = epoch + 1")
        later = await alone.write()
        stream = alone.start(kept)
        assert ids(await take(stream, 1)) == later
        stream.cancel()
        async with fails(Reason.CURSOR_EXPIRED):
            await next_of(alone.start(lost))
