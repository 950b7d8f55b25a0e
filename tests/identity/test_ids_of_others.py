"""To a person, every id of somebody else answers like one that does not exist, to the byte, and nothing changes."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from google.protobuf.message_factory import GetMessageClass

from identity_service.server import SERVICES
from tenantry.testing.pair import Pair
from tenantry.testing.people import People, TestPerson
from tests.calls import outcome
from tests.tenancy.test_cross_tenant import id_fields, put

METHODS = {f"{service.full_name}/{method.name}": method for service in SERVICES for method in service.methods}
# An external id is another system's, and for services only.
FIELDS = [
    (rpc, path) for rpc, method in METHODS.items() for path in id_fields(method.input_type) if path[-1] != "external_id"
]
ROWS_OF = """SELECT (SELECT u::text FROM users u WHERE user_id = %(user)s),
                    (SELECT string_agg(sid, ' ' ORDER BY sid) FROM session WHERE user_id = %(user)s::text)"""


async def rows_of(pair: Pair, person: TestPerson) -> tuple[Any, ...] | None:
    async with await psycopg.AsyncConnection.connect(pair.identity.database_url) as connection:
        return await (await connection.execute(ROWS_OF, {"user": person.user_id})).fetchone()


def test_there_are_ids_to_try() -> None:
    assert {path[-1] for _, path in FIELDS} == {"user_id", "session_id"}


@pytest.mark.parametrize(("rpc", "path"), FIELDS, ids=[f"{rpc.partition('/')[2]}.{'.'.join(p)}" for rpc, p in FIELDS])
async def test_an_id_of_others_is_like_one_that_does_not_exist(
    pair: Pair, people: People, rpc: str, path: tuple[str, ...]
) -> None:
    ada, bo = await people.persons(2)
    request_type, response_type = METHODS[rpc].input_type, METHODS[rpc].output_type
    call: Any = pair.identity.channel.unary_unary(
        f"/{rpc}",
        request_serializer=GetMessageClass(request_type).SerializeToString,
        response_deserializer=GetMessageClass(response_type).FromString,
    )

    async def answer(value: str) -> bytes:
        request: Any = GetMessageClass(request_type)()
        if "user" in request_type.fields_by_name:
            request.user.display_name = "Bo, by Ada"
        put(request, path, value)
        if path == ("user_id",) and "session_id" in request_type.fields_by_name:
            request.session_id = bo.session_id
        return await outcome(call(request, metadata=ada.metadata))

    before = await rows_of(pair, bo)
    theirs = {"user_id": bo.user_id, "session_id": bo.session_id}[path[-1]]
    hidden, absent = await answer(theirs), await answer(str(uuid4()))
    assert hidden == absent
    assert theirs.encode() not in hidden
    assert await rows_of(pair, bo) == before
    assert before is not None
    assert None not in before
