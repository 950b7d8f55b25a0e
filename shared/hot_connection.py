"""A connection that asks with half of the work of psycopg's execute(): no cursor, and each statement looked at once."""

import asyncio
import itertools
import re
from collections.abc import Generator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import InvalidSqlStatementName, error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult
from psycopg.waiting import Ready, Wait

Rows: TypeAlias = list[tuple[Any, ...]]
# In psycopg's words (%(name)s), with values of which it may use only some.
Statement: TypeAlias = tuple[str, Mapping[str, object]]
# In PostgreSQL's own words ($1::uuid[]), with its values as text.
Question: TypeAlias = tuple[str, Sequence[bytes | None]]
Results: TypeAlias = list[PGresult]
Answer: TypeAlias = "asyncio.Future[Results]"

GOOD = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)
NAMED = re.compile(r"%\((\w+)\)s")


class HotConnection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """Every statement is prepared once, as it is first asked; in UTF-8 (`client_encoding`) and in autocommit.

    psycopg.Error as execute() raises it. Cancelled before the answer it is ACTIVE: its pool closes it.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._statements: dict[str, bytes] = {}
        self._numbers = itertools.count()

    async def read(self, statement: str, values: Sequence[str]) -> Rows:
        """The rows of a statement in PostgreSQL's own words ($1::uuid[]), all of whose values are text."""
        [rows] = await self._ask([(statement, [value.encode() for value in values])])
        return rows

    async def write(self, *statements: Statement) -> list[Rows]:
        """The rows of each, sent at once: one transaction, which commits at its end.

        PostgreSQL has to know the type of each value from its place or a cast, as none is told.
        """
        dump = Transformer(self).dump_sequence
        questions: list[Question] = []
        for statement, values in statements:
            numbered, names = in_numbers(statement)
            dumped = dump([values[name] for name in names], [PyFormat.TEXT] * len(names))
            questions.append((numbered, [None if each is None else bytes(each) for each in dumped]))
        return await self._ask(questions)

    async def _ask(self, questions: Sequence[Question]) -> list[Rows]:
        try:
            results = await self._execute(questions)
        except InvalidSqlStatementName:  # psycopg's rollback() deallocates all there are, ours too
            self._statements.clear()
            results = await self._execute(questions)
        reader, rows = Transformer(self), []
        for result in results:
            reader.set_pgresult(result)
            rows.append(reader.load_rows(0, result.ntuples, tuple))
        return rows

    async def _execute(self, questions: Sequence[Question]) -> Results:
        for statement, _ in questions:
            if statement not in self._statements:
                await self._prepare(statement)
        self.pgconn.enter_pipeline_mode()
        for statement, values in questions:
            self.pgconn.send_query_prepared(self._statements[statement], values)
        return await self._results()

    async def _prepare(self, statement: str) -> None:
        name = b"hot_%d" % next(self._numbers)
        self.pgconn.enter_pipeline_mode()
        self.pgconn.send_prepare(name, statement.encode())
        await self._results()
        self._statements[statement] = name

    async def _results(self) -> Results:
        """Of what was sent: PostgreSQL commits at the synchronization, or rolls back all of it."""
        self.pgconn.pipeline_sync()
        if self.pgconn.flush():
            await self.wait(_flushed(self))
        loop = asyncio.get_running_loop()
        answer: Answer = loop.create_future()
        loop.add_reader(self.pgconn.socket, self._receive, loop, answer, [])
        try:
            results = await answer
        finally:
            if answer.cancelled():
                loop.remove_reader(self.pgconn.socket)
        for result in results:
            if result.status not in GOOD:
                raise error_from_result(result)
        return results

    def _receive(self, loop: asyncio.AbstractEventLoop, answer: Answer, results: Results) -> None:
        """What has come; the answer is whole when PostgreSQL is ready for the next statements."""
        # Not watched while it is read: libpq closes the socket of a line that is cut, and uvloop dies of watching one.
        loop.remove_reader(self.pgconn.socket)
        try:
            self.pgconn.consume_input()
            between_two = False
            while not self.pgconn.is_busy():
                result = self.pgconn.get_result()
                if result is None and between_two:
                    break  # a line that was cut has no end
                between_two = result is None
                if result is None:
                    continue
                if result.status == ExecStatus.PIPELINE_SYNC:
                    # Here, as who is cancelled at this very moment goes no further, and the connection is kept.
                    self.pgconn.exit_pipeline_mode()
                    answer.set_result(results)
                    return
                results.append(result)
            loop.add_reader(self.pgconn.socket, self._receive, loop, answer, results)
        except psycopg.Error as error:
            answer.set_exception(error)


@lru_cache
def in_numbers(statement: str) -> tuple[str, list[str]]:
    """A statement in PostgreSQL's own words, and the names that its numbers had in psycopg's."""
    names = list(dict.fromkeys(NAMED.findall(statement)))
    return NAMED.sub(lambda found: f"${names.index(found[1]) + 1}", statement), names


def _flushed(connection: HotConnection) -> Generator[Wait, Ready | int, None]:
    """More than the socket takes at once; PostgreSQL may say something before it has all of it."""
    while connection.pgconn.flush():
        if (yield Wait.RW) & Ready.R:
            connection.pgconn.consume_input()
