"""ImportUsers: each user its own result, nothing lost to a neighbour's fault, every kind of hash signs in."""

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest
from google.protobuf.struct_pb2 import Struct

from protos.identity.v1.sessions_pb2 import CreateSessionRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.identity.v1.user_imports_pb2 import ImportedUser, ImportRefusal, ImportResult
from protos.identity.v1.users_pb2 import BatchGetUsersRequest, ImportUsersRequest, User
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.reasons import Reason
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import code, fails
from tests.identity.conftest import Rows
from tests.identity.foreign_samples import CHEAP, DJANGO, PASSWORD, argon2_without_version


def address(name: str = "ada") -> str:
    return f"{name}.{uuid4().hex[:10]}@example.com"


def metadata(**values: object) -> Struct:
    made = Struct()
    made.update(values)  # type: ignore[arg-type]
    return made


async def imported(users: UserServiceStub, *new: ImportedUser) -> list[ImportResult]:
    response = await users.ImportUsers(ImportUsersRequest(users=new), metadata=AS_OPERATOR)
    assert len(response.results) == len(new)
    return list(response.results)


async def found(users: UserServiceStub, results: Sequence[ImportResult]) -> list[User]:
    request = BatchGetUsersRequest(user_ids=[result.user_id for result in results])
    return list((await users.BatchGetUsers(request, metadata=AS_OPERATOR)).users)


async def refusal(users: UserServiceStub, new: ImportedUser) -> ImportRefusal:
    """Of a user that is imported between two good ones, who must get in."""
    before, refused, after = await imported(
        users, ImportedUser(email=address("before")), new, ImportedUser(email=address("after"))
    )
    assert before.user_id
    assert after.user_id
    assert refused.WhichOneof("result") == "refusal"
    return refused.refusal


async def test_an_imported_user_has_all_that_was_sent(users: UserServiceStub, rows: Rows) -> None:
    email, external_id = address("Ada.Lovelace"), uuid4().hex
    new = ImportedUser(
        email=email,
        display_name=" Ada ",
        external_id=external_id,
        email_verified=True,
        password_hash=DJANGO[0],
        public_metadata=metadata(plan="gold", seats=[1, 2.5, None, True]),
        private_metadata=metadata(notes={"from": "the other system"}),
    )
    bare = ImportedUser(email=address())
    results = await imported(users, new, bare)
    first, second = await found(users, results)
    assert UUID(first.user_id).version == 7
    assert (first.email, first.display_name, first.external_id) == (email, "Ada", external_id)
    assert first.email_verified_time == first.create_time
    assert first.public_metadata == new.public_metadata
    assert first.private_metadata == new.private_metadata
    assert (second.email, second.display_name, second.external_id) == (bare.email, "", "")
    assert not second.HasField("email_verified_time")
    stored = await rows.execute("SELECT password_hash FROM users WHERE user_id = %s", (second.user_id,))
    assert await stored.fetchone() == (None,)


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        (ImportedUser(email="nobody"), ["email"]),
        (ImportedUser(email="nobody", display_name="x" * 101), ["email", "display_name"]),
        (ImportedUser(display_name="\u202e"), ["display_name"]),
        (ImportedUser(external_id="x" * 201), ["external_id"]),
        (ImportedUser(external_id="a\0b"), ["external_id"]),
        (ImportedUser(password_hash="5f4dcc3b5aa765d61d8327deb882cf99"), ["password_hash"]),
        (ImportedUser(password_hash="$2b$31$" + "." * 53), ["password_hash"]),
        (ImportedUser(public_metadata=metadata(x="y" * 9000)), ["public_metadata"]),
        (ImportedUser(private_metadata=metadata(x="a\0b")), ["private_metadata"]),
    ],
    ids=range(9),
)
async def test_all_that_is_wrong_with_a_user_is_named_and_its_values_are_not(
    users: UserServiceStub, change: ImportedUser, fields: list[str]
) -> None:
    new = ImportedUser(email=address())
    new.MergeFrom(change)
    refused = await refusal(users, new)
    assert refused.reason == "BAD_REQUEST"
    assert [field for field in ImportedUser.DESCRIPTOR.fields_by_name if f"{field}: " in refused.message] == fields
    for value in ("nobody", "xxx", "yyy", "5f4dcc3b", "$2b$31"):
        assert value not in refused.message


async def test_an_unusable_hash_is_told_as_such(users: UserServiceStub) -> None:
    refused = await refusal(users, ImportedUser(email=address(), password_hash="md5$salt$hash"))
    assert refused.message == (
        "password_hash: not a hash of a kind and cost that is taken. Correct these fields and send the call again."
    )


async def test_who_is_there_already_is_told_by_what(users: UserServiceStub, people: People) -> None:
    bo, external_id = await people.person("bo"), uuid4().hex
    await imported(users, ImportedUser(email=address(), external_id=external_id))
    assert (await refusal(users, ImportedUser(email=bo.email.upper()))).reason == "EMAIL_TAKEN"
    assert (await refusal(users, ImportedUser(email=bo.email, external_id=external_id))).reason == "EMAIL_TAKEN"
    refused = await refusal(users, ImportedUser(email=address(), external_id=external_id))
    assert refused.reason == "EXTERNAL_ID_TAKEN"
    assert external_id not in refused.message


async def test_of_two_alike_in_one_call_the_first_gets_in(users: UserServiceStub) -> None:
    email, external_id = address(), uuid4().hex
    results = await imported(
        users,
        ImportedUser(email=email, display_name="first"),
        ImportedUser(email=email.upper(), display_name="second"),
        ImportedUser(email=address(), external_id=external_id, display_name="third"),
        ImportedUser(email=address(), external_id=external_id, display_name="fourth"),
        ImportedUser(email="nobody", external_id=external_id),
    )
    assert [result.refusal.reason for result in results] == ["", "EMAIL_TAKEN", "", "EXTERNAL_ID_TAKEN", "BAD_REQUEST"]
    assert [user.display_name for user in await found(users, results[:1] + results[2:3])] == ["first", "third"]


async def test_a_deleted_account_keeps_nobody_out(users: UserServiceStub, rows: Rows) -> None:
    new = ImportedUser(email=address(), external_id=uuid4().hex)
    [first] = await imported(users, new)
    await rows.execute("UPDATE users SET state = 'DELETED', delete_time = now() WHERE user_id = %s", (first.user_id,))
    [again] = await imported(users, ImportedUser(email=address(), external_id=new.external_id))
    assert again.user_id
    [refused] = await imported(users, new)  # the address is free
    assert refused.refusal.reason == "EXTERNAL_ID_TAKEN"
    [again] = await imported(users, ImportedUser(email=new.email))
    assert again.user_id


async def test_a_sign_up_under_way_is_waited_for_and_only_its_address_is_taken(
    users: UserServiceStub, rows: Rows
) -> None:
    email = address("racer")
    async with rows.transaction():
        insert = "INSERT INTO users (user_id, email, email_key, display_name) VALUES (%s, %s, %s, '')"
        await rows.execute(insert, (uuid4(), email, email))
        importing = asyncio.ensure_future(imported(users, ImportedUser(email=email), ImportedUser(email=address())))
        await asyncio.wait({importing}, timeout=0.15)
        assert not importing.done()
    taken, free = await importing
    assert taken.refusal.reason == "EMAIL_TAKEN"
    assert free.user_id


async def test_two_imports_of_the_same_people_at_once_make_each_once(users: UserServiceStub) -> None:
    new = [ImportedUser(email=address(), external_id=uuid4().hex) for _ in range(100)]
    one, other = await asyncio.gather(imported(users, *new), imported(users, *new))
    for first, second in zip(one, other, strict=True):
        assert {first.WhichOneof("result"), second.WhichOneof("result")} == {"user_id", "refusal"}
        assert (first.refusal.reason or second.refusal.reason) == "EMAIL_TAKEN"


async def test_each_is_recorded_and_told_to_who_follows(users: UserServiceStub, rows: Rows) -> None:
    new = [ImportedUser(email=address("canary"), password_hash=DJANGO[0]) for _ in range(3)]
    caller = (*AS_OPERATOR, ("x-request-id", "import-7"))
    response = await users.ImportUsers(ImportUsersRequest(users=[*new, ImportedUser(email="nobody")]), metadata=caller)
    ids = [UUID(result.user_id) for result in response.results[:3]]
    query = """SELECT user_id, actor_service, request_id, host(ip), details FROM audit_events
                WHERE action = 'USER_IMPORTED' AND (user_id = ANY(%s) OR user_id IS NULL)"""
    recorded = await (await rows.execute(query, (ids,))).fetchall()
    assert sorted(row[0] for row in recorded) == sorted(ids)
    assert {row[1:4] for row in recorded} == {("operator", "import-7", "127.0.0.1")}
    assert all(row[4] == {} for row in recorded)
    query = "SELECT user_id, user_message FROM events WHERE type = 'USER_CREATED' AND user_id = ANY(%s)"
    told = {row[0]: User.FromString(bytes(row[1])) for row in await (await rows.execute(query, (ids,))).fetchall()}
    assert [told[user_id].email for user_id in ids] == [user.email for user in new]


@pytest.mark.parametrize("count", [0, 1001])
async def test_a_call_holds_1_to_1000_users(users: UserServiceStub, count: int) -> None:
    async with fails(Reason.BAD_REQUEST) as failure:
        await imported(users, *[ImportedUser(email="x")] * count)
    assert failure.fields == {"users": f"{count} items, 1 to 1,000 are allowed"}


async def test_a_thousand_users_in_one_call(users: UserServiceStub) -> None:
    new = [
        ImportedUser(
            email=address("many"),
            display_name="Ada Lovelace",
            external_id=uuid4().hex,
            password_hash=f"$2b$10${'A' * 21}.{'B' * 31}",
            public_metadata=metadata(plan="gold"),
        )
        for _ in range(1000)
    ]
    results = await imported(users, *new)
    assert [user.email for user in await found(users, results)] == [user.email for user in new]


async def test_people_cannot_import(users: UserServiceStub, people: People) -> None:
    ada = await people.person("ada")
    async with fails(Reason.SERVICE_KEY_REQUIRED):
        await users.ImportUsers(ImportUsersRequest(users=[ImportedUser(email=address())]), metadata=ada.metadata)


async def test_a_repeat_gets_the_first_answer(users: UserServiceStub) -> None:
    request = ImportUsersRequest(
        users=[ImportedUser(email=address()), ImportedUser(email="nobody")], request_id=str(uuid4())
    )
    first = await users.ImportUsers(request, metadata=AS_OPERATOR)
    assert first == await users.ImportUsers(request, metadata=AS_OPERATOR)
    assert first.results[0].user_id
    request.users[0].email = address()
    async with fails(Reason.REQUEST_ID_REUSED):
        await users.ImportUsers(request, metadata=AS_OPERATOR)


KINDS = {
    **{kind: made.hash(PASSWORD) for kind, made in CHEAP.items()},
    **{stored.split("$")[0] + " of Django": stored for stored in DJANGO},
    "argon2 without a version": argon2_without_version(PASSWORD),
}


async def test_every_kind_of_hash_signs_in_and_is_replaced_at_the_first_time(
    users: UserServiceStub, sessions: SessionServiceStub, rows: Rows
) -> None:
    new = [ImportedUser(email=address(), password_hash=stored) for stored in KINDS.values()]
    results = await imported(users, *new)

    async def stored(result: ImportResult) -> str:
        row = await (
            await rows.execute("SELECT password_hash FROM users WHERE user_id = %s", (result.user_id,))
        ).fetchone()
        assert row is not None
        return str(row[0])

    for user, result, kind in zip(new, results, KINDS, strict=True):
        wrong = CreateSessionRequest(email=user.email, password=PASSWORD + "x")
        assert await code(sessions.CreateSession(wrong)) == "UNAUTHENTICATED", kind
        assert await stored(result) == user.password_hash
        right = CreateSessionRequest(email=user.email, password=PASSWORD.replace("ü", "u\u0308"))
        assert (await sessions.CreateSession(right)).session.user_id == result.user_id, kind
        replaced = await stored(result)
        assert replaced.startswith("$argon2id$v=19$m=19456,t=2,p=1$"), kind
        assert await code(sessions.CreateSession(right)) == "OK"
        assert await stored(result) == replaced
