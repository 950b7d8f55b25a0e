"""Sessions: signing in, listing and ending them, and whose they are."""

import asyncio
from uuid import UUID, uuid4

import pytest
from argon2 import PasswordHasher

from identity_service import tokens
from protos.identity.v1 import sessions_pb2 as pb
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People, TestPerson
from tests.calls import fails, outcome
from tests.identity.conftest import Rows
from tests.identity.sign_ins import PASSWORD, with_password


async def listed(sessions: SessionServiceStub, person: TestPerson) -> list[str]:
    response = await sessions.ListSessions(pb.ListSessionsRequest(), metadata=person.metadata)
    return [session.session_id for session in response.sessions]


async def is_valid(sessions: SessionServiceStub, person: TestPerson) -> bool:
    request = pb.BatchValidateSessionsRequest(tokens=[person.token])
    [result] = (await sessions.BatchValidateSessions(request, metadata=AS_OPERATOR)).results
    return result.HasField("session")


async def test_signing_in_gives_a_token_that_is_valid_at_once(people: People, sessions: SessionServiceStub) -> None:
    ada = await people.person("ada", PASSWORD)
    made = await sessions.CreateSession(with_password(ada.email.upper()))
    found = await sessions.ValidateSession(pb.ValidateSessionRequest(token=made.token), metadata=AS_OPERATOR)
    assert found.session == made.session
    assert made.session.ip == "127.0.0.1"
    assert "grpc" in made.session.user_agent
    assert made.session.auth_time == made.session.create_time == made.session.last_seen_time
    lifetime = made.session.expire_time.seconds - made.session.create_time.seconds
    assert 1799 <= lifetime <= 1800
    assert made.session.expire_time.nanos == 0


async def test_the_row_is_one_that_express_can_read(people: People, sessions: SessionServiceStub, rows: Rows) -> None:
    made = await sessions.CreateSession(with_password(await people.person("ada", PASSWORD)))
    query = "SELECT sess, expire FROM session WHERE session_id = %s"
    row = await (await rows.execute(query, (made.session.session_id,))).fetchone()
    assert row is not None
    cookie = row[0].pop("cookie")
    assert row[0] == {"userId": made.session.user_id}
    assert cookie.pop("expires").startswith(f"{row[1]:%Y-%m-%dT%H:%M:%S}")
    assert cookie == {"originalMaxAge": 1_800_000, "httpOnly": True, "path": "/"}


async def test_an_outdated_hash_is_made_anew(people: People, sessions: SessionServiceStub, rows: Rows) -> None:
    ada = await people.person("ada", PASSWORD)
    old = PasswordHasher(1, 8, 1).hash(PASSWORD)
    await rows.execute("UPDATE users SET password_hash = %s WHERE email = %s", (old, ada.email))
    await sessions.CreateSession(with_password(ada))
    query = "SELECT password_hash, version FROM users WHERE email = %s"
    row = await (await rows.execute(query, (ada.email,))).fetchone()
    assert row is not None
    assert row[0].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert row[1] == 1
    await sessions.CreateSession(with_password(ada))


async def test_every_sign_in_has_a_token_of_its_own(people: People, sessions: SessionServiceStub) -> None:
    ada = await people.person("ada", PASSWORD)
    made = [await sessions.CreateSession(with_password(ada)) for _ in range(3)]
    assert len({response.token for response in made}) == 3
    assert len({response.session.session_id for response in made}) == 3


async def test_the_token_works_as_the_cookie_too(sessions: SessionServiceStub, people: People) -> None:
    ada = await people.person("ada")
    cookie = "theme=dark; connect.sid=" + ada.token.replace(":", "%3A").replace("+", "%2B").replace("/", "%2F")
    found = await sessions.GetSession(pb.GetSessionRequest(), metadata=(("cookie", cookie),))
    assert found.session.session_id == ada.session_id


async def test_a_bare_sid_is_never_accepted(sessions: SessionServiceStub, people: People) -> None:
    ada = await people.person("ada")
    for token in (ada.sid, f"s:{ada.sid}", f"s:{ada.sid}.", ada.session_id):
        async with fails(Reason.SESSION_INVALID):
            await sessions.GetSession(pb.GetSessionRequest(), metadata=(("authorization", f"Bearer {token}"),))


async def test_a_person_reads_their_own_sessions_only(sessions: SessionServiceStub, people: People) -> None:
    ada, bo = await people.persons(2)
    second = await people.session(ada)
    for request in (pb.GetSessionRequest(), pb.GetSessionRequest(session_id=ada.session_id)):
        assert (await sessions.GetSession(request, metadata=ada.metadata)).session.session_id == ada.session_id
    found = await sessions.GetSession(pb.GetSessionRequest(session_id=second.session_id), metadata=ada.metadata)
    assert found.session.user_id == ada.user_id
    of_bo = sessions.GetSession(pb.GetSessionRequest(session_id=bo.session_id), metadata=ada.metadata)
    of_nobody = sessions.GetSession(pb.GetSessionRequest(session_id=str(uuid4())), metadata=ada.metadata)
    assert await outcome(of_bo) == await outcome(of_nobody)
    async with fails(Reason.SESSION_NOT_FOUND):
        await sessions.GetSession(pb.GetSessionRequest(session_id=bo.session_id), metadata=ada.metadata)


async def test_the_list_holds_valid_sessions_newest_first_in_pages(
    sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada, bo = await people.persons(2)
    made = [ada, *[await people.session(ada) for _ in range(6)]]
    await rows.execute("UPDATE session SET expire = now() WHERE session_id = %s", (made.pop(3).session_id,))
    # The same moment for two: the id decides.
    await rows.execute(
        "UPDATE session SET created_at = (SELECT created_at FROM session WHERE sid = %s) WHERE sid = %s",
        (made[1].sid, made[2].sid),
    )
    found: list[str] = []
    token, pages = "", 0
    while pages == 0 or token:
        request = pb.ListSessionsRequest(page_size=2, page_token=token)
        response = await sessions.ListSessions(request, metadata=ada.metadata)
        found += [session.session_id for session in response.sessions]
        token, pages = response.next_page_token, pages + 1
    assert pages == 3
    newest_first = [person.session_id for person in reversed(made)]
    newest_first[3:5] = sorted(newest_first[3:5], key=UUID, reverse=True)
    assert found == newest_first
    assert await listed(sessions, bo) == [bo.session_id]


async def test_a_page_token_serves_its_own_list_only(sessions: SessionServiceStub, people: People) -> None:
    ada, bo = await people.persons(2)
    for person in (ada, bo):
        await people.session(person)
    first = await sessions.ListSessions(pb.ListSessionsRequest(page_size=1), metadata=ada.metadata)
    for token in (first.next_page_token[:-1], "x", "é", first.next_page_token + "A" * 3000):
        async with fails(Reason.BAD_REQUEST) as failure:
            await sessions.ListSessions(pb.ListSessionsRequest(page_token=token), metadata=ada.metadata)
        assert set(failure.fields) == {"page_token"}
    async with fails(Reason.BAD_REQUEST):
        await sessions.ListSessions(pb.ListSessionsRequest(page_token=first.next_page_token), metadata=bo.metadata)
    of_bo = pb.ListSessionsRequest(page_token=first.next_page_token, user_id=bo.user_id)
    async with fails(Reason.BAD_REQUEST):
        await sessions.ListSessions(of_bo, metadata=AS_OPERATOR)


async def test_no_answer_holds_a_sid(sessions: SessionServiceStub, people: People) -> None:
    ada = await people.person("ada")
    responses = [
        await sessions.ListSessions(pb.ListSessionsRequest(), metadata=ada.metadata),
        await sessions.GetSession(pb.GetSessionRequest(), metadata=ada.metadata),
        await sessions.ValidateSession(pb.ValidateSessionRequest(token=ada.token), metadata=AS_OPERATOR),
    ]
    assert not any(ada.sid.encode() in response.SerializeToString() for response in responses)


async def test_only_services_ask_about_others(sessions: SessionServiceStub, people: People) -> None:
    ada, bo = await people.persons(2)
    of_bo = pb.ListSessionsRequest(user_id=bo.user_id)
    response = await sessions.ListSessions(of_bo, metadata=AS_OPERATOR)
    assert [session.session_id for session in response.sessions] == [bo.session_id]
    async with fails(Reason.PERMISSION_DENIED):
        await sessions.ListSessions(of_bo, metadata=ada.metadata)
    async with fails(Reason.BAD_REQUEST):
        await sessions.ListSessions(pb.ListSessionsRequest(), metadata=AS_OPERATOR)
    async with fails(Reason.SERVICE_KEY_REQUIRED):
        await sessions.ValidateSession(pb.ValidateSessionRequest(token=bo.token), metadata=ada.metadata)
    async with fails(Reason.SERVICE_KEY_REQUIRED):
        await sessions.RevokeUserSessions(pb.RevokeUserSessionsRequest(user_id=ada.user_id), metadata=ada.metadata)


async def test_signing_out_ends_the_session_of_the_call(sessions: SessionServiceStub, people: People) -> None:
    ada = await people.person("ada")
    second = await people.session(ada)
    await sessions.RevokeSession(pb.RevokeSessionRequest(), metadata=ada.metadata)
    assert not await is_valid(sessions, ada)
    assert await is_valid(sessions, second)
    async with fails(Reason.SESSION_INVALID):
        await sessions.RevokeSession(pb.RevokeSessionRequest(), metadata=ada.metadata)


async def test_a_person_ends_another_of_their_sessions_by_its_id(sessions: SessionServiceStub, people: People) -> None:
    ada = await people.person("ada")
    second = await people.session(ada)
    request = pb.RevokeSessionRequest(session_id=second.session_id)
    await sessions.RevokeSession(request, metadata=ada.metadata)
    assert await listed(sessions, ada) == [ada.session_id]
    await sessions.RevokeSession(request, metadata=ada.metadata)  # ending it again is no error


async def test_nobody_ends_a_session_of_somebody_else(sessions: SessionServiceStub, people: People) -> None:
    ada, bo = await people.persons(2)
    of_bo = pb.RevokeSessionRequest(session_id=bo.session_id)
    of_nobody = pb.RevokeSessionRequest(session_id=str(uuid4()))
    answers = [await outcome(sessions.RevokeSession(r, metadata=ada.metadata)) for r in (of_bo, of_nobody)]
    assert answers[0] == answers[1]
    of_bo.user_id = bo.user_id
    async with fails(Reason.PERMISSION_DENIED):
        await sessions.RevokeSession(of_bo, metadata=ada.metadata)
    assert await is_valid(sessions, bo)


async def test_a_service_ends_a_session_of_the_user_it_names(sessions: SessionServiceStub, people: People) -> None:
    ada, bo = await people.persons(2)
    of_bo = pb.RevokeSessionRequest(session_id=ada.session_id, user_id=bo.user_id)
    await sessions.RevokeSession(of_bo, metadata=AS_OPERATOR)
    assert await is_valid(sessions, ada)
    of_ada = pb.RevokeSessionRequest(session_id=ada.session_id, user_id=ada.user_id)
    await sessions.RevokeSession(of_ada, metadata=AS_OPERATOR)
    assert not await is_valid(sessions, ada)
    for incomplete in (pb.RevokeSessionRequest(), pb.RevokeSessionRequest(user_id=bo.user_id)):
        async with fails(Reason.BAD_REQUEST):
            await sessions.RevokeSession(incomplete, metadata=AS_OPERATOR)
    async with fails(Reason.BAD_REQUEST):
        await sessions.RevokeSession(pb.RevokeSessionRequest(session_id=bo.session_id), metadata=AS_OPERATOR)


async def test_all_others_end_and_this_one_stays(sessions: SessionServiceStub, people: People, rows: Rows) -> None:
    ada, bo = await people.persons(2)
    others = [await people.session(ada) for _ in range(3)]
    await rows.execute("UPDATE session SET expire = now() WHERE sid = %s", (others[0].sid,))
    response = await sessions.RevokeOtherSessions(pb.RevokeOtherSessionsRequest(), metadata=ada.metadata)
    assert response.revoked_count == 2  # of those that were valid
    assert await listed(sessions, ada) == [ada.session_id]
    assert await is_valid(sessions, bo)


async def test_a_service_ends_all_sessions_of_a_user(sessions: SessionServiceStub, people: People) -> None:
    ada, bo = await people.persons(2)
    second = await people.session(ada)
    request = pb.RevokeUserSessionsRequest(user_id=ada.user_id)
    assert (await sessions.RevokeUserSessions(request, metadata=AS_OPERATOR)).revoked_count == 2
    assert [await is_valid(sessions, person) for person in (ada, second, bo)] == [False, False, True]
    assert (await sessions.RevokeUserSessions(request, metadata=AS_OPERATOR)).revoked_count == 0


@pytest.mark.parametrize("field", ["session_id", "user_id"])
async def test_what_is_no_uuid_is_named(sessions: SessionServiceStub, people: People, field: str) -> None:
    ada = await people.person("ada")
    request = pb.RevokeSessionRequest(session_id=ada.session_id)
    setattr(request, field, "7")
    async with fails(Reason.BAD_REQUEST) as failure:
        await sessions.RevokeSession(request, metadata=ada.metadata)
    assert set(failure.fields) == {field}


async def test_the_very_next_validation_after_a_revocation_refuses(
    pair: Pair, sessions: SessionServiceStub, people: People
) -> None:
    for ada in await people.persons(100):
        assert await is_valid(sessions, ada)
        await sessions.RevokeSession(pb.RevokeSessionRequest(), metadata=ada.metadata)
        assert not await is_valid(sessions, ada)
        async with fails(Reason.SESSION_INVALID):
            request = pb.ValidateSessionRequest(token=tokens.sign(ada.sid, pair.session_secret))
            await sessions.ValidateSession(request, metadata=AS_OPERATOR)


async def test_after_the_answer_to_a_revocation_no_validation_says_yes(
    sessions: SessionServiceStub, people: People
) -> None:
    """Validations never stop while 300 sessions end: whichever began after the answer must refuse."""
    everybody = iter(await people.persons(300))
    counts = {"yes": 0, "no": 0}

    async def rounds() -> None:
        for ada in everybody:
            counts["yes"] += await is_valid(sessions, ada)
            ended = asyncio.Event()
            asking = [asyncio.create_task(ask(ada, ended)) for _ in range(2)]
            await sessions.RevokeSession(pb.RevokeSessionRequest(), metadata=ada.metadata)
            ended.set()
            await asyncio.gather(*asking)

    async def ask(ada: TestPerson, ended: asyncio.Event) -> None:
        is_last = False
        while not is_last:
            is_last = ended.is_set()
            said_yes = await is_valid(sessions, ada)
            counts["yes" if said_yes else "no"] += 1
            assert not (is_last and said_yes)

    await asyncio.gather(*[rounds() for _ in range(4)])
    assert counts["yes"] >= 300
    assert counts["no"] >= 600
