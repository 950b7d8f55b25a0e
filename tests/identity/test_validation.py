"""Validation: which sessions are valid at this moment, in one statement for many."""

import asyncio
import json
import math
import time
from collections.abc import Sequence
from secrets import token_urlsafe
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from uuid_utils.compat import uuid7

from identity_service import tokens
from identity_service.queries import validation as queries
from protos.identity.v1 import sessions_pb2 as pb
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from shared.database import Database
from shared.reasons import Reason
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Pair, identity_settings, running_identity
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails
from tests.identity.conftest import Rows, validate


class HotReads(list[Sequence[object]]):
    """The values of each hot read since the test began; each takes `delay` seconds longer."""

    delay = 0.0


@pytest.fixture
def hot_reads(monkeypatch: pytest.MonkeyPatch) -> HotReads:
    reads = HotReads()
    hot_read = Database.hot_read

    async def noted(self: Database, statement: str, values: Sequence[str]) -> list[tuple[Any, ...]]:
        if statement is queries.VALID_SESSIONS:
            reads.append(values)
            await asyncio.sleep(reads.delay)
        return await hot_read(self, statement, values)

    monkeypatch.setattr(Database, "hot_read", noted)
    return reads


async def test_one_bad_token_in_a_hundred_spoils_nothing(
    sessions: SessionServiceStub, people: People, hot_reads: HotReads
) -> None:
    persons = await people.persons(99)
    asked = [person.token for person in persons]
    asked.insert(37, "s:forged.forged")
    expected = [person.session_id for person in persons]
    expected.insert(37, "SESSION_INVALID")
    assert await validate(sessions, *asked) == expected
    assert len(hot_reads) == 1


async def test_the_same_token_may_be_asked_about_twice(sessions: SessionServiceStub, people: People) -> None:
    ada, bo = await people.persons(2)
    asked = [ada.token, bo.token, ada.token]
    assert await validate(sessions, *asked) == [ada.session_id, bo.session_id, ada.session_id]


@pytest.mark.parametrize("count", [0, 1001])
async def test_a_batch_holds_1_to_1000_tokens(sessions: SessionServiceStub, count: int) -> None:
    async with fails(Reason.BAD_REQUEST):
        await validate(sessions, *["x"] * count)


async def test_a_thousand_are_answered(sessions: SessionServiceStub, people: People) -> None:
    ada = await people.person("ada")
    assert await validate(sessions, *[ada.token] * 1000) == [ada.session_id] * 1000


async def test_a_forged_token_never_reaches_the_database(
    sessions: SessionServiceStub, people: People, hot_reads: HotReads
) -> None:
    ada = await people.person("ada")
    forged = [tokens.sign(ada.sid, b"another secret than that of the service"), ada.sid, "", "x" * 10_000]
    assert await validate(sessions, *forged) == ["SESSION_INVALID"] * 4
    for token in forged:
        async with fails(Reason.SESSION_INVALID):
            await sessions.ValidateSession(pb.ValidateSessionRequest(token=token), metadata=AS_OPERATOR)
    assert hot_reads == []


async def test_questions_of_one_moment_share_a_statement(
    sessions: SessionServiceStub, people: People, hot_reads: HotReads
) -> None:
    persons = await people.persons(50)
    hot_reads.delay = 0.3  # while the first is under way the others arrive
    calls = [
        sessions.ValidateSession(pb.ValidateSessionRequest(token=person.token), metadata=AS_OPERATOR)
        for person in persons
    ]
    answers = await asyncio.gather(*calls)
    assert [answer.session.session_id for answer in answers] == [person.session_id for person in persons]
    assert len(hot_reads) <= 3


UNUSABLE = {
    "expired": "UPDATE session SET expire = date_trunc('second', now()) WHERE sid = %(sid)s",
    "past its absolute limit": "UPDATE session SET absolute_expires_at = now() WHERE sid = %(sid)s",
    "revoked": "DELETE FROM session WHERE sid = %(sid)s",
    "of a suspended user": "UPDATE users SET state = 'SUSPENDED' WHERE user_id::text = %(user_id)s",
    "of a deleted user": "DELETE FROM users WHERE user_id::text = %(user_id)s",
    "of nobody": "UPDATE session SET sess = sess - 'userId' WHERE sid = %(sid)s",
}


@pytest.mark.parametrize("how", UNUSABLE)
async def test_it_is_refused_when(sessions: SessionServiceStub, people: People, rows: Rows, how: str) -> None:
    ada, bo = await people.persons(2)
    await rows.execute(UNUSABLE[how], {"sid": ada.sid, "user_id": ada.user_id})
    assert await validate(sessions, ada.token, bo.token) == ["SESSION_INVALID", bo.session_id]
    async with fails(Reason.SESSION_INVALID):
        await sessions.GetSession(pb.GetSessionRequest(), metadata=ada.metadata)


async def test_the_absolute_limit_holds_where_the_triggers_did_not_run(
    databases: Databases, pair: Pair, sessions: SessionServiceStub, people: People
) -> None:
    """As after a restore, which runs none."""
    ada = await people.person("ada")
    name = psycopg.conninfo.conninfo_to_dict(pair.identity.database_url)["dbname"]
    async with await psycopg.AsyncConnection.connect(databases.postgres.url(str(name)), autocommit=True) as admin:
        await admin.execute("SET session_replication_role = replica")
        await admin.execute("UPDATE session SET absolute_expires_at = now() WHERE sid = %s", (ada.sid,))
    assert await validate(sessions, ada.token) == ["SESSION_INVALID"]


async def test_user_ids_of_other_apps_are_nobody_here(
    pair: Pair, sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada")
    digits = ada.user_id.replace("-", "")
    other_ids = ["42", "", "ada", ada.user_id.upper(), digits, f"{{{ada.user_id}}}", f"----{digits}", "é" * 5000]
    asked = []
    for other in [*other_ids, str(uuid4()), ada.user_id]:
        sid = tokens.make_sid()
        sess = json.dumps({"cookie": {}, "passport": {"user": other}})
        await rows.execute("INSERT INTO session VALUES (%s, %s, now() + interval '1 hour')", (sid, sess))
        asked.append(tokens.sign(sid, pair.session_secret))
    *others, hers = await validate(sessions, *asked)
    assert others == ["SESSION_INVALID"] * len(others)
    assert hers != "SESSION_INVALID"


@pytest.mark.parametrize("time_zone", ["UTC", "Asia/Kolkata", "America/St_Johns"])
async def test_the_database_s_time_zone_changes_no_answer(databases: Databases, time_zone: str) -> None:
    """Connections of Express apps have the database's zone, ours have UTC."""
    url = databases.service_url("identity", databases.copy("identity", time_zone=time_zone))
    settings = identity_settings(url)
    async with (
        running_identity(settings) as service,
        await psycopg.AsyncConnection.connect(url, autocommit=True) as express,
    ):
        assert await (await express.execute("SHOW timezone")).fetchone() == (time_zone,)
        user_id = uuid7()
        await express.execute("INSERT INTO users VALUES (%s, 'a@example.com', 'a@example.com', NULL, 'a')", (user_id,))
        sess = json.dumps({"cookie": {"originalMaxAge": 60_000}, "userId": str(user_id)})
        asked = []
        for seconds in (-5, 5, 3600, 100_000):
            sid = tokens.make_sid()
            values = (sess, math.ceil(time.time()) + seconds, sid)
            await express.execute("INSERT INTO session (sess, expire, sid) VALUES (%s, to_timestamp(%s), %s)", values)
            asked.append(tokens.sign(sid, settings.secret_bytes[0]))
        request = pb.BatchValidateSessionsRequest(tokens=asked)
        sessions = SessionServiceStub(service.channel)
        results = (await sessions.BatchValidateSessions(request, metadata=AS_OPERATOR)).results
        assert [result.error_reason for result in results] == ["SESSION_INVALID", "", "", ""]
        left = [round(result.session.expire_time.seconds - time.time()) for result in results[1:]]
        for found, expected in zip(left, (5, 3600, 43200), strict=True):
            assert abs(found - expected) <= 2


async def test_a_database_that_does_not_answer_is_nobody_s_no(
    sessions: SessionServiceStub, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await people.person("ada")

    async def frozen(self: Database, statement: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        await asyncio.sleep(60)
        return []

    monkeypatch.setattr(Database, "hot_read", frozen)
    start = time.monotonic()
    async with fails(Reason.DATABASE_UNAVAILABLE):
        await validate(sessions, ada.token)
    async with fails(Reason.DATABASE_UNAVAILABLE):
        await sessions.ValidateSession(pb.ValidateSessionRequest(token=ada.token), metadata=AS_OPERATOR)
    async with fails(Reason.DATABASE_UNAVAILABLE):
        await sessions.GetSession(pb.GetSessionRequest(), metadata=ada.metadata)
    assert time.monotonic() - start < 4.5


async def test_without_batching_the_answers_are_the_same(databases: Databases, pair: Pair, people: People) -> None:
    ada = await people.person("ada")
    secret = pair.session_secret.decode()
    settings = identity_settings(pair.identity.database_url, BATCHING="off", SESSION_SECRETS=secret)
    async with running_identity(settings) as service:
        sessions = SessionServiceStub(service.channel)
        request = pb.ValidateSessionRequest(token=ada.token)
        assert (await sessions.ValidateSession(request, metadata=AS_OPERATOR)).session.session_id == ada.session_id


async def test_secrets_rotate_without_a_sign_out(pair: Pair, people: People) -> None:
    ada = await people.person("ada")
    old, new = pair.session_secret.decode(), token_urlsafe(48)
    url = pair.identity.database_url
    request = pb.ValidateSessionRequest(token=ada.token)
    async with running_identity(identity_settings(url, SESSION_SECRETS=f"{new},{old}")) as service:
        sessions = SessionServiceStub(service.channel)
        assert (await sessions.ValidateSession(request, metadata=AS_OPERATOR)).session.session_id == ada.session_id
    without_old = identity_settings(url, SESSION_SECRETS=new)
    async with running_identity(without_old) as service, fails(Reason.SESSION_INVALID):
        await SessionServiceStub(service.channel).ValidateSession(request, metadata=AS_OPERATOR)
