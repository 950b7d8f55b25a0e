"""tenancy.v1.AccessService/ExplainAccess: the answer of CheckAccess, and how it comes about."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import product
from uuid import uuid4

import grpc
import psycopg
import pytest

from protos.tenancy.v1 import access_pb2 as pb
from protos.tenancy.v1.access_pb2_grpc import AccessServiceStub
from protos.tenancy.v1.roles_pb2 import OrgRole, ProjectRole
from shared.reasons import Reason
from tenancy_service.permissions import ProjectRole as ProjectRoles
from tenantry.testing.pair import Pair, running_tenancy
from tenantry.testing.people import AS_OPERATOR, Metadata, People, TestPerson
from tests.calls import fails, outcome

Write = Callable[..., Awaitable[None]]


@pytest.fixture(scope="module")
def access(tenancy: grpc.aio.Channel) -> AccessServiceStub:
    return AccessServiceStub(tenancy)


@pytest.fixture(scope="module")
def write(pair: Pair) -> Write:
    async def execute(statement: str, *values: object) -> None:
        async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
            await connection.execute(statement.encode(), values)

    return execute


async def slugs(pair: Pair, project_id: str) -> tuple[str, str]:
    query = "SELECT o.slug, p.slug FROM organizations o JOIN projects p USING (organization_id) WHERE project_id = %s"
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
        row = await (await connection.execute(query, (project_id,))).fetchone()
    assert row is not None
    return row[0], row[1]


def ask(permission: str, project_id: str = "", **more: str) -> pb.ExplainAccessRequest:
    return pb.ExplainAccessRequest(permission=permission, project_id=project_id, **more)


def kinds(response: pb.ExplainAccessResponse) -> list[str | None]:
    return [step.WhichOneof("step") for step in response.steps]


async def test_the_path_of_an_override_is_told_with_who_set_it_and_when(
    access: AccessServiceStub, pair: Pair, people: People
) -> None:
    ada, bo = await people.persons(2)
    api = await people.project(await people.organization(ada, MEMBER=bo), ada, EDITOR=bo)
    acme_slug, api_slug = await slugs(pair, api)
    told = await access.ExplainAccess(ask("project:update", api), metadata=bo.metadata)
    assert told.explanation == (
        f"MEMBER of {acme_slug}; {acme_slug} gives members VIEWER; overridden to EDITOR on {api_slug} by {ada.email} "
        f"on {datetime.now(UTC):%Y-%m-%d}; project:update needs ADMIN: not allowed"
    )
    assert kinds(told) == ["membership", "inheritance", "override", "requirement"]
    membership, inheritance, override, requirement = told.steps
    assert membership.membership.organization_slug == acme_slug
    assert inheritance.inheritance.project_role == ProjectRole.PROJECT_ROLE_VIEWER
    assert (override.override.project_slug, override.override.set_by_user_id) == (api_slug, ada.user_id)
    assert override.override.set_time.seconds > 0
    assert not override.override.HasField("expire_time")
    assert requirement.requirement.project_role == ProjectRole.PROJECT_ROLE_ADMIN
    assert not requirement.requirement.satisfied
    assert told.needed_project_role == ProjectRole.PROJECT_ROLE_ADMIN
    read = await access.ExplainAccess(ask("project:read", api), metadata=bo.metadata)
    assert read.explanation.endswith("; project:read needs VIEWER: allowed")
    assert read.WhichOneof("needed") is None


async def test_a_setter_who_is_a_service_or_gone_or_unknown_is_named_so(
    access: AccessServiceStub, people: People, write: Write
) -> None:
    ada, bo = await people.persons(2)
    api = await people.project(await people.organization(ada, MEMBER=bo), ada)

    async def by(**setter: object) -> tuple[str, pb.ExplainStep.Override]:
        await write(
            "UPDATE project_members SET set_by_user_id = NULL, set_by_service = NULL WHERE project_id = %s", api
        )
        for column, value in setter.items():
            await write(f"UPDATE project_members SET {column} = %s WHERE project_id = %s", value, api)
        told = await access.ExplainAccess(ask("project:read", api), metadata=bo.metadata)
        return told.explanation, told.steps[2].override

    await people.set_role(api, bo, "VIEWER", ada)
    assert " by somebody who is gone on 2" in (await by(set_by_user_id=uuid4()))[0]
    sentence, step = await by(set_by_service="billing")
    assert " by service billing on 2" in sentence
    assert (step.set_by_service, step.set_by_user_id) == ("billing", "")
    assert " by " not in (await by())[0]


async def test_when_a_membership_or_an_override_ends_is_told_and_afterwards_it_is_not_there(
    access: AccessServiceStub, people: People, write: Write
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    api = await people.project(acme, ada, NONE=bo)

    async def told() -> pb.ExplainAccessResponse:
        return await access.ExplainAccess(ask("project:read", api), metadata=bo.metadata)

    await write("UPDATE project_members SET expire_time = '2100-01-02 03:04' WHERE project_id = %s", api)
    await write(
        "UPDATE organization_members SET expire_time = '2101-01-02 03:04' WHERE organization_id = %s AND user_id = %s",
        acme, bo.user_id,
    )  # fmt: skip
    before = await told()
    assert before.steps[0].membership.expire_time.ToJsonString() == "2101-01-02T03:04:00Z"
    assert before.steps[2].override.expire_time.ToJsonString() == "2100-01-02T03:04:00Z"
    assert " until 2101-01-02 03:04 UTC; " in before.explanation
    assert " until 2100-01-02 03:04 UTC; project:read needs VIEWER: not allowed" in before.explanation
    await write("UPDATE project_members SET expire_time = now() WHERE project_id = %s", api)
    assert (kinds(await told()), (await told()).answer.allowed) == (["membership", "inheritance", "requirement"], True)
    await write(
        "UPDATE organization_members SET expire_time = now() WHERE organization_id = %s AND user_id = %s",
        acme, bo.user_id,
    )  # fmt: skip
    assert kinds(await told()) == ["membership", "requirement"]


async def test_it_agrees_with_the_check_for_everybody_and_every_permission(
    access: AccessServiceStub, pair: Pair, people: People
) -> None:
    ada, di, bo, cy, guest, lent, zoe = await people.persons(7)
    acme = await people.organization(ada, ADMIN=di, MEMBER=[bo, cy], GUEST=[guest, lent])
    api = await people.project(acme, ada, VIEWER=di, NONE=cy, EDITOR=lent)
    everybody, permissions = (ada, di, bo, cy, guest, lent, zoe), pair.tenancy_settings.permissions.items()
    for place in ({"project_id": api}, {"organization_id": acme}, {"project_id": str(uuid4())}):
        for person, (permission, least) in product(everybody, permissions):
            if "project_id" not in place and isinstance(least, ProjectRoles):
                continue
            question = ask(permission, user_id=person.user_id, **place)
            check = pb.CheckAccessRequest.FromString(question.SerializeToString())  # the same fields
            checked = await access.CheckAccess(check, metadata=AS_OPERATOR)
            told = await access.ExplainAccess(question, metadata=AS_OPERATOR)
            assert told.answer == checked
            assert told.explanation.endswith(": allowed" if checked.allowed else ": not allowed")
            assert told.steps[-1].requirement.satisfied is checked.allowed
            is_member = checked.organization_role != OrgRole.ORG_ROLE_UNSPECIFIED
            assert (told.WhichOneof("needed") is not None) is (is_member and not checked.allowed)


async def test_a_place_of_others_and_one_that_is_not_there_are_explained_alike_to_the_byte(
    access: AccessServiceStub, people: People
) -> None:
    ada, zoe = await people.persons(2)
    acme = await people.organization(ada)
    api, nothing = await people.project(acme, ada), str(uuid4())
    for hidden, absent in (
        (ask("project:read", api), ask("project:read", nothing)),
        (ask("members:read", organization_id=acme), ask("members:read", organization_id=nothing)),
        (ask("project:read", api, organization_id=acme), ask("project:read", nothing, organization_id=nothing)),
        (ask("project:read", api, user_id=ada.user_id), ask("project:read", nothing, user_id=ada.user_id)),
    ):
        told = [await outcome(access.ExplainAccess(question, metadata=zoe.metadata)) for question in (hidden, absent)]
        assert told[0] == told[1]
    to_zoe = await access.ExplainAccess(ask("project:read", api), metadata=zoe.metadata)
    assert kinds(to_zoe) == ["membership", "requirement"]
    assert to_zoe.steps[0].membership == pb.ExplainStep.Membership()
    assert to_zoe.WhichOneof("needed") is None


async def test_about_others_one_asks_where_one_may_read_the_members(access: AccessServiceStub, people: People) -> None:
    ada, bo, cy, guest, zoe = await people.persons(5)
    acme = await people.organization(ada, MEMBER=[bo, cy], GUEST=guest)
    api = await people.project(acme, ada, NONE=cy, VIEWER=guest)

    async def about_ada(person: TestPerson, **place: str) -> bool:
        question = ask("project:read" if "project_id" in place else "members:read", user_id=ada.user_id, **place)
        return (await access.ExplainAccess(question, metadata=person.metadata)).answer.user_id == ada.user_id

    assert await about_ada(bo, project_id=api)
    assert await about_ada(bo, organization_id=acme)
    assert await about_ada(bo, organization_id=acme, project_id=api)
    assert await about_ada(cy, organization_id=acme)
    for person, place in (
        (cy, {"project_id": api}),  # locked out of the project
        (guest, {"project_id": api}),  # sees the project, but not who is in the organization
        (guest, {"organization_id": acme}),
        (zoe, {"project_id": api}),
        (bo, {"project_id": api, "organization_id": str(uuid4())}),
    ):
        async with fails(Reason.PERMISSION_DENIED):
            await about_ada(person, **place)
    # About oneself everybody may, also by name.
    question = ask("project:read", api, user_id=cy.user_id)
    assert not (await access.ExplainAccess(question, metadata=cy.metadata)).answer.allowed


async def test_a_user_of_others_and_one_who_does_not_exist_are_explained_alike(
    access: AccessServiceStub, people: People
) -> None:
    ada, zoe = await people.persons(2)
    theirs = await people.organization(zoe)
    await people.project(theirs, zoe)
    api = await people.project(await people.organization(ada), ada)
    told = []
    for user_id in (zoe.user_id, str(uuid4())):
        told.append(await access.ExplainAccess(ask("project:read", api, user_id=user_id), metadata=ada.metadata))
        assert told[-1].answer.user_id == user_id
        told[-1].answer.ClearField("user_id")
    assert told[0] == told[1]


async def test_services_ask_about_anybody_by_session_or_by_id_and_with_a_person_the_person_decides(
    access: AccessServiceStub, people: People
) -> None:
    ada, zoe = await people.persons(2)
    api = await people.project(await people.organization(ada), ada)
    by_id, by_session = (
        ask("project:read", api, user_id=ada.user_id),
        ask("project:read", api, session_token=ada.token),
    )
    for question in (by_id, by_session):
        told = await access.ExplainAccess(question, metadata=AS_OPERATOR)
        assert (told.answer.user_id, told.answer.allowed) == (ada.user_id, True)
        async with fails(Reason.PERMISSION_DENIED):
            await access.ExplainAccess(question, metadata=AS_OPERATOR + zoe.metadata)
    async with fails(Reason.SERVICE_KEY_REQUIRED):
        await access.ExplainAccess(by_session, metadata=zoe.metadata)
    async with fails(Reason.SESSION_REQUIRED):
        await access.ExplainAccess(ask("project:read", api), metadata=AS_OPERATOR)


NOBODY: Metadata = (("authorization", "Bearer s:x.y"),)


async def test_a_session_that_is_not_valid_is_refused_before_anything_is_told(
    access: AccessServiceStub, people: People
) -> None:
    ada = await people.person()
    for question, metadata in (
        (ask("nosuch:thing", str(uuid4())), NOBODY),
        (ask("project:read", str(uuid4()), user_id=ada.user_id), AS_OPERATOR + NOBODY),
        (ask("nosuch:thing", str(uuid4()), session_token="s:x.y"), AS_OPERATOR),
    ):
        async with fails(Reason.SESSION_INVALID):
            await access.ExplainAccess(question, metadata=metadata)
    async with fails(Reason.PERMISSION_UNKNOWN):
        await access.ExplainAccess(ask("projects:read", str(uuid4())), metadata=ada.metadata)


@pytest.mark.parametrize(
    ("question", "fields"),
    [
        (ask("project:read", user_id=str(uuid4())), ["project_id"]),
        (ask("members:read", user_id=str(uuid4())), ["organization_id"]),
        (ask("project:read", "api", user_id="x"), ["user_id", "project_id"]),
        (ask("x" * 102, str(uuid4()), user_id=str(uuid4())), ["permission"]),
        (ask("project:read", str(uuid4()), user_id=str(uuid4()), session_token="s:x"), ["user_id"]),
        (ask("project:read", str(uuid4()), session_token="x" * 513), ["session_token"]),
    ],
)
async def test_a_question_that_cannot_be_is_refused(
    access: AccessServiceStub, question: pb.ExplainAccessRequest, fields: list[str]
) -> None:
    async with fails(Reason.BAD_REQUEST) as failure:
        await access.ExplainAccess(question, metadata=AS_OPERATOR)
    assert list(failure.fields) == fields


async def test_without_identity_a_service_is_told_all_but_who_set_an_override(pair: Pair, people: People) -> None:
    ada, bo = await people.persons(2)
    api = await people.project(await people.organization(ada, MEMBER=bo), ada, EDITOR=bo)
    settings = pair.tenancy_settings.model_copy(update={"identity_address": "127.0.0.1:1"})
    async with running_tenancy(settings) as alone:
        access = AccessServiceStub(alone.channel)
        told = await access.ExplainAccess(ask("project:read", api, user_id=ada.user_id), metadata=AS_OPERATOR)
        assert told.answer.allowed
        async with fails(Reason.IDENTITY_UNAVAILABLE):
            await access.ExplainAccess(ask("project:read", api, user_id=bo.user_id), metadata=AS_OPERATOR)
