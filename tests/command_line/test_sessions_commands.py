"""`tenantry sessions`: who is signed in, ending it, and why a token is not taken."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest

from identity_service import tokens
from protos.identity.v1 import sessions_pb2 as pb
from tenantry import client
from tests.command_line.invoked import invoke, told
from tests.command_line.launched import Launched

OTHER = "another-secret-of-some-other-Express-app-0123456789"


class Person:
    """Somebody new with a password, who can sign in."""

    def __init__(self, up: Launched) -> None:
        self._up = up
        made = told(up.folder, "users", "create", f"bo.{uuid4().hex[:8]}@example.com")
        self.email, self.user_id, self._password = made["email"], made["user_id"], made["password"]

    def sign_in(self) -> pb.CreateSessionResponse:
        request = pb.CreateSessionRequest(email=self.email, password=self._password, device_name="Bo's phone")
        with client.connect(self._up.state["identity"]["address"]) as channel:
            return client.call(channel, "identity.v1.SessionService/CreateSession", request, pb.CreateSessionResponse)


@pytest.fixture(scope="module")
def bo(up: Launched) -> Person:
    return Person(up)


@pytest.fixture
def rows(up: Launched) -> "Iterator[psycopg.Connection[Any]]":
    with psycopg.connect(up.state["identity"]["database_url"], autocommit=True) as connection:
        yield connection


def inspected(up: Launched, token: str) -> Any:
    """By stdin, as it stays out of the history."""
    done = invoke(up.folder, "sessions", "inspect", "-", "--json", typed=f"{token}\n")
    found = json.loads(done.stdout)
    assert done.exit_code == (0 if found["valid"] else 1)
    return found


def sid(token: str) -> str:
    return token[2:].rpartition(".")[0]


def test_sessions_are_listed_newest_first_and_ended_one_or_all(up: Launched) -> None:
    person = Person(up)
    first, second, third = (person.sign_in().session.session_id for _ in range(3))
    lines = invoke(up.folder, "sessions", "list", person.email).stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["session_id", third, second, first]
    assert lines[1].split("\t")[4:] == ["127.0.0.1", "pwd", "Bo's phone"]
    ended = told(up.folder, "sessions", "revoke", person.email, second)
    assert ended == {"user_id": person.user_id, "email": person.email, "revoked_count": 1}
    listed = invoke(up.folder, "sessions", "list", person.user_id, "--json").stdout.splitlines()
    assert [json.loads(line)["session_id"] for line in listed] == [third, first]
    again = invoke(up.folder, "sessions", "revoke", person.email, second)
    assert (again.exit_code, again.stdout) == (0, f"{person.email}   0 ended\n")
    assert again.stderr.startswith("Nothing to end")
    assert told(up.folder, "sessions", "revoke", person.email, "--all")["revoked_count"] == 2
    assert invoke(up.folder, "sessions", "list", person.email, "--json").stdout == ""


@pytest.mark.parametrize("more", [[], [str(uuid4()), "--all"]])
def test_revoking_takes_one_session_or_all_of_them(up: Launched, bo: Person, more: list[str]) -> None:
    refused = invoke(up.folder, "sessions", "revoke", bo.email, *more)
    assert refused.exit_code == 2
    assert refused.stderr.splitlines()[1] == f"which there are:  tenantry sessions list {bo.email}"


def test_an_unknown_person_has_no_sessions_to_list(up: Launched) -> None:
    refused = invoke(up.folder, "sessions", "list", "nobody@example.com")
    assert refused.exit_code == 4
    assert refused.stderr.splitlines()[1] == "create them:  tenantry users create nobody@example.com"


def test_a_valid_token_says_whose_it_is_and_until_when(up: Launched, bo: Person) -> None:
    made = bo.sign_in()
    found = inspected(up, made.token)
    assert found["valid"]
    assert (found["email"], found["session_id"]) == (bo.email, made.session.session_id)
    assert found["ends"][:19] == f"{made.session.expire_time.ToDatetime():%Y-%m-%dT%H:%M:%S}"


def test_nothing_that_opens_a_session_is_printed(up: Launched, bo: Person) -> None:
    token = bo.sign_in().token
    for given in (token, sid(token), quote(token, safe=""), f"{token}x", tokens.sign(sid(token), OTHER.encode())):
        for arguments in ([given], [given, "--json"]):
            done = invoke(up.folder, "sessions", "inspect", *arguments)
            assert sid(token) not in done.output
            assert not any(secret in done.output for secret in up.state["session_secrets"])


def test_each_of_the_usual_causes_is_told_apart(up: Launched, bo: Person) -> None:
    token = bo.sign_in().token
    signature = token.rpartition(".")[2]
    while not set(signature) & set("+/"):
        token = bo.sign_in().token
        signature = token.rpartition(".")[2]
    url_safe = token.replace(signature, signature.replace("+", "-").replace("/", "_"))
    causes = {
        "": "NOT_A_TOKEN",
        "hello": "NOT_A_TOKEN",
        "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl": "NOT_A_TOKEN",
        f"s:{'x' * 600}.{signature}": "NOT_A_TOKEN",
        f"s:\0.{signature}": "NOT_A_TOKEN",
        str(uuid4()): "SESSION_ID",
        sid(token): "BARE_SID",
        f"s:{sid(token)}": "BARE_SID",
        quote(token, safe=""): "URL_ENCODED",
        quote(quote(token, safe=""), safe=""): "URL_ENCODED",
        f"connect.sid={quote(token, safe='')}; Path=/": "URL_ENCODED",
        f"Bearer {token}": "VALID",
        f'"{token}"': "VALID",
        token[:-4]: "DAMAGED",
        f"{token}=": "SIGNATURE_REWRITTEN",
        url_safe: "SIGNATURE_REWRITTEN",
        tokens.sign(sid(token), OTHER.encode()): "OTHER_SECRET",
        tokens.sign("n" * 32, up.state["session_secrets"][0].encode()): "UNKNOWN",
    }
    assert {given: inspected(up, given)["cause"] for given in causes} == causes


def test_a_session_that_was_ended_is_known_as_such(up: Launched, bo: Person) -> None:
    made = bo.sign_in()
    told(up.folder, "sessions", "revoke", bo.email, made.session.session_id)
    assert inspected(up, made.token)["cause"] == "ENDED"


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ("expire = now() - interval '1 second'", "IDLE"),
        ("absolute_expires_at = now() - interval '1 second'", "OVER"),
        ("sess = sess - 'userId'", "NOBODY"),
        ('sess = sess || \'{"userId": "4711"}\'', "USER_UNKNOWN"),
    ],
)
def test_a_session_that_is_there_but_refused(
    up: Launched, bo: Person, rows: "psycopg.Connection[Any]", change: str, cause: str
) -> None:
    made = bo.sign_in()
    rows.execute(f"UPDATE session SET {change} WHERE session_id = %s".encode(), (made.session.session_id,))
    assert inspected(up, made.token)["cause"] == cause


def test_a_session_of_a_suspended_person_says_so(up: Launched, rows: "psycopg.Connection[Any]") -> None:
    person = Person(up)
    made = person.sign_in()
    rows.execute("UPDATE users SET state = 'SUSPENDED' WHERE user_id = %s", (person.user_id,))
    assert inspected(up, made.token)["cause"] == "USER_SUSPENDED"


def test_a_retired_secret_is_named_by_its_place(up: Launched, bo: Person) -> None:
    token = bo.sign_in().token
    outside = {
        "TENANTRY_DATA_DIR": str(up.folder.parent),  # where no pair runs
        "SESSION_SECRETS": f"{OTHER}, {up.state['session_secrets'][0]}",
        "DATABASE_URL": up.state["identity"]["database_url"],
    }
    done = invoke(up.folder, "sessions", "inspect", token, **outside)
    assert done.exit_code == 0
    assert "Signed by secret 2 of 2, a retired one" in done.stdout
    alone = invoke(up.folder, "sessions", "inspect", token, **{**outside, "SESSION_SECRETS": OTHER})
    assert (alone.exit_code, alone.stdout.splitlines()[0][:6]) == (1, "no    ")
    unreached = {**outside, "DATABASE_URL": "postgresql://127.0.0.1:9/none"}
    assert invoke(up.folder, "sessions", "inspect", token, **unreached).exit_code == 3


def test_without_a_pair_all_that_is_missing_is_named(up: Launched) -> None:
    refused = invoke(up.folder, "sessions", "inspect", "x", TENANTRY_DATA_DIR=str(up.folder.parent))
    assert refused.exit_code == 2
    assert "SESSION_SECRETS and DATABASE_URL of identity is not set" in refused.stderr
