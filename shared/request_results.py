"""Idempotency: the first response to a `request_id`, kept for its repeats (AIP-155).

The row is written in the transaction of the effect, so there is never one without the other. A repeat
under way waits for the first by the table's primary key.
"""

import hashlib
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy import Column, ColumnElement, Index, LargeBinary, MetaData, Table, Text, Uuid, func, select, text
from sqlalchemy.dialects.postgresql import insert

from shared.caller import Caller
from shared.database import Database, Tx
from shared.errors import ServiceError
from shared.reasons import Reason
from shared.schema import by_database_clock

Response = TypeVar("Response", bound=Message)


def request_results_table(metadata: MetaData) -> Table:
    """The same table in both services; rows are of use for 24 hours."""
    return Table(
        "request_results",
        metadata,
        Column("caller", Text, primary_key=True),
        Column("method", Text, primary_key=True),
        Column("request_id", Uuid, primary_key=True),
        Column("fingerprint", LargeBinary, nullable=False),
        Column("response", LargeBinary),
        by_database_clock("create_time"),
        Index("ix_request_results_create_time", "create_time"),
    )


def no_longer_needed(table: Table) -> ColumnElement[bool]:
    return table.c.create_time < func.now() - text("interval '24 hours'")


class RequestResults:
    def __init__(self, database: Database, table: Table) -> None:
        self._database, self._table = database, table

    async def answer_once(
        self,
        caller: Caller,
        request_id: UUID | None,
        request: Message,
        response_type: type[Response],
        work: Callable[[Tx], Awaitable[Response]],
        *,
        secret_fields: tuple[str, ...] = (),
    ) -> Response:
        """Do `work` in a transaction, once for each request_id; a repeat gets the stored response.

        `secret_fields` are left out of the stored fingerprint: a fast hash of a password must not lie about.
        """
        async with self._database.transaction() as tx:
            if request_id is None:
                return await work(tx)
            key = {
                "caller": str(caller.person.user_id) if caller.person else caller.service or "",
                "method": request.DESCRIPTOR.full_name,
                "request_id": request_id,
            }
            first = await self._first_response(tx, key, fingerprint(request, secret_fields))
            if first is not None:
                return response_type.FromString(first)
            response = await work(tx)
            mine = [self._table.c[name] == value for name, value in key.items()]
            await tx.execute(self._table.update().where(*mine).values(response=response.SerializeToString()))
            return response

    async def _first_response(self, tx: Tx, key: dict[str, object], print_: bytes) -> bytes | None:
        """None if this request is the first; then its row is there, without a response yet."""
        t = self._table
        claim = insert(t).values(**key, fingerprint=print_)
        claim = claim.on_conflict_do_update(
            index_elements=[t.c.caller, t.c.method, t.c.request_id],
            set_={"fingerprint": print_, "response": None, "create_time": func.now()},
            where=no_longer_needed(t),
        )
        if (await tx.execute(claim.returning(t.c.request_id))).first() is not None:
            return None
        mine = [t.c[name] == value for name, value in key.items()]
        row = (await tx.execute(select(t.c.fingerprint, t.c.response).where(*mine))).one()
        if row.fingerprint != print_:
            raise ServiceError(Reason.REQUEST_ID_REUSED)
        return bytes(row.response)


def fingerprint(request: Message, secret_fields: tuple[str, ...]) -> bytes:
    told = type(request)()
    told.CopyFrom(request)
    for name in secret_fields:
        told.ClearField(name)
    return hashlib.sha256(told.SerializeToString(deterministic=True)).digest()
