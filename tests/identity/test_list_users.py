"""Listing and looking up accounts: pages without doubles or gaps, filters, and what is refused."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import psycopg
import pytest

from protos.identity.v1.users_pb2 import (
    USER_STATE_DELETED,
    DeleteUserRequest,
    ListUsersRequest,
    LookUpUserRequest,
    User,
)
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.reasons import Reason
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Service, identity_settings, running_identity
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails
from tests.identity.accounts import address, created, get

COUNT = 3000
# Many at the same time, so that pages end among equals; suspended and deleted ones between them.
FILL = f"""
INSERT INTO users (user_id, email, email_key, display_name, state, create_time, delete_time, public_metadata)
SELECT gen_random_uuid(), 'Ada.' || n || '@example.com', 'ada.' || n || '@example.com', '',
       CASE WHEN n % 100 = 1 THEN 'SUSPENDED' WHEN n % 100 = 2 THEN 'DELETED' ELSE 'ACTIVE' END,
       timestamptz '2026-01-01Z' + n / 40 * interval '1 minute',
       CASE WHEN n % 100 = 2 THEN now() END,
       CASE WHEN n < 500 THEN jsonb_build_object('x', repeat('x', 8000)) ELSE '{{}}' END
  FROM generate_series(0, {COUNT - 1}) AS n"""


@pytest.fixture(scope="module")
async def service(databases: Databases) -> AsyncIterator[Service]:
    """With no other accounts than these."""
    url = databases.service_url("identity", databases.copy("identity"))
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as rows:
        await rows.execute(FILL.encode())
    async with running_identity(identity_settings(url)) as running:
        yield running


@pytest.fixture
def many(service: Service) -> UserServiceStub:
    return UserServiceStub(service.channel)


async def everything(users: UserServiceStub, **asked: object) -> list[User]:
    found: list[User] = []
    token = ""
    while True:
        request = ListUsersRequest(page_token=token, **asked)  # type: ignore[arg-type]
        answer = await users.ListUsers(request, metadata=AS_OPERATOR)
        found += answer.users
        token = answer.next_page_token
        if not token:
            return found


def numbers(found: list[User]) -> list[int]:
    return [int(user.email.split(".")[1].split("@")[0]) for user in found]


@pytest.mark.parametrize("size", [1000, 7])
async def test_pages_hold_everybody_once_oldest_first(many: UserServiceStub, size: int) -> None:
    asked = {} if size > 100 else {"filter": "create_time < 2026-01-01T00:10:00Z"}
    found = await everything(many, page_size=size, **asked)
    keys = [(user.create_time.ToNanoseconds(), user.user_id) for user in found]
    assert keys == sorted(keys)
    most = COUNT if size > 100 else 400
    assert sorted(numbers(found)) == [n for n in range(most) if n % 100 != 2]


async def test_a_page_is_shorter_where_accounts_are_large(many: UserServiceStub) -> None:
    answer = await many.ListUsers(ListUsersRequest(page_size=1000), metadata=AS_OPERATOR)
    assert 200 < len(answer.users) < 300
    assert answer.ByteSize() < 2**21 + 2**10
    assert answer.next_page_token


async def test_pages_hold_who_was_there_all_the_time_though_others_come_and_go(
    users: UserServiceStub, people: People
) -> None:
    staying, going = await people.persons(200), await people.persons(50)
    begin = (await get(users, staying[0].user_id)).create_time.ToJsonString()

    async def come_and_go() -> None:
        for person in going:
            await users.DeleteUser(DeleteUserRequest(user_id=person.user_id), metadata=AS_OPERATOR)
            await created(users)

    changing = asyncio.ensure_future(come_and_go())
    rounds, done = 0, False
    while not done:
        done = changing.done()
        found = [user.user_id for user in await everything(users, page_size=20, filter=f"create_time >= {begin}")]
        assert len(found) == len(set(found))
        assert {person.user_id for person in staying} <= set(found)
        rounds += 1
    await changing
    assert rounds > 2
    assert not {person.user_id for person in going} & set(found)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("email = ADA.77@Example.com", {77}),
        ("email = ada.77*", {77, *range(770, 780)}),
        ("email = ada_77*", set()),
        ('email = "ada.%"', set()),
        ("email = nobody@example.com", set()),
        ("state = SUSPENDED", set(range(1, COUNT, 100))),
        ("state = DELETED", set()),
        ("create_time < 2026-01-01T00:01:00Z", set(range(40)) - {2}),
        ('create_time >= "2026-01-01T02:14:00+01:00"', set(range(74 * 40, COUNT)) - {2902}),
        ("create_time = 2026-01-01T00:01:00Z", set(range(40, 80))),
        ("state = SUSPENDED AND email = ada.1*", {1, 101, *range(1001, 2000, 100)}),
        ("email = ada.5@example.com OR email = ada.6@example.com state = ACTIVE", {5, 6}),
        ("create_time < 2026-01-01T00:01:00Z -state = ACTIVE", {1}),
    ],
)
async def test_what_a_filter_finds(many: UserServiceStub, written: str, expected: set[int]) -> None:
    found = await everything(many, filter=written, page_size=20)
    assert sorted(numbers(found)) == sorted(expected)


async def test_deleted_accounts_are_shown_when_asked_for(many: UserServiceStub) -> None:
    found = await everything(many, filter="state = DELETED", show_deleted=True)
    assert sorted(numbers(found)) == list(range(2, COUNT, 100))
    assert {user.state for user in found} == {USER_STATE_DELETED}
    found = await everything(many, filter="email = ada.2@example.com", show_deleted=True)
    assert numbers(found) == [2]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (ListUsersRequest(page_size=-1), "page_size"),
        (ListUsersRequest(filter="password_hash = x"), "filter"),
        (ListUsersRequest(filter="state = secret"), "filter"),
        (ListUsersRequest(filter="email < a"), "filter"),
        (ListUsersRequest(filter="create_time > 2026-01-31T00:00:00"), "filter"),
        (ListUsersRequest(filter="email = 'a\0b'"), "filter"),
        (ListUsersRequest(filter="x" * 1001), "filter"),
        (ListUsersRequest(page_token="x"), "page_token"),
    ],
)
async def test_what_cannot_be_listed(users: UserServiceStub, request_: ListUsersRequest, field: str) -> None:
    async with fails(Reason.BAD_REQUEST) as failure:
        await users.ListUsers(request_, metadata=AS_OPERATOR)
    assert set(failure.fields) == {field}
    assert "secret" not in failure.message


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00.123456789Z"]
)
async def test_the_earliest_and_latest_times_can_be_asked_for(users: UserServiceStub, time: str) -> None:
    await users.ListUsers(ListUsersRequest(filter=f"create_time = {time}"), metadata=AS_OPERATOR)


async def test_a_page_token_is_for_the_same_question_only(many: UserServiceStub) -> None:
    token = (await many.ListUsers(ListUsersRequest(page_size=1), metadata=AS_OPERATOR)).next_page_token
    for other in (ListUsersRequest(filter="state = ACTIVE"), ListUsersRequest(show_deleted=True)):
        other.page_token = token
        async with fails(Reason.BAD_REQUEST) as failure:
            await many.ListUsers(other, metadata=AS_OPERATOR)
        assert set(failure.fields) == {"page_token"}


async def test_people_list_and_look_up_nobody(users: UserServiceStub, people: People) -> None:
    ada = await people.person("ada")
    async with fails(Reason.SERVICE_KEY_REQUIRED):
        await users.ListUsers(ListUsersRequest(), metadata=ada.metadata)
    async with fails(Reason.SERVICE_KEY_REQUIRED):
        await users.LookUpUser(LookUpUserRequest(email=ada.email), metadata=ada.metadata)


async def test_an_account_is_found_by_its_address_in_any_case_and_by_its_external_id(users: UserServiceStub) -> None:
    user = await created(users, email=(email := address("Ada")), external_id=(external_id := f"auth0|{uuid4().hex}"))
    for request in (LookUpUserRequest(email=email.upper()), LookUpUserRequest(external_id=external_id)):
        assert (await users.LookUpUser(request, metadata=AS_OPERATOR)).user == user


@pytest.mark.parametrize(
    "request_", [LookUpUserRequest(email=address("nobody")), LookUpUserRequest(external_id="nobody")]
)
async def test_who_is_not_there_is_not_found(users: UserServiceStub, request_: LookUpUserRequest) -> None:
    async with fails(Reason.USER_NOT_FOUND):
        await users.LookUpUser(request_, metadata=AS_OPERATOR)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (LookUpUserRequest(), "key"),
        (LookUpUserRequest(email=""), "email"),
        (LookUpUserRequest(email="ada"), "email"),
        (LookUpUserRequest(external_id=""), "key"),
        (LookUpUserRequest(external_id="a\0b"), "external_id"),
        (LookUpUserRequest(external_id="x" * 201), "external_id"),
    ],
)
async def test_what_cannot_be_looked_up(users: UserServiceStub, request_: LookUpUserRequest, field: str) -> None:
    async with fails(Reason.BAD_REQUEST) as failure:
        await users.LookUpUser(request_, metadata=AS_OPERATOR)
    assert set(failure.fields) == {field}
