"""Accounts: creating, reading and changing them, and who may."""

import asyncio
from uuid import UUID, uuid4

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from protos.identity.v1 import sessions_pb2, users_pb2
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.reasons import Reason
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails, outcome
from tests.identity.accounts import DELETE, PASSWORD, address, audit_of, created, events_of
from tests.identity.conftest import Rows


async def test_creating_makes_an_account(users: UserServiceStub) -> None:
    email = address("Ada.Lovelace")
    user = await created(users, email=email, password=PASSWORD, display_name=" Ada ")
    assert UUID(user.user_id).version == 7
    assert (user.email, user.display_name, user.etag) == (email, "Ada", "1")
    assert user.state == users_pb2.USER_STATE_ACTIVE
    assert user.create_time == user.update_time
    assert user.create_time.seconds > 1_700_000_000


async def test_an_address_is_taken_in_any_case(users: UserServiceStub) -> None:
    email = address("ada")
    await created(users, email=email)
    async with fails(Reason.EMAIL_TAKEN):
        await created(users, email=email.upper())


async def test_all_bad_fields_are_named_at_once_with_their_limits(users: UserServiceStub) -> None:
    request = users_pb2.CreateUserRequest(email="nobody", password="short one", display_name="x" * 101, request_id="7")
    async with fails(Reason.BAD_REQUEST) as failure:
        await users.CreateUser(request, metadata=AS_OPERATOR)
    assert set(failure.fields) == {"email", "password", "display_name", "request_id"}
    assert failure.fields["password"] == "9 characters, at least 15 without a second factor"
    assert "nobody" not in failure.message
    assert "short one" not in failure.message


async def test_fifteen_characters_are_enough_for_a_password(users: UserServiceStub) -> None:
    async with fails(Reason.BAD_REQUEST):
        await created(users, password="éàü tulip orbi")
    await created(users, password="éàü tulip orbit")


async def test_the_password_is_stored_as_argon2id_only(users: UserServiceStub, rows: Rows) -> None:
    user = await created(users, password=PASSWORD)
    stored = await (await rows.execute("SELECT * FROM users WHERE user_id = %s", (user.user_id,))).fetchone()
    assert stored is not None
    assert any(str(value).startswith("$argon2id$v=19$m=19456,t=2,p=1$") for value in stored)
    assert PASSWORD not in repr(stored)


async def test_a_person_reads_their_own_account(users: UserServiceStub, people: People) -> None:
    ada = await people.person("ada")
    for request in (users_pb2.GetUserRequest(), users_pb2.GetUserRequest(user_id=ada.user_id)):
        assert (await users.GetUser(request, metadata=ada.metadata)).user.email == ada.email


async def test_without_a_session_or_key_nothing_is_read(users: UserServiceStub, people: People) -> None:
    ada = await people.person("ada")
    async with fails(Reason.SESSION_REQUIRED):
        await users.GetUser(users_pb2.GetUserRequest(user_id=ada.user_id))


async def test_another_account_looks_like_none_to_a_person(users: UserServiceStub, people: People) -> None:
    ada, bo = await people.persons(2)
    user = users_pb2.User(display_name="Eve", etag="7")

    def calls(user_id: str) -> list[object]:
        user.user_id = user_id
        return [
            users.GetUser(users_pb2.GetUserRequest(user_id=user_id), metadata=ada.metadata),
            users.UpdateUser(users_pb2.UpdateUserRequest(user=user), metadata=ada.metadata),
            users.DeleteUser(users_pb2.DeleteUserRequest(user_id=user_id, etag="7"), metadata=ada.metadata),
        ]

    of_bo = [await outcome(call) for call in calls(bo.user_id)]  # type: ignore[arg-type]
    of_nobody = [await outcome(call) for call in calls(str(uuid4()))]  # type: ignore[arg-type]
    assert of_bo == of_nobody
    assert all(b"PERMISSION_DENIED" in seen for seen in of_bo)
    assert (await users.GetUser(users_pb2.GetUserRequest(), metadata=bo.metadata)).user.display_name == "person"


async def test_a_service_reads_anybody_and_is_told_who_is_missing(users: UserServiceStub, people: People) -> None:
    ada = await people.person("ada")
    request = users_pb2.GetUserRequest(user_id=ada.user_id)
    assert (await users.GetUser(request, metadata=AS_OPERATOR)).user.email == ada.email
    async with fails(Reason.USER_NOT_FOUND):
        await users.GetUser(users_pb2.GetUserRequest(user_id=str(uuid4())), metadata=AS_OPERATOR)


async def test_a_service_names_the_user(users: UserServiceStub) -> None:
    async with fails(Reason.BAD_REQUEST) as failure:
        await users.GetUser(users_pb2.GetUserRequest(), metadata=AS_OPERATOR)
    assert set(failure.fields) == {"user_id"}
    request = users_pb2.UpdateUserRequest(user=users_pb2.User(display_name="x"))
    async with fails(Reason.BAD_REQUEST) as failure:
        await users.UpdateUser(request, metadata=AS_OPERATOR)
    assert set(failure.fields) == {"user.user_id"}


async def test_an_update_changes_the_name_and_the_etag(users: UserServiceStub, people: People) -> None:
    ada = await people.person("ada")
    before = (await users.GetUser(users_pb2.GetUserRequest(), metadata=ada.metadata)).user
    change = users_pb2.User(display_name="Ada L.", etag=before.etag)
    after = (await users.UpdateUser(users_pb2.UpdateUserRequest(user=change), metadata=ada.metadata)).user
    assert after.display_name == "Ada L."
    assert after.etag != before.etag
    assert after.update_time.ToNanoseconds() > before.update_time.ToNanoseconds()
    assert after == (await users.GetUser(users_pb2.GetUserRequest(), metadata=ada.metadata)).user


async def test_a_stale_etag_changes_nothing(users: UserServiceStub, people: People) -> None:
    ada = await people.person("ada")
    stale = users_pb2.UpdateUserRequest(user=users_pb2.User(display_name="Eve", etag="0"))
    async with fails(Reason.ETAG_MISMATCH):
        await users.UpdateUser(stale, metadata=ada.metadata)
    async with fails(Reason.ETAG_MISMATCH):
        await users.DeleteUser(users_pb2.DeleteUserRequest(etag="0"), metadata=ada.metadata)
    user = (await users.GetUser(users_pb2.GetUserRequest(), metadata=ada.metadata)).user
    assert (user.display_name, user.etag) == ("ada", "1")


@pytest.mark.parametrize(
    "path",
    ["email", "user_id", "state", "etag", "password_hash", "create_time", "external_id", "public_metadata",
     "private_metadata", "has_second_factor", "public_metadata.plan", "*"],
)  # fmt: skip
async def test_a_person_updates_their_display_name_only(users: UserServiceStub, people: People, path: str) -> None:
    ada = await people.person("ada")
    request = users_pb2.UpdateUserRequest(
        user=users_pb2.User(email="eve@example.com"), update_mask=FieldMask(paths=[path])
    )
    async with fails(Reason.BAD_REQUEST) as failure:
        await users.UpdateUser(request, metadata=ada.metadata)
    assert failure.fields == {"update_mask": "only display_name can be updated"}
    if path not in ("external_id", "public_metadata", "private_metadata"):
        request.user.user_id = ada.user_id
        async with fails(Reason.BAD_REQUEST) as failure:
            await users.UpdateUser(request, metadata=AS_OPERATOR)
        assert set(failure.fields) == {"update_mask"}


async def test_only_the_named_fields_change(users: UserServiceStub, rows: Rows) -> None:
    user = await created(users, display_name="Ada", external_id=(external_id := uuid4().hex))
    change = users_pb2.User(user_id=user.user_id, display_name="Eve", external_id=f"{external_id}-2")
    request = users_pb2.UpdateUserRequest(user=change, update_mask=FieldMask(paths=["external_id"]))
    after = (await users.UpdateUser(request, metadata=AS_OPERATOR)).user
    assert (after.display_name, after.external_id) == ("Ada", f"{external_id}-2")
    # What is not named is not even looked at.
    change.public_metadata.update({"x": "x" * 9000})
    request = users_pb2.UpdateUserRequest(user=change, update_mask=FieldMask(paths=["display_name"]))
    after = (await users.UpdateUser(request, metadata=AS_OPERATOR)).user
    assert (after.display_name, dict(after.public_metadata)) == ("Eve", {})
    assert await events_of(rows, user.user_id) == ["USER_CREATED", "USER_UPDATED", "USER_UPDATED"]
    assert [action for action, _ in await audit_of(rows, user.user_id)] == await events_of(rows, user.user_id)


async def test_an_external_id_belongs_to_one_account(users: UserServiceStub) -> None:
    ada, bo = await created(users, external_id=(external_id := uuid4().hex)), await created(users)
    async with fails(Reason.EXTERNAL_ID_TAKEN):
        await created(users, external_id=external_id)
    request = users_pb2.UpdateUserRequest(user=users_pb2.User(user_id=bo.user_id, external_id=external_id))
    async with fails(Reason.EXTERNAL_ID_TAKEN):
        await users.UpdateUser(request, metadata=AS_OPERATOR)
    none = users_pb2.UpdateUserRequest(
        user=users_pb2.User(user_id=ada.user_id), update_mask=FieldMask(paths=["external_id"])
    )
    assert (await users.UpdateUser(none, metadata=AS_OPERATOR)).user.external_id == ""
    assert (await users.UpdateUser(request, metadata=AS_OPERATOR)).user.external_id == external_id
    # Any number may have none.
    assert {(await created(users)).external_id for _ in range(2)} == {""}


async def test_a_service_vouches_for_an_address_or_does_not(users: UserServiceStub) -> None:
    verified, unverified = await created(users, email_verified=True), await created(users)
    assert verified.email_verified_time == verified.create_time
    assert not unverified.HasField("email_verified_time")


async def test_without_a_password_nobody_signs_in(users: UserServiceStub, sessions: SessionServiceStub) -> None:
    user = await created(users)
    for password in ("", PASSWORD):
        async with fails(Reason.SIGN_IN_FAILED):
            await sessions.CreateSession(sessions_pb2.CreateSessionRequest(email=user.email, password=password))


async def test_what_was_done_to_an_account_is_written_down(users: UserServiceStub, rows: Rows) -> None:
    user = await created(users, display_name="Ada")
    assert await events_of(rows, user.user_id) == ["USER_CREATED"]
    assert await audit_of(rows, user.user_id) == [("USER_CREATED", "operator")]


async def test_a_mask_can_empty_the_name(users: UserServiceStub, people: People) -> None:
    ada = await people.person("ada")
    request = users_pb2.UpdateUserRequest(update_mask=FieldMask(paths=["display_name"]))
    assert (await users.UpdateUser(request, metadata=ada.metadata)).user.display_name == ""


async def test_a_batch_is_answered_in_the_order_asked(users: UserServiceStub, people: People) -> None:
    asked = [person.user_id for person in reversed(await people.persons(5))]
    request = users_pb2.BatchGetUsersRequest(user_ids=[asked[0], str(uuid4()), *asked[1:], asked[0]])
    found = (await users.BatchGetUsers(request, metadata=AS_OPERATOR)).users
    assert [user.user_id for user in found] == [*asked, asked[0]]


@pytest.mark.parametrize("count", [0, 1001])
async def test_a_batch_holds_1_to_1000_ids(users: UserServiceStub, count: int) -> None:
    request = users_pb2.BatchGetUsersRequest(user_ids=[str(uuid4())] * count)
    async with fails(Reason.BAD_REQUEST):
        await users.BatchGetUsers(request, metadata=AS_OPERATOR)


async def test_a_batch_leaves_out_the_deleted(users: UserServiceStub, people: People, rows: Rows) -> None:
    ada, bo = await people.persons(2)
    await rows.execute(DELETE, ([ada.user_id],))
    request = users_pb2.BatchGetUsersRequest(user_ids=[ada.user_id, bo.user_id])
    found = (await users.BatchGetUsers(request, metadata=AS_OPERATOR)).users
    assert [user.user_id for user in found] == [bo.user_id]


async def test_batches_are_for_services(users: UserServiceStub, people: People) -> None:
    ada = await people.person("ada")
    async with fails(Reason.SERVICE_KEY_REQUIRED):
        await users.BatchGetUsers(users_pb2.BatchGetUsersRequest(user_ids=[ada.user_id]), metadata=ada.metadata)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("state = 'SUSPENDED'", b"SIGN_IN_FAILED"),
        ("password_hash = 'another'", b"CONFLICT"),
        ("has_second_factor = true", b"CONFLICT"),
    ],
    ids=["suspended", "with another password", "with a second factor"],
)
async def test_a_sign_in_sees_what_has_become_of_the_user_while_the_password_was_checked(
    users: UserServiceStub, sessions: SessionServiceStub, rows: Rows, change: str, reason: bytes
) -> None:
    user = await created(users, password=PASSWORD)
    sign_in = sessions_pb2.CreateSessionRequest(email=user.email, password=PASSWORD)
    async with rows.transaction():
        await rows.execute(f"UPDATE users SET {change} WHERE user_id = %s", (user.user_id,))
        signing_in = asyncio.ensure_future(outcome(sessions.CreateSession(sign_in)))
        await asyncio.wait({signing_in}, timeout=0.15)
        assert not signing_in.done()
    assert reason in await signing_in
    for left in ("session WHERE user_id = %s", "known_devices WHERE user_id = %s::uuid"):
        assert not await (await rows.execute(f"SELECT FROM {left}", (user.user_id,))).fetchall()
