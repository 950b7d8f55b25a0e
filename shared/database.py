"""Connect to PostgreSQL: transactions, single reads, the hot statements. The only place that commits."""

import asyncio
import select
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeAlias

import psycopg
import sqlalchemy
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from shared.errors import ServiceError
from shared.hot_connection import HotConnection, Rows, Statement
from shared.reasons import Reason
from shared.worker_metrics import DATABASE_WAIT_SECONDS

Tx: TypeAlias = AsyncConnection
Row: TypeAlias = sqlalchemy.Row[*tuple[Any, ...]]
ConstraintErrors: TypeAlias = Mapping[str, Reason]

WAIT, HOT_WAIT = DATABASE_WAIT_SECONDS.labels("transactions"), DATABASE_WAIT_SECONDS.labels("hot")

POOL_TIMEOUT = 0.5
SESSION_SETTINGS = {
    "statement_timeout": "2s",
    "lock_timeout": "500ms",
    "idle_in_transaction_session_timeout": "5s",
    "client_connection_check_interval": "500ms",
    "TimeZone": "UTC",
}
# The hot statements are look-ups by key, joined in the order they are written, however large the tables are
# and whatever the statistics say at the moment; planned once for each connection.
HOT_SETTINGS = {
    "plan_cache_mode": "force_generic_plan",
    "join_collapse_limit": "1",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
LIBPQ = {
    "connect_timeout": 2,
    "tcp_user_timeout": 3000,
    "keepalives_idle": 10,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "target_session_attrs": "read-write",
    "prepare_threshold": 1,
}
# PostgreSQL 17 and later; older ones do not know the setting and would refuse the connection.
TRANSACTION_TIMEOUT = """SELECT set_config('transaction_timeout', '5s', false)
                          WHERE current_setting('server_version_num')::int >= 170000"""
# A limit that runs is not changed but by ending it first.
LONGER = """SELECT set_config('transaction_timeout', '{}s', true)
             WHERE current_setting('server_version_num')::int >= 170000"""

BY_SQLSTATE = {
    "40001": Reason.CONFLICT, "40P01": Reason.CONFLICT, "55P03": Reason.CONFLICT, "25P03": Reason.CONFLICT,
    "57014": Reason.DEADLINE_EXCEEDED, "25P04": Reason.DEADLINE_EXCEEDED,
    "53300": Reason.DATABASE_BUSY, "53400": Reason.DATABASE_BUSY,
    "25006": Reason.DATABASE_UNAVAILABLE, "53100": Reason.DATABASE_UNAVAILABLE,
    "57P01": Reason.DATABASE_UNAVAILABLE, "57P02": Reason.DATABASE_UNAVAILABLE, "57P03": Reason.DATABASE_UNAVAILABLE,
}  # fmt: skip


def options(*settings: Mapping[str, str]) -> str:
    """As libpq takes them."""
    return " ".join(f"-c {name}={value}" for each in settings for name, value in each.items())


class Database:
    """`url` is postgresql://…; `constraint_errors` says what a violated constraint means, by its name."""

    def __init__(self, url: str, *, pool_size: int, name: str, constraint_errors: ConstraintErrors) -> None:
        self._constraint_errors = constraint_errors
        libpq = {**LIBPQ, "application_name": name}
        self._engine = create_async_engine(
            sqlalchemy.make_url(url).set(drivername="postgresql+psycopg"),
            connect_args={**libpq, "options": options(SESSION_SETTINGS)},
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT,
            pool_pre_ping=True,
            pool_recycle=1800,
            hide_parameters=True,  # an unexpected error is logged: without addresses, hashes and tokens
        )
        sqlalchemy.event.listen(self._engine.sync_engine, "connect", _limit_transactions)
        # Kept here, as the pool's own count is wrong for good after a socket froze.
        self._in_use: set[object] = set()
        sqlalchemy.event.listen(self._engine.sync_engine, "checkout", lambda _, record, __: self._in_use.add(record))
        sqlalchemy.event.listen(self._engine.sync_engine, "checkin", lambda _, record: self._in_use.discard(record))
        self._autocommit = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        # A batch at a time reads here and a sign-in at a time writes, so two connections do; without batching, or
        # with many callers, more.
        hot = {**libpq, "options": options(SESSION_SETTINGS, HOT_SETTINGS), "client_encoding": "utf8"}
        self._hot = AsyncConnectionPool(
            url,
            connection_class=HotConnection,
            kwargs={**hot, "autocommit": True},
            min_size=1,
            max_size=pool_size,
            timeout=POOL_TIMEOUT,
            open=False,
            reconnect_timeout=5,
            configure=_limit_hot_transactions,
        )

    async def open(self) -> None:
        """Begin to connect; PostgreSQL need not be there yet."""
        await self._hot.open(wait=False)

    async def close(self) -> None:
        await self._hot.close()
        await self._engine.dispose()

    def connections(self) -> dict[tuple[str, str], int]:
        """How many there are at the moment, by pool and state."""
        hot = self._hot.get_stats()
        return {
            ("transactions", "in_use"): len(self._in_use),
            ("transactions", "idle"): self._engine.pool.checkedin(),  # type: ignore[attr-defined]
            ("hot", "in_use"): hot["pool_size"] - hot["pool_available"],
            ("hot", "idle"): hot["pool_available"],
        }

    async def is_ready(self) -> bool:
        try:
            async with asyncio.timeout(1.0):
                await self.hot_read("SELECT 1", ())
        except (ServiceError, TimeoutError):
            return False
        return True

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """Commits when the block ends, before the reply leaves; rolls back when it raises."""
        begin = time.perf_counter()
        try:
            async with self._engine.begin() as tx:
                WAIT.observe(time.perf_counter() - begin)
                yield tx
        except (psycopg.Error, sqlalchemy.exc.SQLAlchemyError) as error:
            raise self._expected(error) from error

    @asynccontextmanager
    async def single_read(self) -> AsyncIterator[Tx]:
        """For RPCs that run exactly one SELECT: without BEGIN and COMMIT, two round trips fewer."""
        begin = time.perf_counter()
        try:
            async with self._autocommit.connect() as tx:
                WAIT.observe(time.perf_counter() - begin)
                yield tx
        except (psycopg.Error, sqlalchemy.exc.SQLAlchemyError) as error:
            raise self._expected(error) from error

    async def hot_read(self, statement: str, values: Sequence[str]) -> Rows:
        """One prepared statement of the hot path in autocommit, in PostgreSQL's words; all values as text."""
        for others in reversed(range(self._hot.max_size + 1)):
            try:
                async with self._hot_connection() as connection:
                    return await connection.read(statement, values)
            except (psycopg.Error, PoolTimeout) as error:
                expected = self._expected(error)
                # A restarted server shows at the next use of each connection; reading again is harmless.
                lost = isinstance(expected, ServiceError) and expected.reason is Reason.DATABASE_UNAVAILABLE
                if not others or not lost or isinstance(error, PoolTimeout):
                    raise expected from error
        raise AssertionError("unreachable")

    async def hot_write(self, *statements: Statement) -> list[Rows]:
        """Prepared statements sent at once, one transaction: the rows of each. As of `HotConnection`.

        What writes is not tried twice, so it gets a connection that the server has not closed while it was idle.
        """
        try:
            for others in reversed(range(self._hot.max_size + 1)):
                async with self._hot_connection() as connection:
                    if not others or not _has_something_to_read(connection):
                        return await connection.write(*statements)
                    await connection.close()
        except (psycopg.Error, PoolTimeout) as error:
            raise self._expected(error) from error
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def _hot_connection(self) -> AsyncIterator[HotConnection]:
        begin = time.perf_counter()
        connection = await self._hot.getconn()
        try:
            HOT_WAIT.observe(time.perf_counter() - begin)
            yield connection
        finally:
            await self._hot.putconn(connection)

    def _expected(self, error: Exception) -> Exception:
        """What the caller is told; an error nobody expected stays what it is."""
        if isinstance(error, sqlalchemy.exc.TimeoutError):
            return ServiceError(Reason.DATABASE_BUSY, retry_after=POOL_TIMEOUT)
        if isinstance(error, PoolTimeout):
            return ServiceError(Reason.DATABASE_UNAVAILABLE)
        cause = error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) else error
        if not isinstance(cause, psycopg.Error):
            return error
        state = cause.sqlstate
        if state is None or state.startswith("08"):
            is_connection = isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)
            return ServiceError(Reason.DATABASE_UNAVAILABLE) if is_connection else error
        reason = BY_SQLSTATE.get(state)
        if reason is None and cause.diag.constraint_name:
            reason = self._constraint_errors.get(cause.diag.constraint_name)
        if reason is None:
            return error
        return ServiceError(reason, retry_after=POOL_TIMEOUT if reason is Reason.DATABASE_BUSY else None)


async def take_longer(tx: Tx, seconds: int) -> None:
    """For a statement over whole tables, in a transaction of its own."""
    for longer in (f"SET LOCAL statement_timeout = '{seconds}s'", *(LONGER.format(limit) for limit in (0, seconds))):
        await tx.execute(sqlalchemy.text(longer))


async def send(tx: Tx, statement: str, values: Mapping[str, object]) -> None:
    """A statement in psycopg's words."""
    await tx.exec_driver_sql(statement, dict(values))


async def fetch(tx: Tx, statement: str, values: Mapping[str, object]) -> list[Row]:
    """The rows of a statement in psycopg's words."""
    return list((await tx.exec_driver_sql(statement, dict(values))).all())


async def one(tx: Tx, statement: sqlalchemy.Executable) -> Row:
    return (await tx.execute(statement)).one()


async def first(tx: Tx, statement: sqlalchemy.Executable) -> Row | None:
    return (await tx.execute(statement)).first()


async def many(tx: Tx, statement: sqlalchemy.Executable) -> list[Row]:
    return list((await tx.execute(statement)).all())


async def many_by_filter(tx: Tx, statement: sqlalchemy.Executable) -> list[Row]:
    """For what callers filter: planned for these values, as a plan for all does not know rare ones from common ones."""
    await tx.execute(sqlalchemy.text("SET LOCAL plan_cache_mode = force_custom_plan"))
    return await many(tx, statement)


async def is_in_future(tx: Tx, moment: datetime) -> bool:
    """By the database's clock: ours may differ, and each of us has another."""
    asked = sqlalchemy.literal(moment, sqlalchemy.DateTime(timezone=True))
    return bool((await tx.execute(sqlalchemy.select(asked > sqlalchemy.func.now()))).scalar_one())


def _has_something_to_read(connection: HotConnection) -> bool:
    """An idle connection has nothing to say but that it is being closed."""
    readable = select.poll()
    readable.register(connection.fileno(), select.POLLIN)
    return bool(readable.poll(0))


async def _limit_hot_transactions(connection: HotConnection) -> None:
    await connection.execute(TRANSACTION_TIMEOUT)


def _limit_transactions(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(TRANSACTION_TIMEOUT)
    cursor.close()
    connection.commit()
