"""Metadata of accounts: what is kept, who sees it, who writes it, and how much it may be."""

from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.struct_pb2 import Struct

from protos.identity.v1.users_pb2 import (
    BatchGetUsersRequest,
    GetUserRequest,
    LookUpUserRequest,
    UpdateUserRequest,
    User,
)
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.reasons import Reason
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails
from tests.identity.accounts import created, get
from tests.identity.conftest import Rows
from tests.matrix import with_key

ALL_KINDS = {
    "plan": "pro", "seats": 5, "rate": 0.1, "negative": -7.25, "large": 1e30, "small": 1e-30, "2 to the 53rd": 2**53,
    "on": True, "off": False, "nothing": None, "empty": "", "list": [1, [2, {"three": [3]}], []], "object": {"a": {}},
    "Zoë 👩‍🚀": "NFC \u00e9, NFD e\u0301, %_\\'\"; DROP TABLE users; --",
}  # fmt: skip


def struct(fields: dict[str, Any]) -> Struct:
    made = Struct()
    made.update(fields)
    return made


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"x": value}
    return value


async def test_every_kind_of_value_comes_back_as_it_was(users: UserServiceStub, rows: Rows) -> None:
    sent = struct(ALL_KINDS)
    user = await created(users, public_metadata=sent, private_metadata=sent)
    read = await get(users, user.user_id)
    assert user.public_metadata == user.private_metadata == read.public_metadata == read.private_metadata == sent
    # A repeat of what was read changes nothing of it.
    request = UpdateUserRequest(user=read, update_mask=FieldMask(paths=["public_metadata"]))
    assert (await users.UpdateUser(request, metadata=AS_OPERATOR)).user.public_metadata == sent
    seats = "SELECT public_metadata -> 'seats' = '5', public_metadata ->> 'seats' FROM users WHERE user_id = %s"
    assert await (await rows.execute(seats, (user.user_id,))).fetchone() == (True, "5")


@pytest.mark.parametrize("fields", [{"x": "x" * 8184}, nested(10), {}])
async def test_what_is_at_the_limits_is_kept(users: UserServiceStub, fields: dict[str, Any]) -> None:
    user = await created(users, private_metadata=struct(fields))
    assert (await get(users, user.user_id)).private_metadata == struct(fields)


@pytest.mark.parametrize("fields", [{"x": "x" * 8185}, nested(11), {"x": "\0"}, {"x": float("inf")}, {"x": 1e31}])
async def test_what_is_beyond_the_limits_is_refused(users: UserServiceStub, fields: dict[str, Any]) -> None:
    for name in ("public_metadata", "private_metadata"):
        async with fails(Reason.BAD_REQUEST) as failure:
            await created(users, **{name: struct(fields)})
        assert set(failure.fields) == {name}
    user = await created(users)
    request = UpdateUserRequest(user=User(user_id=user.user_id, public_metadata=struct(fields)))
    async with fails(Reason.BAD_REQUEST) as failure:
        await users.UpdateUser(request, metadata=AS_OPERATOR)
    assert set(failure.fields) == {"user.public_metadata"}


async def test_private_metadata_is_for_services_alone(users: UserServiceStub, people: People, rows: Rows) -> None:
    ada = await people.person("ada")
    both = User(user_id=ada.user_id, public_metadata=struct({"a": 1}), private_metadata=struct({"canary": 1}))
    updated = (await users.UpdateUser(UpdateUserRequest(user=both), metadata=AS_OPERATOR)).user
    batch = await users.BatchGetUsers(BatchGetUsersRequest(user_ids=[ada.user_id]), metadata=AS_OPERATOR)
    looked_up = await users.LookUpUser(LookUpUserRequest(email=ada.email), metadata=AS_OPERATOR)
    assert updated == batch.users[0] == looked_up.user == await get(users, ada.user_id)
    assert updated.private_metadata == both.private_metadata
    rename = UpdateUserRequest(user=User(display_name="Ada L."))
    # A gateway's key beside her session does not show it to her.
    for metadata in (ada.metadata, with_key(ada)):
        hers = [
            (await users.GetUser(GetUserRequest(), metadata=metadata)).user,
            (await users.UpdateUser(rename, metadata=metadata)).user,
        ]
        for user in hers:
            assert user.public_metadata == both.public_metadata
            assert not user.HasField("private_metadata")
    # Nor is it in the events, which tell others what everybody may know, nor in the audit.
    message = "SELECT user_message FROM events WHERE user_id = %s AND user_message LIKE '%%canary%%'"
    assert (await rows.execute(message, (ada.user_id,))).rowcount == 0
    audit = "SELECT FROM audit_events WHERE user_id = %s AND details::text LIKE '%%canary%%'"
    assert (await rows.execute(audit, (ada.user_id,))).rowcount == 0


async def test_a_mask_empties_metadata(users: UserServiceStub) -> None:
    user = await created(users, public_metadata=struct({"a": 1}), private_metadata=struct({"b": 2}))
    request = UpdateUserRequest(user=User(user_id=user.user_id), update_mask=FieldMask(paths=["private_metadata"]))
    after = (await users.UpdateUser(request, metadata=AS_OPERATOR)).user
    assert not after.HasField("private_metadata")
    assert after.public_metadata == struct({"a": 1})
