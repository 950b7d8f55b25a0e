"""What StreamEvents tells: the events of each RPC, snapshots, and whom."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.struct_pb2 import Struct

from protos.identity.v1 import events_pb2 as pb
from protos.identity.v1 import sessions_pb2, users_pb2
from protos.identity.v1.events_pb2_grpc import EventServiceStub
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.reasons import Reason
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails
from tests.event_reading import Alone, identity_alone, next_of, take

# All that a snapshot may hold, and 250 accounts are more than two of its pages.
ACCOUNTS = """INSERT INTO users (user_id, email, email_key, display_name, state, delete_time, private_metadata)
    SELECT gen_random_uuid(), n || '@example.com', n || '@example.com', 'n' || n,
           (ARRAY['ACTIVE', 'SUSPENDED', 'DELETED'])[1 + n %% 3],
           CASE n %% 3 WHEN 2 THEN now() END, '{"plan": "secret"}'
      FROM generate_series(1, %s) n"""


@pytest.fixture(scope="module")
async def alone(databases: Databases) -> AsyncIterator[Alone]:
    async with identity_alone(databases) as running:
        yield running


@pytest.fixture
async def following(pair: Pair) -> AsyncIterator[Any]:
    """A stream of the pair that everybody shares; what others do comes with it."""
    stream = EventServiceStub(pair.identity.channel).StreamEvents(pb.StreamEventsRequest(), metadata=AS_OPERATOR)
    await next_of(stream)
    yield stream
    stream.cancel()


async def of_user(stream: Any, user_id: str, count: int) -> list[pb.Event]:
    found: list[pb.Event] = []
    while len(found) < count:
        [message] = await take(stream, 1)
        if message.event.user_id == user_id:
            found.append(message.event)
    return found


async def test_an_account_that_is_made_and_changed_is_told_as_it_is_then(
    following: Any, users: UserServiceStub
) -> None:
    private = Struct()
    private.update({"plan": "secret"})
    request = users_pb2.CreateUserRequest(email=f"ada.{uuid4().hex}@example.com", private_metadata=private)
    made = (await users.CreateUser(request, metadata=AS_OPERATOR)).user
    change = users_pb2.UpdateUserRequest(user=users_pb2.User(user_id=made.user_id, display_name="Ada"))
    changed = (await users.UpdateUser(change, metadata=AS_OPERATOR)).user
    events = await of_user(following, made.user_id, 2)
    assert [event.type for event in events] == [pb.EVENT_TYPE_USER_CREATED, pb.EVENT_TYPE_USER_UPDATED]
    for event, user in zip(events, (made, changed), strict=True):
        user.ClearField("private_metadata")
        assert event.user == user
        assert event.create_time == user.update_time
        assert event.session_id == ""
    assert events[0].event_id != events[1].event_id


async def test_each_session_that_ends_is_told(following: Any, people: People, sessions: SessionServiceStub) -> None:
    ada = await people.person("ada")
    others = [await people.session(ada) for _ in range(3)]
    revoke = sessions_pb2.RevokeSessionRequest(session_id=others[0].session_id)
    await sessions.RevokeSession(revoke, metadata=ada.metadata)
    await sessions.RevokeSession(revoke, metadata=ada.metadata)  # nothing is left to end, and nothing is told
    await sessions.RevokeOtherSessions(sessions_pb2.RevokeOtherSessionsRequest(), metadata=ada.metadata)
    request = sessions_pb2.RevokeUserSessionsRequest(user_id=ada.user_id)
    await sessions.RevokeUserSessions(request, metadata=AS_OPERATOR)
    events = await of_user(following, ada.user_id, 4)
    assert {event.type for event in events} == {pb.EVENT_TYPE_SESSION_ENDED}
    assert [event.session_id for event in events] == [
        others[0].session_id,
        *sorted((others[1].session_id, others[2].session_id), key=[e.session_id for e in events].index),
        ada.session_id,
    ]
    assert not any(event.HasField("user") for event in events)


async def test_only_services_may_follow(pair: Pair, people: People) -> None:
    ada = await people.person("ada")
    stub = EventServiceStub(pair.identity.channel)
    for metadata in ((), ada.metadata):
        async with fails(Reason.SERVICE_KEY_REQUIRED):
            await next_of(stub.StreamEvents(pb.StreamEventsRequest(), metadata=metadata))


async def read_snapshot(stream: Any) -> tuple[list[users_pb2.User], str]:
    """Its accounts, and the cursor after it."""
    accounts: list[users_pb2.User] = []
    while True:
        message = await next_of(stream)
        if message.HasField("heartbeat"):
            return accounts, message.cursor
        assert message.HasField("snapshot_user")
        accounts.append(message.snapshot_user)


async def test_a_snapshot_has_every_account_that_is_not_deleted_and_can_be_resumed(alone: Alone) -> None:
    async with await alone.connect() as connection:
        await connection.execute(ACCOUNTS, (375,))
        await connection.commit()
        rows = await connection.execute("SELECT user_id::text, email, state FROM users WHERE state <> 'DELETED'")
        expected = {row[0]: (row[1], row[2]) for row in await rows.fetchall()}
    stream = alone.start(snapshot=True)
    accounts, after = await read_snapshot(stream)
    states = {1: "ACTIVE", 2: "SUSPENDED"}
    assert {user.user_id: (user.email, states[user.state]) for user in accounts} == expected
    assert len(accounts) == len(expected)
    assert not any(user.HasField("private_metadata") for user in accounts)
    [written] = await alone.write()
    assert [message.event.event_id for message in await take(stream, 1)] == [written]
    stream.cancel()
    # From the cursor of any account the rest follows, then the end, then the events since the beginning.
    stream = alone.start(snapshot=True)
    messages = [await next_of(stream) for _ in range(len(accounts))]
    stream.cancel()
    for cut in (0, 99, 100, 248, 249):
        stream = alone.start(messages[cut].cursor)
        rest, _ = await read_snapshot(stream)
        assert rest == accounts[cut + 1 :]
        stream.cancel()
    stream = alone.start(after, snapshot=True)  # with a cursor there is no snapshot
    assert [message.event.event_id for message in await take(stream, 1)] == [written]
    stream.cancel()


async def test_a_snapshot_and_what_changes_meanwhile_end_in_what_the_database_holds(databases: Databases) -> None:
    async with identity_alone(databases) as alone:
        users = UserServiceStub(alone.channel)

        async def make(number: int) -> users_pb2.User:
            request = users_pb2.CreateUserRequest(email=f"{number}@example.com")
            return (await users.CreateUser(request, metadata=AS_OPERATOR)).user

        made = [await make(n) for n in range(220)]
        stream = alone.start(snapshot=True)
        state: dict[str, users_pb2.User] = {}

        def apply(user: users_pb2.User) -> None:
            known = state.get(user.user_id)
            if known is None or int(user.etag) > int(known.etag):
                state[user.user_id] = user

        for _ in range(50):
            apply((await next_of(stream)).snapshot_user)
        # Some that were read already, some that wait in a page, some of the next, and new ones.
        for user in (*made[:5], *made[60:65], *made[-5:]):
            changed = users_pb2.User(user_id=user.user_id, display_name="changed")
            await users.UpdateUser(users_pb2.UpdateUserRequest(user=changed), metadata=AS_OPERATOR)
        last = (await asyncio.gather(*(make(n) for n in range(220, 230))))[-1]
        goal = users_pb2.UpdateUserRequest(user=users_pb2.User(user_id=last.user_id, display_name="the last"))
        goal_event = (await users.UpdateUser(goal, metadata=AS_OPERATOR)).user
        while (message := await next_of(stream)).event.user != goal_event:
            if message.HasField("event") or message.HasField("snapshot_user"):
                apply(message.event.user if message.HasField("event") else message.snapshot_user)
        apply(message.event.user)
        stream.cancel()
        async with await alone.connect() as connection:
            rows = await connection.execute("SELECT user_id::text, version::text, display_name FROM users")
            expected = sorted(await rows.fetchall())
        assert sorted((user.user_id, user.etag, user.display_name) for user in state.values()) == expected
