"""`tenantry seed`: the people and places of the documentation, and very many."""

from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tenantry import local_secrets
from tenantry.database_urls import service_url
from tenantry.seed.crowd import Crowd
from tests.command_line.invoked import invoke, told
from tests.command_line.launched import Launched
from tests.command_line.people_and_places import lines, refused

SIGN_IN = "identity.v1.SessionService/CreateSession"


def rows(up: Launched, service: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    passwords = local_secrets.load_or_make(up.folder / "secrets.json").passwords()
    with psycopg.connect(service_url(up.state["identity"]["database_url"], service, passwords)) as connection:
        return connection.execute(query.encode(), values).fetchall()


def test_the_places_of_the_documentation_are_made_once_and_answer_as_it_says(up: Launched) -> None:
    first = told(up.folder, "seed")
    names = ["ada@example.com", "bo@example.com", "zoe@example.com", "acme", "acme/api", "acme/web"]
    assert [each["name"] for each in first["made"]] == [*names, "bo@example.com", "bo@example.com"]
    assert {each["state"] for each in first["made"]} == {"created"}
    audited = rows(up, "tenancy", "SELECT count(*) FROM audit_events")
    again = told(up.folder, "seed")
    assert {each["state"] for each in again["made"]} == {"there already"}
    assert again["password"] is None
    assert rows(up, "tenancy", "SELECT count(*) FROM audit_events") == audited
    for who, permission, on, is_yes in (
        ("ada", "project:update", "acme/api", True),
        ("bo", "project:read", "acme/api", True),
        ("bo", "project:update", "acme/api", False),
        ("bo", "project:read", "acme/web", False),
        ("zoe", "project:read", "acme/api", False),
    ):
        done = invoke(up.folder, "check", f"{who}@example.com", permission, on)
        assert done.exit_code == (0 if is_yes else 1), done.output
    assert can_sign_in(up, "bo@example.com", first["password"])


def test_what_has_become_of_the_places_is_left_as_it_is(up: Launched) -> None:
    told(up.folder, "seed")
    told(up.folder, "roles", "set", "acme/web", "bo@example.com", "EDITOR")
    told(up.folder, "members", "update", "acme", "bo@example.com", "--role", "GUEST")
    told(up.folder, "seed")
    [bo] = [row for row in lines(up, "members", "list", "acme") if row["email"] == "bo@example.com"]
    assert bo["role"] == "GUEST"
    assert invoke(up.folder, "check", "bo@example.com", "project:read", "acme/web").exit_code == 0
    told(up.folder, "members", "update", "acme", "bo@example.com", "--role", "MEMBER")
    told(up.folder, "roles", "set", "acme/web", "bo@example.com", "NONE")


def can_sign_in(up: Launched, email: str, password: str) -> bool:
    from protos.identity.v1 import sessions_pb2 as pb
    from tenantry import client

    with client.connect(up.state["identity"]["address"]) as channel:
        request = pb.CreateSessionRequest(email=email, password=password)
        return bool(client.call(channel, SIGN_IN, request, pb.CreateSessionResponse).token)


def test_a_crowd_is_whole_in_both_databases_and_known_to_the_services(up: Launched) -> None:
    size = ("--users", "60", "--organizations", "4", "--projects-per-organization", "3")
    made, other = (told(up.folder, "seed", *size) for _ in range(2))
    tag = made["tag"]
    assert tag != other["tag"]
    assert made["rows"] == {
        "users": 60, "user_names": 60, "organizations": 4, "organization_members": 66, "projects": 12,
        "project_members": 8,
    }  # fmt: skip
    users = rows(up, "identity", "SELECT user_id, email FROM users WHERE email LIKE %s", f"%.{tag}@example.com")
    names = rows(up, "tenancy", "SELECT user_id, email_key FROM user_names WHERE email_key LIKE %s", f"%.{tag}@%")
    assert sorted(users) == sorted(names)
    places = """SELECT o.slug, count(DISTINCT s.slug), count(DISTINCT m.user_id) FILTER (WHERE m.role = 'OWNER'),
                       count(DISTINCT m.user_id), count(DISTINCT p.project_id)
                  FROM organizations o JOIN organization_slugs s USING (organization_id, slug)
                  JOIN organization_members m USING (organization_id) JOIN projects p USING (organization_id)
                 WHERE o.slug LIKE %s GROUP BY o.slug ORDER BY o.slug"""
    found = rows(up, "tenancy", places, f"crowd-{tag}-%")
    assert [(slug, slugs, owners, projects) for slug, slugs, owners, _, projects in found] == [
        (f"crowd-{tag}-{n}", 1, 1, 3) for n in range(1, 5)
    ]
    assert sum(members for _, _, _, members, _ in found) == 66
    assert can_sign_in(up, made["first"], made["password"])
    answers = {
        (1, "project:update", 1): True,  # the owner
        (9, "project:update", 1): False,
        (9, "project:read", 2): True,
        (13, "project:read", 2): False,  # locked out
        (2, "project:read", 1): False,  # of another organization
    }
    for (user, permission, project), is_yes in answers.items():
        place = f"crowd-{tag}-1/project-{project}"
        done = invoke(up.folder, "check", f"user-{user}.{tag}@example.com", permission, place)
        assert done.exit_code == (0 if is_yes else 1), done.output


def test_a_crowd_of_people_alone(up: Launched) -> None:
    made = told(up.folder, "seed", "--users", "3")
    assert {table: count for table, count in made["rows"].items() if count} == {"users": 3, "user_names": 3}


@pytest.mark.parametrize(("users", "organizations", "projects"), [
    (1, 1, 1), (1, 3, 2), (2, 5, 0), (10, 10, 1), (30, 1, 2), (50, 7, 3), (200, 6, 2), (20, 10, 2),
])  # fmt: skip
def test_of_every_size_a_crowd_has_one_owner_everywhere_and_nobody_twice(
    users: int, organizations: int, projects: int
) -> None:
    crowd = Crowd("tag", users, organizations, projects)
    members = list(crowd.member_rows())
    assert len({row[:2] for row in members}) == len(members)
    owners = Counter(place for place, _, role in members if role == "OWNER")
    assert owners == Counter(crowd.organization_ids)
    assert {user for _, user, _ in members} == set(crowd.user_ids)
    roles = {row[:2]: row[2] for row in members}
    overrides = list(crowd.override_rows())
    assert len({row[:3] for row in overrides}) == len(overrides)
    there = {row[:2] for row in crowd.project_rows()}
    assert len(there) == organizations * projects
    for organization_id, project_id, user_id, *_ in overrides:
        assert (organization_id, project_id) in there
        assert roles[organization_id, user_id] in ("ADMIN", "MEMBER")


@pytest.mark.parametrize("options", [("--organizations", "5"), ("--projects-per-organization", "5"), ("--users", "0")])
def test_wrong_use_is_told(up: Launched, options: tuple[str, ...]) -> None:
    assert "--users" in "\n".join(refused(up, "seed", *options, status=2))


def test_many_need_a_pair_that_runs_here(tmp_path: Path) -> None:
    done = invoke(tmp_path, "seed", "--users", "1")
    assert (done.exit_code, done.stderr) == (3, "error: no pair is running here\nstart one:  make run\n")


def test_on_a_terminal_or_in_a_pipe_the_last_lines_say_how_to_go_on(up: Launched) -> None:
    done = invoke(up.folder, "seed", "--users", "5", "--organizations", "1", "--projects-per-organization", "0")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[1] == "users\t5"
    assert "password of everybody: " in done.stdout
    assert done.stderr.endswith("stop the pair, then  make reset\n")
