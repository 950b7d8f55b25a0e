"""Follow identity's events: one worker at a time applies them, each with its cursor in the same transaction.

Whose turn it is stands beside the cursor, with a time: a worker that died, or was cut off, is followed by another
within HOLD seconds, and whoever comes back late finds that its turn is over before it can write. What went wrong is
logged once, and tried again until it goes well; the calls of people do not wait for any of it.

Without a cursor, or with one that has expired, it begins anew: all accounts as they are, and identity is asked about
everybody who is known here, as the deleted ones are in no snapshot. An identity that knows none of them is not
believed: it may be an empty or a wrong one, and every membership would go. For the same reason CURSOR_INVALID does not
begin anew. If it is the right identity: `UPDATE identity_cursor SET cursor = NULL`.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from secrets import SystemRandom
from uuid import uuid4

from shared.database import Database, Tx, take_longer
from shared.errors import ServiceError
from shared.log import log
from shared.reasons import Reason
from tenancy_service import identity_effects
from tenancy_service.identity_batches import Batches
from tenancy_service.identity_client import IdentityClient, StreamEndedError, Told
from tenancy_service.metrics import FOLLOWED_TIME_SECONDS, SET_ASIDE_EVENTS
from tenancy_service.queries import identity_events, users_to_check

HOLD = 5.0  # seconds that a turn lasts beyond the last sign of life
LOOK = 1.0  # seconds between signs of life, looks for users to check, and looks whether it is one's own turn
SOON, SELDOM = 0.1, 5.0  # seconds between two attempts, times 0.5 to 1.5
KEEP_CURSOR = 30.0  # seconds between two heartbeats that are written down
CHECKS = 200  # users that identity is asked about at once
CHECK_SECONDS = 5.0
ENOUGH_TO_TELL = 10  # members; fewer may well all have been deleted
BEGIN_SECONDS = 120  # to note down all users there are
ATTEMPTS = 3
STOP_SECONDS = 5.0

NOT_NOW = {Reason.CONFLICT, Reason.DATABASE_BUSY, Reason.DATABASE_UNAVAILABLE, Reason.IDENTITY_UNAVAILABLE}


class TurnOverError(Exception):
    """Another worker applies events by now."""


class StrangersError(Exception):
    """Identity knows nobody who is a member here."""


class IdentityEvents:
    def __init__(self, database: Database, identity: IdentityClient) -> None:
        self._database, self._identity = database, identity
        self._me = uuid4()
        self._stopping = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._is_failing = False
        self._held_at = self._stored_at = -math.inf

    def start(self) -> None:
        self._running = asyncio.create_task(self.run())

    async def close(self) -> None:
        """What is under way is finished, unless that takes too long."""
        self._stopping.set()
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=STOP_SECONDS)
            self._running.cancel()

    async def run(self) -> None:
        pause = SOON
        while not self._stopping.is_set():
            try:
                has_gone_well = await self._take_turn()
            except Exception as error:
                self._note_failure(error)
                has_gone_well = False
            pause = SOON if has_gone_well else min(2 * pause, SELDOM)
            await self._pause(pause)

    async def _take_turn(self) -> bool:
        """Follow until the stream ends or the worker stops; True if there was a stream, or another worker has it."""
        async with self._database.transaction() as tx:
            turn = await identity_events.update_identity_holder(tx, holder=self._me, seconds=HOLD)
            if turn is not None:
                await count_set_aside(tx)
        if turn is None:
            SET_ASIDE_EVENTS.set(0)  # it is another worker that counts by now
            await self._pause(LOOK)
            return True
        try:
            return await self._follow(turn.cursor)
        except TurnOverError:
            log.info("another worker follows identity's events by now")
            return True
        finally:
            # For another worker, whom identity may answer.
            with suppress(ServiceError):
                async with self._database.transaction() as tx:
                    await identity_events.update_identity_holder_gone(tx, holder=self._me)

    async def _follow(self, cursor: str | None) -> bool:
        """True if identity told anything."""
        batches = Batches(self._identity.events(cursor), self._stopping)
        has_begun, has_told = cursor is not None, False
        try:
            while (batch := await batches.next(LOOK)) is not None:
                if batch:
                    has_told = True
                    if not has_begun:
                        await self._begin_anew()
                        has_begun = True
                    await self._apply(batch)
                    self._note_success()
                if has_begun:
                    await self._check_users()
                await self._keep_turn()
        except StreamEndedError as error:
            if error.reason == Reason.CURSOR_EXPIRED.name:
                log.warning("identity's events since the last one are gone, so all accounts are read anew")
                async with self._in_turn() as tx:
                    await identity_events.update_identity_cursor(tx, cursor=None)
            elif not has_told:
                raise
        finally:
            await batches.close()
        return has_told

    async def _begin_anew(self) -> None:
        """Now that the stream has its beginning: who was deleted before is found by asking, later on by an event."""
        async with self._database.single_read() as tx:
            newest = await users_to_check.list_newest_members(tx, limit=CHECKS)
        if len(newest) >= ENOUGH_TO_TELL and not await self._identity.users(newest, CHECK_SECONDS):
            raise StrangersError("it knows none of the members here; is IDENTITY_ADDRESS right?")
        async with self._in_turn() as tx:
            await take_longer(tx, BEGIN_SECONDS)
            await users_to_check.insert_all_users_to_check(tx)
        self._stored_at = -math.inf

    async def _check_users(self) -> None:
        """One part of those who wait for it, so that events do not wait for all."""
        async with self._database.single_read() as tx:
            rows = await users_to_check.list_users_to_check(tx, limit=CHECKS)
        if rows:
            await self._apply(await self._identity.checked({row.check_id: row.user_id for row in rows}, CHECK_SECONDS))

    async def _apply(self, messages: Sequence[Told]) -> None:
        """Together, or if that fails one by one, and without those that cannot be applied at all."""
        is_quiet = all(told.type == "HEARTBEAT" for told in messages)
        if is_quiet and time.monotonic() - self._stored_at < KEEP_CURSOR:
            return
        try:
            await self._store(messages)
        except Exception as error:
            if is_of_the_moment(error):
                raise
            for told in messages:
                await self._apply_alone(told)
        if messages[-1].cursor is not None:
            # The heartbeat that ends a snapshot is not to wait.
            self._stored_at = -math.inf if messages[-1].type == "SNAPSHOT_USER" else time.monotonic()

    async def _apply_alone(self, told: Told) -> None:
        for _ in range(ATTEMPTS):
            try:
                await self._store([told])
            except Exception as error:
                if is_of_the_moment(error):
                    raise
                failure = error
                await self._pause(SOON)
            else:
                return
        await self._give_up(told, failure)

    async def _store(self, messages: Sequence[Told]) -> None:
        """The effects and how far they go in one transaction; if it is much, in several, of which the last moves on."""
        done = False
        while not done:
            async with self._in_turn() as tx:
                done = await identity_effects.apply(tx, messages)
                if done:
                    await self._move_on(tx, messages)

    async def _move_on(self, tx: Tx, messages: Sequence[Told]) -> None:
        if cursors := [told.cursor for told in messages if told.cursor is not None]:
            await identity_events.update_identity_cursor(tx, cursor=cursors[-1])
        if check_ids := [told.check_id for told in messages if told.check_id is not None]:
            await users_to_check.delete_users_to_check(tx, check_ids=check_ids)

    async def _give_up(self, told: Told, error: Exception) -> None:
        async with self._in_turn() as tx:
            await identity_events.insert_set_aside_event(
                tx,
                event_id=told.event_id,
                type_=told.type,
                user_id=told.user_id,
                message=told.message.SerializeToString(),
                error=described(error),
            )
            await self._move_on(tx, [told])
            await count_set_aside(tx)
        log.error("an event of identity is set aside", event_id=told.event_id, type=told.type, exc_info=error)

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[Tx]:
        """A transaction during which no other worker can apply anything; TurnOverError if one has begun to."""
        async with self._database.transaction() as tx:
            if not await identity_events.lock_identity_cursor(tx, holder=self._me, seconds=HOLD):
                raise TurnOverError
            yield tx
        self._held_at = time.monotonic()

    async def _keep_turn(self) -> None:
        if time.monotonic() - self._held_at >= LOOK:
            async with self._in_turn():
                pass

    def _note_failure(self, error: Exception) -> None:
        if not self._is_failing:
            expected = isinstance(error, StreamEndedError | StrangersError | ServiceError)
            log.warning("identity's events cannot be followed", error=str(error), exc_info=None if expected else error)
        self._is_failing = True

    def _note_success(self) -> None:
        FOLLOWED_TIME_SECONDS.set_to_current_time()
        if self._is_failing:
            log.info("identity's events are followed again")
        self._is_failing = False

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds * SystemRandom().uniform(0.5, 1.5)):
                await self._stopping.wait()


async def count_set_aside(tx: Tx) -> None:
    SET_ASIDE_EVENTS.set(await identity_events.count_set_aside_events(tx))


def is_of_the_moment(error: Exception) -> bool:
    """To be tried again until it goes well; any other failure is the event's own."""
    return isinstance(error, TurnOverError) or (isinstance(error, ServiceError) and error.reason in NOT_NOW)


def described(error: Exception) -> str:
    """Without the values of the row that failed."""
    if isinstance(error, ServiceError):
        return error.reason.name
    cause = getattr(error, "orig", None) or error
    diagnosis = getattr(cause, "diag", None)
    parts = type(cause).__name__, getattr(cause, "sqlstate", None), diagnosis and diagnosis.constraint_name
    return " ".join(part for part in parts if part)
