"""No event is lost, doubled or out of order, however its writers overlap, fail and wait for each other."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from identity_service import publish
from identity_service.tables import event_epoch, events
from shared import event_cursor, event_log, event_streams
from shared.database import Database
from shared.event_log import raise_epoch
from shared.reasons import Reason
from tenantry.testing.databases import Databases
from tenantry.testing.pair import running_identity
from tests.calls import fails
from tests.identity.event_reading import WRITE, Alone, identity_alone, ids, next_of, take

WRITERS, TRANSACTIONS, EVENTS = 8, 140, 3


class RolledBackError(Exception):
    """Takes a transaction back."""


@pytest.fixture(scope="module")
async def alone(databases: Databases) -> AsyncIterator[Alone]:
    async with identity_alone(databases) as running:
        yield running


@pytest.fixture
async def database(alone: Alone) -> AsyncIterator[Database]:
    made = alone.database()
    yield made
    await made.close()


async def write_some(database: Database, user_id: UUID, chance: random.Random) -> list[str]:
    """The session ids of what was committed, in order."""
    committed: list[str] = []
    for _ in range(TRANSACTIONS):
        session_ids = [uuid4() for _ in range(EVENTS)]
        try:
            async with database.transaction() as tx:
                await publish.sessions_changed(tx, "SESSION_CREATED", user_id, session_ids)
                await asyncio.sleep(chance.uniform(0, 0.02))
                if chance.random() < 0.05:
                    raise RolledBackError
        except RolledBackError:
            continue
        committed += map(str, session_ids)
    return committed


async def naive_reader(database: Database, stop: asyncio.Event) -> set[int]:
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
    naive = asyncio.create_task(naive_reader(control, stop))
    users = [uuid4() for _ in range(WRITERS)]
    writing = [write_some(database, user_id, random.Random(n)) for n, user_id in enumerate(users)]
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

    by_user: dict[str, list[str]] = {str(user_id): [] for user_id in users}
    for message in received:
        by_user[message.event.user_id].append(message.event.session_id)
    assert list(by_user.values()) == written
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
        late = str((await (await slow.execute(WRITE, (uuid4(), uuid4()))).fetchone() or [])[0])
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
        await slow.execute(WRITE, (uuid4(), uuid4()))
        early = await alone.write(2)
        await slow.rollback()
    assert ids(await take(stream, 2)) == early
    stream.cancel()


async def test_who_waited_for_a_change_of_the_same_user_comes_after_it_whatever_the_transactions_numbers(
    alone: Alone,
) -> None:
    """A call with a request_id gets its number as it claims the id, before it waits for the user's row."""
    user_id = uuid4()
    stream = alone.start(await alone.now())
    async with await alone.connect() as waiting, await alone.connect() as between:
        await waiting.execute("SELECT pg_current_xact_id()")
        await between.execute("SELECT pg_current_xact_id()")  # so that the watermark stops between the two
        [first] = await alone.write(1, user_id)
        second = str((await (await waiting.execute(WRITE, (user_id, uuid4()))).fetchone() or [])[0])
        await waiting.commit()
        other = await alone.write()
        await between.commit()
    assert ids(await take(stream, 3)) == [first, second, *other]
    stream.cancel()


async def test_after_a_restore_the_events_go_on_in_a_new_epoch(databases: Databases) -> None:
    async with identity_alone(databases) as alone:
        before = await alone.now()
        [seen] = await alone.write()
        async with await alone.connect() as connection:
            # As a dump brings them: numbers of a database that has counted further.
            await connection.execute("UPDATE events SET xid = (10 ^ 15)::bigint::text::xid8")
        stored = await restored_cursor(alone, before)
        database = alone.database()

        async def start_again() -> None:
            async with database.transaction() as tx:
                await raise_epoch(tx, events, event_epoch)

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


async def test_the_epoch_is_looked_at_when_a_service_starts(databases: Databases) -> None:
    async with identity_alone(databases) as alone:
        await alone.write()
        async with await alone.connect() as connection:
            await connection.execute("UPDATE events SET xid = (10 ^ 15)::bigint::text::xid8")
        async with running_identity(alone.settings) as again:
            async with asyncio.timeout(10):
                await again.channel.channel_ready()
                while True:
                    async with await alone.connect() as connection:
                        rows = await connection.execute("SELECT epoch FROM event_epoch")
                        if await rows.fetchone() == (2,):
                            break
                    await asyncio.sleep(0.02)


async def test_a_reader_that_is_ahead_of_a_restored_dump_must_begin_anew(databases: Databases) -> None:
    async with identity_alone(databases) as alone:
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
