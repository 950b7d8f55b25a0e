"""Deleting accounts: what ends with them, how they come back, when they go for good, and races."""

from datetime import timedelta
from uuid import uuid4

from identity_service.constraint_errors import CONSTRAINT_ERRORS
from identity_service.queries.upkeep import useless
from identity_service.tables import metadata
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.identity.v1.users_pb2 import (
    USER_STATE_ACTIVE,
    USER_STATE_DELETED,
    USER_STATE_SUSPENDED,
    DeleteUserRequest,
    GetUserRequest,
    LookUpUserRequest,
    UndeleteUserRequest,
    UpdateUserRequest,
    User,
)
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.database import Database
from shared.reasons import Reason
from shared.tidy import tidy
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Pair, identity_settings, running_identity
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails
from tests.identity.accounts import DELETE, audit_of, created, events_of, get
from tests.identity.conftest import Rows, validate

DAY = 86_400
# A row in every table that refers to users.
DEPENDENT = {
    "one_time_tokens": """INSERT INTO one_time_tokens (token_id, purpose, user_id, expire_time)
                          VALUES (gen_random_uuid(), 'PASSWORD_RESET', %s, now() + interval '1 hour')""",
    "known_devices": "INSERT INTO known_devices (user_id, device_hash) VALUES (%s, '\\x01')",
    "totp_factors": "INSERT INTO totp_factors (user_id, secret) VALUES (%s, '\\x01')",
    "recovery_codes": "INSERT INTO recovery_codes (user_id, code_hash) VALUES (%s, '\\x01')",
    # Later than the worker would look at it.
    "outbox_emails": """INSERT INTO outbox_emails (email_id, template, address, user_id, next_attempt_time)
                        VALUES (gen_random_uuid(), 'reset_password', 'a@example.com', %s, now() + interval '1 hour')""",
}


async def delete(users: UserServiceStub, user_id: str, etag: str = "") -> User:
    return (await users.DeleteUser(DeleteUserRequest(user_id=user_id, etag=etag), metadata=AS_OPERATOR)).user


async def undelete(users: UserServiceStub, user_id: str) -> User:
    return (await users.UndeleteUser(UndeleteUserRequest(user_id=user_id), metadata=AS_OPERATOR)).user


async def count(rows: Rows, table: str, user_id: str) -> int:
    row = await (await rows.execute(f"SELECT count(*) FROM {table} WHERE user_id = %s", (user_id,))).fetchone()
    assert row is not None
    return int(row[0])


async def test_who_deletes_their_account_is_signed_out_everywhere(
    users: UserServiceStub, sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada, bo = await people.persons(2)
    also_ada = await people.session(ada)
    for table in ("one_time_tokens", "known_devices"):
        await rows.execute(DEPENDENT[table].encode(), (ada.user_id,))
    deleted = (await users.DeleteUser(DeleteUserRequest(etag="1"), metadata=ada.metadata)).user
    assert (deleted.user_id, deleted.state, deleted.etag) == (ada.user_id, USER_STATE_DELETED, "2")
    assert deleted.purge_time.seconds - deleted.delete_time.seconds == 30 * DAY
    refused = "SESSION_INVALID"
    assert await validate(sessions, ada.token, also_ada.token, bo.token) == [refused, refused, bo.session_id]
    assert [await count(rows, t, ada.user_id) for t in ("session", "one_time_tokens", "known_devices")] == [0, 0, 0]
    assert sorted(await events_of(rows, ada.user_id)) == ["SESSION_ENDED", "SESSION_ENDED", "USER_DELETED"]
    assert await audit_of(rows, ada.user_id) == [("USER_DELETED", None)]
    async with fails(Reason.SESSION_INVALID):
        await users.GetUser(GetUserRequest(), metadata=ada.metadata)


async def test_services_still_see_a_deleted_account_but_do_not_change_it(users: UserServiceStub) -> None:
    user = await created(users)
    deleted = await delete(users, user.user_id, etag="1")
    assert deleted == await get(users, user.user_id)
    async with fails(Reason.USER_NOT_FOUND):
        await delete(users, user.user_id)
    change = UpdateUserRequest(user=User(user_id=user.user_id, display_name="Eve"))
    async with fails(Reason.USER_NOT_FOUND):
        await users.UpdateUser(change, metadata=AS_OPERATOR)
    async with fails(Reason.USER_NOT_FOUND):
        await users.LookUpUser(LookUpUserRequest(email=user.email), metadata=AS_OPERATOR)
    assert deleted == await get(users, user.user_id)


async def test_address_and_external_id_are_free_at_once(users: UserServiceStub) -> None:
    user = await created(users, external_id=(external_id := uuid4().hex))
    await delete(users, user.user_id)
    other = await created(users, email=user.email.upper(), external_id=external_id)
    assert other.user_id != user.user_id
    found = await users.LookUpUser(LookUpUserRequest(external_id=external_id), metadata=AS_OPERATOR)
    assert found.user == other


async def test_who_signed_in_long_ago_does_so_again_before_deleting(
    users: UserServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada")
    stale = "UPDATE session SET auth_time = now() - interval '301 seconds' WHERE session_id = %s"
    await rows.execute(stale, (ada.session_id,))
    for etag in ("", "stale"):
        async with fails(Reason.REAUTHENTICATION_REQUIRED):
            await users.DeleteUser(DeleteUserRequest(etag=etag), metadata=ada.metadata)
    fresh = await people.session(ada)
    await rows.execute("UPDATE users SET has_second_factor = true WHERE user_id = %s", (ada.user_id,))
    async with fails(Reason.REAUTHENTICATION_REQUIRED):
        await users.DeleteUser(DeleteUserRequest(), metadata=fresh.metadata)
    await rows.execute("UPDATE session SET amr = '{pwd,otp,mfa}' WHERE session_id = %s", (fresh.session_id,))
    await users.DeleteUser(DeleteUserRequest(), metadata=fresh.metadata)


async def test_what_is_wrong_with_the_request_is_told(users: UserServiceStub, people: People) -> None:
    async with fails(Reason.BAD_REQUEST) as failure:
        await users.DeleteUser(DeleteUserRequest(user_id="x", etag="\0", request_id="7"), metadata=AS_OPERATOR)
    assert set(failure.fields) == {"user_id", "etag", "request_id"}
    async with fails(Reason.BAD_REQUEST) as failure:
        await users.UndeleteUser(UndeleteUserRequest(request_id="7"), metadata=AS_OPERATOR)
    assert set(failure.fields) == {"user_id", "request_id"}
    ada = await people.person("ada")
    async with fails(Reason.ETAG_MISMATCH):
        await delete(users, ada.user_id, etag="0")
    async with fails(Reason.SERVICE_KEY_REQUIRED):
        await users.UndeleteUser(UndeleteUserRequest(user_id=ada.user_id), metadata=ada.metadata)


async def test_undeleting_brings_back_the_account_but_no_session(
    users: UserServiceStub, sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada")
    before = await get(users, ada.user_id)
    await delete(users, ada.user_id)
    # As an Express app that goes on: it does not ask who is deleted.
    late = await people.session(ada)
    back = await undelete(users, ada.user_id)
    assert (back.state, back.etag) == (USER_STATE_ACTIVE, "3")
    back.etag, back.update_time.seconds, back.update_time.nanos = (
        "1",
        before.update_time.seconds,
        before.update_time.nanos,
    )
    assert back == before
    assert await validate(sessions, ada.token, late.token) == ["SESSION_INVALID"] * 2
    assert (await events_of(rows, ada.user_id))[-2:] == ["SESSION_ENDED", "USER_UNDELETED"]
    assert await audit_of(rows, ada.user_id) == [("USER_DELETED", "operator"), ("USER_UNDELETED", "operator")]


async def test_undeleting_does_not_lift_a_suspension(users: UserServiceStub, people: People, rows: Rows) -> None:
    ada = await people.person("ada")
    suspended = "UPDATE users SET state = 'SUSPENDED', suspend_time = now() WHERE user_id = %s"
    await rows.execute(suspended, (ada.user_id,))
    await delete(users, ada.user_id)
    assert (await undelete(users, ada.user_id)).state == USER_STATE_SUSPENDED


async def test_only_what_is_deleted_and_not_yet_to_be_purged_comes_back(
    users: UserServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada")
    for user_id in (ada.user_id, str(uuid4())):
        async with fails(Reason.USER_NOT_FOUND):
            await undelete(users, user_id)
    await delete(users, ada.user_id)
    await rows.execute("UPDATE users SET purge_time = now() WHERE user_id = %s", (ada.user_id,))
    async with fails(Reason.USER_NOT_FOUND):
        await undelete(users, ada.user_id)
    assert (await get(users, ada.user_id)).state == USER_STATE_DELETED


async def test_what_others_have_taken_meanwhile_stays_theirs(users: UserServiceStub, rows: Rows) -> None:
    user = await created(users, external_id=(external_id := uuid4().hex))
    await delete(users, user.user_id)
    other = await created(users, email=user.email)
    async with fails(Reason.EMAIL_TAKEN):
        await undelete(users, user.user_id)
    await delete(users, other.user_id)
    other = await created(users, external_id=external_id)
    async with fails(Reason.EXTERNAL_ID_TAKEN):
        await undelete(users, user.user_id)
    assert (await get(users, user.user_id)).state == USER_STATE_DELETED
    await delete(users, other.user_id)
    assert (await undelete(users, user.user_id)).external_id == external_id


def test_there_is_a_row_for_every_table_that_refers_to_users() -> None:
    referring = {
        table.name
        for table in metadata.tables.values()
        if any(key.column.table.name == "users" for key in table.foreign_keys)
    }
    assert DEPENDENT.keys() == referring


async def test_past_its_purge_time_an_account_goes_with_all_that_hangs_on_it(
    users: UserServiceStub, people: People, pair: Pair, rows: Rows
) -> None:
    gone, kept, alive = await people.persons(3)
    for person in (gone, kept, alive):
        for insert in DEPENDENT.values():
            await rows.execute(insert.encode(), (person.user_id,))
    for person in (gone, kept):
        await rows.execute(DELETE, ([person.user_id],))
    await rows.execute("UPDATE users SET purge_time = now() - interval '1 s' WHERE user_id = %s", (gone.user_id,))
    database = Database(pair.identity.database_url, pool_size=1, name="t", constraint_errors=CONSTRAINT_ERRORS)
    await tidy(database, useless(events_keep=timedelta(days=30)))
    await database.close()
    tables = (*DEPENDENT, "users")
    assert [await count(rows, table, gone.user_id) for table in tables] == [0] * len(tables)
    for person in (kept, alive):
        assert [await count(rows, table, person.user_id) for table in tables] == [1] * len(tables)
    async with fails(Reason.USER_NOT_FOUND):
        await get(users, gone.user_id)


async def test_the_audit_of_an_account_survives_it(users: UserServiceStub, rows: Rows) -> None:
    user = await created(users)
    await delete(users, user.user_id)
    await rows.execute("DELETE FROM users WHERE user_id = %s", (user.user_id,))
    assert await audit_of(rows, user.user_id) == [("USER_CREATED", "operator"), ("USER_DELETED", "operator")]
    record = "SELECT string_agg(a::text, ' ') FROM audit_events a WHERE user_id = %s"
    text = await (await rows.execute(record, (user.user_id,))).fetchone()
    assert text is not None
    assert user.email not in text[0]


async def test_how_long_a_deleted_account_is_kept_is_a_setting(databases: Databases) -> None:
    url = databases.service_url("identity", databases.copy("identity"))
    async with running_identity(identity_settings(url, USER_PURGE_DAYS="0")) as service:
        users = UserServiceStub(service.channel)
        user = await delete(users, (await created(users)).user_id)
        assert user.purge_time == user.delete_time
        async with fails(Reason.USER_NOT_FOUND):
            await undelete(users, user.user_id)
