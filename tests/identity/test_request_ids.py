"""Idempotency of creating and changing accounts: one effect for each request_id."""

import asyncio
from typing import Any
from uuid import uuid4

import grpc
import pytest

from protos.identity.v1 import users_pb2 as pb
from protos.identity.v1.users_pb2 import CreateUserRequest, User
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.reasons import Reason
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails, outcome, read
from tests.identity.accounts import DELETE, events_of
from tests.identity.conftest import Rows


def request() -> CreateUserRequest:
    return CreateUserRequest(
        email=f"ada.{uuid4().hex[:8]}@example.com",
        password="tulip orbit canyon",
        display_name="Ada",
        request_id=str(uuid4()),
    )


async def count(rows: Rows, asked: CreateUserRequest) -> int:
    query = "SELECT count(*) FROM users WHERE email_key = %s"
    row = await (await rows.execute(query, (asked.email,))).fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
async def signed_up(users: UserServiceStub) -> tuple[CreateUserRequest, User]:
    asked = request()
    return asked, (await users.CreateUser(asked, metadata=AS_OPERATOR)).user


async def patiently(users: UserServiceStub, asked: CreateUserRequest) -> User:
    """As a client does: HASHING_BUSY is tried again after the time in RetryInfo."""
    while True:
        try:
            return (await users.CreateUser(asked, metadata=AS_OPERATOR)).user
        except grpc.aio.AioRpcError as error:
            failure = read(error)
            assert failure.reason == "HASHING_BUSY"
            assert failure.retry_after is not None
            await asyncio.sleep(failure.retry_after)


async def test_fifty_at_once_make_one_account(users: UserServiceStub, rows: Rows) -> None:
    asked = request()
    answers = await asyncio.gather(*(patiently(users, asked) for _ in range(50)))
    assert all(answer == answers[0] for answer in answers)
    assert await count(rows, asked) == 1


async def test_a_repeat_gets_the_first_answer(
    users: UserServiceStub, signed_up: tuple[CreateUserRequest, User]
) -> None:
    asked, first = signed_up
    assert (await users.CreateUser(asked, metadata=AS_OPERATOR)).user == first


async def test_a_request_id_serves_one_content_only(
    users: UserServiceStub, signed_up: tuple[CreateUserRequest, User]
) -> None:
    asked, _ = signed_up
    asked.display_name = "Eve"
    async with fails(Reason.REQUEST_ID_REUSED):
        await users.CreateUser(asked, metadata=AS_OPERATOR)


async def test_without_a_request_id_a_repeat_is_a_second_request(
    users: UserServiceStub, signed_up: tuple[CreateUserRequest, User]
) -> None:
    asked, _ = signed_up
    asked.ClearField("request_id")
    async with fails(Reason.EMAIL_TAKEN):
        await users.CreateUser(asked, metadata=AS_OPERATOR)


async def test_a_failure_leaves_the_request_id_free(
    users: UserServiceStub, signed_up: tuple[CreateUserRequest, User]
) -> None:
    taken = request()
    taken.email = signed_up[0].email
    async with fails(Reason.EMAIL_TAKEN):
        await users.CreateUser(taken, metadata=AS_OPERATOR)
    taken.email = request().email
    await users.CreateUser(taken, metadata=AS_OPERATOR)


async def test_a_day_later_the_request_id_is_free(
    users: UserServiceStub, rows: Rows, signed_up: tuple[CreateUserRequest, User]
) -> None:
    asked, first = signed_up
    await rows.execute(
        "UPDATE request_results SET create_time = now() - interval '25 hours' WHERE request_id = %s",
        (asked.request_id,),
    )
    asked.email = request().email
    assert (await users.CreateUser(asked, metadata=AS_OPERATOR)).user.user_id != first.user_id


async def test_what_is_stored_tells_nothing_about_the_password(users: UserServiceStub, rows: Rows) -> None:
    """A repeat with another password is a repeat: no hash of it is kept that could be tried against."""
    asked = request()
    first = (await users.CreateUser(asked, metadata=AS_OPERATOR)).user
    asked.password = "another password here"
    assert (await users.CreateUser(asked, metadata=AS_OPERATOR)).user == first


@pytest.mark.parametrize(
    ("rpc", "asked", "before"),
    [
        ("UpdateUser", pb.UpdateUserRequest(user=User(display_name="Ada L.")), None),
        ("SuspendUser", pb.SuspendUserRequest(etag="1"), None),
        ("ReactivateUser", pb.ReactivateUserRequest(), "UPDATE users SET state = 'SUSPENDED' WHERE user_id = ANY(%s)"),
        ("DeleteUser", pb.DeleteUserRequest(etag="1"), None),
        ("UndeleteUser", pb.UndeleteUserRequest(), DELETE),
    ],
)
async def test_every_change_happens_once_for_each_request_id(
    users: UserServiceStub, people: People, rows: Rows, rpc: str, asked: Any, before: str | None
) -> None:
    ada = await people.person("ada")
    if before:
        await rows.execute(before.encode(), ([ada.user_id],))
    about = asked.user if rpc == "UpdateUser" else asked
    about.user_id, asked.request_id = ada.user_id, str(uuid4())
    call = getattr(users, rpc)
    answers = [await outcome(call(asked, metadata=AS_OPERATOR)) for _ in range(2)]
    answers += await asyncio.gather(*(outcome(call(asked, metadata=AS_OPERATOR)) for _ in range(3)))
    assert answers[0].startswith(b"OK")
    assert set(answers) == {answers[0]}
    assert len([type_ for type_ in await events_of(rows, ada.user_id) if type_.startswith("USER_")]) == 1
    if rpc == "UndeleteUser":
        asked.user_id = str(uuid4())
    else:
        about.etag = "another"
    async with fails(Reason.REQUEST_ID_REUSED):
        await call(asked, metadata=AS_OPERATOR)
