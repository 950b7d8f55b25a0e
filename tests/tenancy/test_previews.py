"""`validate_only`: exactly what the act then does, told to those who may do it, and nothing stays."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from google.protobuf.message import Message

from protos.tenancy.v1 import organization_members_pb2 as members
from protos.tenancy.v1 import organizations_pb2 as organizations
from protos.tenancy.v1 import project_members_pb2 as project_members
from protos.tenancy.v1 import projects_pb2 as projects
from protos.tenancy.v1.roles_pb2 import OrgRole, ProjectRole
from shared.caller import Caller, Person, set_caller
from shared.database import Database, Tx
from shared.reasons import Reason
from tenancy_service.permissions import BUILT_IN
from tenancy_service.permissions_file import read_permissions
from tenancy_service.previews import MOST, Previews, Scope
from tenantry.testing.pair import Pair, running_tenancy
from tenantry.testing.people import AS_OPERATOR, Metadata, People, TestPerson
from tests.calls import fails, outcome
from tests.tenancy.races import execute
from tests.tenancy.rpcs import METHODS, call, checks, everything_of


@dataclass
class World:
    """Roles of all kinds in an organization with two projects."""

    acme: str
    api: str
    web: str
    owner: TestPerson
    admin: TestPerson
    member: TestPerson
    locked: TestPerson
    guest: TestPerson

    @property
    def people(self) -> list[TestPerson]:
        return [self.owner, self.admin, self.member, self.locked, self.guest]


async def world(people: People) -> World:
    owner, admin, member, locked, guest = await people.persons(5)
    acme = await people.organization(owner, ADMIN=admin, MEMBER=[member, locked], GUEST=guest)
    api = await people.project(acme, owner, VIEWER=admin, NONE=locked, EDITOR=guest)
    return World(acme, api, await people.project(acme, owner), owner, admin, member, locked, guest)


def update(user: str, role: int) -> Callable[[World], Message]:
    return lambda w: members.UpdateOrganizationMemberRequest(
        organization_id=w.acme,
        user_id=getattr(w, user).user_id,
        role=role,  # type: ignore[arg-type]
    )


def remove(user: str) -> Callable[[World], Message]:
    return lambda w: members.RemoveOrganizationMemberRequest(organization_id=w.acme, user_id=getattr(w, user).user_id)


def leave(w: World) -> Message:
    return members.LeaveOrganizationRequest(organization_id=w.acme)


def set_role(user: str, role: int) -> Callable[[World], Message]:
    return lambda w: project_members.SetProjectRoleRequest(
        project_id=w.api,
        user_id=getattr(w, user).user_id,
        role=role,  # type: ignore[arg-type]
    )


def clear_role(user: str) -> Callable[[World], Message]:
    return lambda w: project_members.ClearProjectRoleRequest(project_id=w.api, user_id=getattr(w, user).user_id)


def delete_project(w: World) -> Message:
    return projects.DeleteProjectRequest(project_id=w.api)


def delete_organization(w: World) -> Message:
    return organizations.DeleteOrganizationRequest(organization_id=w.acme, force=True)


def transfer(w: World) -> Message:
    return organizations.TransferOwnershipRequest(organization_id=w.acme, user_id=w.member.user_id)


# Who does what, and how many places somebody has another role in then.
ACTS: dict[str, tuple[str, Callable[[World], Message], int]] = {
    "a member becomes ADMIN": ("owner", update("member", OrgRole.ORG_ROLE_ADMIN), 3),
    "an ADMIN lowered on one project becomes GUEST": ("owner", update("admin", OrgRole.ORG_ROLE_GUEST), 2),
    "an ADMIN lowered on one project becomes OWNER": ("owner", update("admin", OrgRole.ORG_ROLE_OWNER), 2),
    "a member stays MEMBER": ("owner", update("member", OrgRole.ORG_ROLE_MEMBER), 0),
    "a member is removed": ("admin", remove("member"), 3),
    "a member locked out of one project is removed": ("owner", remove("locked"), 2),
    "a guest is removed": ("admin", remove("guest"), 2),
    "an ADMIN leaves": ("admin", leave, 3),
    "a member is raised on a project": ("owner", set_role("member", ProjectRole.PROJECT_ROLE_EDITOR), 1),
    "a member is locked out of a project": ("owner", set_role("member", ProjectRole.PROJECT_ROLE_NONE), 1),
    "a member is set to what they inherit": ("owner", set_role("member", ProjectRole.PROJECT_ROLE_VIEWER), 0),
    "a lowered ADMIN inherits again": ("owner", clear_role("admin"), 1),
    "nothing is cleared": ("owner", clear_role("member"), 0),
    "a project is deleted": ("owner", delete_project, 4),
    "an organization is deleted": ("owner", delete_organization, 5),
    "the ownership is transferred": ("owner", transfer, 4),
}


def preview_of(request: Message) -> Any:
    preview = type(request)()
    preview.CopyFrom(request)
    preview.validate_only = True  # type: ignore[attr-defined]
    return preview


def test_every_rpc_with_previews_is_tried() -> None:
    with_previews = {name for name, method in METHODS.items() if "validate_only" in method.input_type.fields_by_name}
    nothing = World("", "", "", *[TestPerson("", "", "", "", "")] * 5)
    assert {act(nothing).DESCRIPTOR.full_name for _, act, _ in ACTS.values()} == with_previews


@pytest.mark.parametrize("what", ACTS)
async def test_a_preview_changes_nothing_and_says_exactly_what_the_act_then_does(
    pair: Pair, people: People, what: str
) -> None:
    who, act, count = ACTS[what]
    w = await world(people)
    caller, request = getattr(w, who), act(w)
    places = w.people, w.acme, [w.api, w.web]
    rows, before = await everything_of(pair, w.acme), await checks(pair.tenancy.channel, *places)
    preview = preview_of(request)
    preview.request_id = str(uuid4())
    said = await call(pair.tenancy.channel, preview, caller.metadata)
    assert await everything_of(pair, w.acme) == rows
    assert await results_of(pair, caller) == await results_of(pair, caller, but=preview.request_id)

    done = await call(pair.tenancy.channel, request, caller.metadata)
    assert (done.change_count, len(done.changes)) == (0, 0)
    after = await checks(pair.tenancy.channel, *places)
    # In the organization the one role decides, on a project the other.
    changed = {
        (user, project)
        for (user, project), had in before.items()
        if had[bool(project) :] != after[user, project][bool(project) :]
    }
    if what == "an organization is deleted":  # told where everybody was a member; its projects go with it
        changed = {(user, project) for user, project in changed if not project}
    told = {(change.user_id, change.project_id): change for change in said.changes}
    assert told.keys() == changed
    assert (said.change_count, len(said.changes)) == (count, count)
    assert list(told) == sorted(told)
    for (user_id, project_id), change in told.items():
        had, has = before[user_id, project_id], after[user_id, project_id]
        in_organization = before[user_id, ""][0], after[user_id, ""][0]
        assert (change.organization_role_before, change.organization_role_after) == in_organization
        assert (change.project_role_before, change.project_role_after) == (had[1], has[1])
        assert list(change.gained) == sorted(has[2] - had[2])
        assert list(change.lost) == sorted(had[2] - has[2])


async def results_of(pair: Pair, caller: TestPerson, but: str | None = None) -> int:
    query = "SELECT count(*) FROM request_results WHERE caller = %s AND request_id::text IS DISTINCT FROM %s"
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
        row = await (await connection.execute(query, (caller.user_id, but))).fetchone()
    assert row is not None
    return int(row[0])


REFUSED: dict[str, tuple[str, Callable[[World], Message]]] = {
    "the last owner would leave": ("owner", leave),
    "the last owner would be lowered": ("owner", update("owner", OrgRole.ORG_ROLE_ADMIN)),
    "an ADMIN would lower the owner": ("admin", update("owner", OrgRole.ORG_ROLE_GUEST)),
    "an ADMIN would remove the owner": ("admin", remove("owner")),
    "an owner would be overridden": ("owner", set_role("owner", ProjectRole.PROJECT_ROLE_NONE)),
    "a lowered ADMIN would raise themselves": ("admin", set_role("admin", ProjectRole.PROJECT_ROLE_ADMIN)),
    "an ADMIN would delete the organization": ("admin", delete_organization),
    "an ADMIN would take the ownership": ("admin", transfer),
    "a member would remove somebody": ("member", remove("guest")),
    "a guest would delete a project": ("guest", delete_project),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_the_act_refuses_the_preview_refuses_alike(pair: Pair, people: People, what: str) -> None:
    who, act = REFUSED[what]
    w = await world(people)
    metadata, request = getattr(w, who).metadata, act(w)
    told = await outcome(call(pair.tenancy.channel, preview_of(request), metadata))
    assert told == await outcome(call(pair.tenancy.channel, request, metadata))
    assert not told.startswith(b"OK")


@pytest.mark.parametrize("what", ACTS)
async def test_outsiders_learn_nothing_from_a_preview_nor_that_there_is_a_place(
    pair: Pair, people: People, what: str
) -> None:
    _, act, _ = ACTS[what]
    w, outsider = await world(people), await people.person()
    nowhere = World(str(uuid4()), str(uuid4()), str(uuid4()), *w.people)
    there = await outcome(call(pair.tenancy.channel, preview_of(act(w)), outsider.metadata))
    assert there == await outcome(call(pair.tenancy.channel, preview_of(act(nowhere)), outsider.metadata))
    async with fails(Reason.PERMISSION_DENIED):
        await call(pair.tenancy.channel, preview_of(act(w)), outsider.metadata)


async def test_nobody_changes_the_organization_between_the_two_looks(pair: Pair, people: People) -> None:
    w = await world(people)
    set_caller(Caller(Person(UUID(w.owner.user_id), UUID(w.owner.session_id))))
    database = Database(pair.tenancy.database_url, pool_size=1, name="previews", constraint_errors={})
    lock = "SELECT FROM organizations WHERE organization_id = %s FOR UPDATE NOWAIT"

    async def act(_tx: Tx) -> members.RemoveOrganizationMemberResponse:
        """It locks nothing, so that a lock is not its own."""
        async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
            with pytest.raises(psycopg.errors.LockNotAvailable):
                await connection.execute(lock, (w.acme,))
        return members.RemoveOrganizationMemberResponse()

    said = await Previews(database, BUILT_IN).of(act, Scope(UUID(w.acme)))
    assert said.change_count == 0
    await database.close()
    await execute(pair, lock, (w.acme,))


async def test_a_deployments_own_permissions_are_told_too(pair: Pair, people: People, tmp_path: Path) -> None:
    w = await world(people)
    file = tmp_path / "permissions.toml"
    file.write_text('[project]\n"containers:restart" = "EDITOR"\n')
    settings = pair.tenancy_settings.model_copy(update={"permissions": read_permissions(file)})
    async with running_tenancy(settings) as tenancy:
        preview = preview_of(set_role("member", ProjectRole.PROJECT_ROLE_EDITOR)(w))
        said = await call(tenancy.channel, preview, w.owner.metadata)
    assert [list(change.gained) for change in said.changes] == [["containers:restart"]]


MANY_MEMBERS = """INSERT INTO organization_members (organization_id, user_id, role)
                  SELECT %s, gen_random_uuid(), 'MEMBER' FROM generate_series(1, %s)"""


@pytest.mark.parametrize("as_whom", ["the owner", "a service"])
async def test_more_changes_than_fit_are_counted_all_the_same(pair: Pair, people: People, as_whom: str) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    api = await people.project(acme, ada)
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
        await connection.execute(MANY_MEMBERS, (acme, MOST + 500))
    metadata: Metadata = ada.metadata if as_whom == "the owner" else AS_OPERATOR
    request = projects.DeleteProjectRequest(project_id=api, validate_only=True)
    said = await call(pair.tenancy.channel, request, metadata)
    assert (said.change_count, len(said.changes)) == (MOST + 501, MOST)
    order = [change.user_id for change in said.changes]
    assert order == sorted(order)
