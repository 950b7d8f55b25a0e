"""A connection that reads with half of the work of psycopg's execute(): no cursor, no look at each value."""

import asyncio
import itertools
from collections.abc import Generator, Sequence
from typing import Any, TypeAlias

import psycopg
from psycopg.adapt import Transformer
from psycopg.errors import InvalidSqlStatementName, error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult
from psycopg.waiting import Ready, Wait

Rows: TypeAlias = list[tuple[Any, ...]]
Answer: TypeAlias = "asyncio.Future[PGresult]"

GOOD = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)


class HotConnection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """Every statement is prepared once, as it is first read; in UTF-8 (`client_encoding`)."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._statements: dict[str, bytes] = {}
        self._numbers = itertools.count()
        self._results: list[PGresult] = []

    async def read(self, statement: str, values: Sequence[str]) -> Rows:
        """The rows of a statement in PostgreSQL's own words ($1::uuid[]), all of whose values are text.

        psycopg.Error as execute() raises it. Cancelled before its end it is ACTIVE: its pool closes it.
        """
        try:
            result = await self._execute(statement, values)
        except InvalidSqlStatementName:  # psycopg's rollback() deallocates all there are, ours too
            self._statements.clear()
            result = await self._execute(statement, values)
        reader = Transformer(self)
        reader.set_pgresult(result)
        return reader.load_rows(0, result.ntuples, tuple)

    async def _execute(self, statement: str, values: Sequence[str]) -> PGresult:
        name = self._statements.get(statement) or await self._prepare(statement)
        self.pgconn.send_query_prepared(name, [value.encode() for value in values])
        return await self._answer()

    async def _prepare(self, statement: str) -> bytes:
        name = b"hot_%d" % next(self._numbers)
        self.pgconn.send_prepare(name, statement.encode())
        await self._answer()
        self._statements[statement] = name
        return name

    async def _answer(self) -> PGresult:
        if self.pgconn.flush():
            await self.wait(_flushed(self))
        loop = asyncio.get_running_loop()
        answer: Answer = loop.create_future()
        loop.add_reader(self.pgconn.socket, self._receive, loop, answer)
        try:
            result = await answer
        finally:
            if answer.cancelled():
                loop.remove_reader(self.pgconn.socket)
        if result.status not in GOOD:
            raise error_from_result(result)
        return result

    def _receive(self, loop: asyncio.AbstractEventLoop, answer: Answer) -> None:
        """What has come; the answer is whole when PostgreSQL is ready for the next statement."""
        # Not watched while it is read: libpq closes the socket of a line that is cut, and uvloop dies of watching one.
        loop.remove_reader(self.pgconn.socket)
        try:
            self.pgconn.consume_input()
            while not self.pgconn.is_busy():
                result = self.pgconn.get_result()
                if result is None:
                    answer.set_result(self._results.pop())
                    self._results.clear()
                    return
                self._results.append(result)
        except psycopg.Error as error:
            answer.set_exception(error)
        else:
            loop.add_reader(self.pgconn.socket, self._receive, loop, answer)


def _flushed(connection: HotConnection) -> Generator[Wait, Ready | int, None]:
    """More than the socket takes at once; PostgreSQL may say something before it has all of it."""
    while connection.pgconn.flush():
        if (yield Wait.RW) & Ready.R:
            connection.pgconn.consume_input()
