"""tenancy.v1.AccessService: the answers."""

from pathlib import Path
from uuid import uuid4

import grpc
import pytest

from protos.tenancy.v1 import access_pb2 as pb
from protos.tenancy.v1.access_pb2_grpc import AccessServiceStub
from protos.tenancy.v1.roles_pb2 import OrgRole, ProjectRole, RoleSource
from shared.reasons import Reason
from tenancy_service.permissions import BUILT_IN
from tenancy_service.permissions_file import read_permissions
from tenantry.testing.pair import Pair, running_tenancy
from tenantry.testing.people import AS_OPERATOR, People, TestPerson
from tests.calls import fails, outcome


@pytest.fixture(scope="module")
def access(tenancy: grpc.aio.Channel) -> AccessServiceStub:
    return AccessServiceStub(tenancy)


def ask(permission: str, project_id: str = "", organization_id: str = "") -> pb.CheckAccessRequest:
    return pb.CheckAccessRequest(permission=permission, project_id=project_id, organization_id=organization_id)


async def test_every_answer_says_the_role_where_it_comes_from_and_why(
    access: AccessServiceStub, people: People
) -> None:
    ada, bo, cy, di, zoe = await people.persons(5)
    acme = await people.organization(ada, ADMIN=di, MEMBER=[bo, cy])
    api = await people.project(acme, ada, NONE=cy, EDITOR=di)

    async def told(person: TestPerson, permission: str) -> tuple[bool, str, str, str]:
        answer = await access.CheckAccess(ask(permission, api), metadata=person.metadata)
        assert answer.user_id == person.user_id
        return (
            answer.allowed,
            ProjectRole.Name(answer.project_role).removeprefix("PROJECT_ROLE_"),
            RoleSource.Name(answer.source).removeprefix("ROLE_SOURCE_"),
            answer.reason,
        )

    assert await told(ada, "project:update") == (True, "ADMIN", "OWNER", "owners may do everything")
    assert await told(bo, "project:read") == (
        True, "VIEWER", "INHERITED", "VIEWER, inherited as MEMBER of the organization",
    )  # fmt: skip
    assert (await told(bo, "project:update"))[:3] == (False, "VIEWER", "INHERITED")
    assert (await told(cy, "project:read"))[:3] == (False, "NONE", "OVERRIDE")
    assert await told(di, "project:update") == (
        False, "EDITOR", "OVERRIDE", "EDITOR, set on this project; project:update needs ADMIN",
    )  # fmt: skip
    assert (await told(zoe, "project:read"))[:3] == (False, "NONE", "NOT_A_MEMBER")


async def test_one_id_or_both_give_the_same_answer_and_both_must_fit(access: AccessServiceStub, people: People) -> None:
    ada = await people.person()
    acme, other = await people.organization(ada), await people.organization(ada)
    api = await people.project(acme, ada)
    alone = await access.CheckAccess(ask("project:read", api), metadata=ada.metadata)
    assert await access.CheckAccess(ask("project:read", api, acme), metadata=ada.metadata) == alone
    assert alone.allowed
    mixed = await access.CheckAccess(ask("project:read", api, other), metadata=ada.metadata)
    made_up = await access.CheckAccess(ask("project:read", str(uuid4()), other), metadata=ada.metadata)
    assert mixed == made_up
    assert (mixed.allowed, mixed.organization_role) == (False, OrgRole.ORG_ROLE_UNSPECIFIED)


async def test_an_organization_is_asked_about_alone(access: AccessServiceStub, people: People) -> None:
    ada, guest = await people.persons(2)
    acme = await people.organization(ada, GUEST=guest)
    answer = await access.CheckAccess(ask("organization:read", organization_id=acme), metadata=guest.metadata)
    assert answer.allowed
    assert (answer.organization_role, answer.source) == (OrgRole.ORG_ROLE_GUEST, RoleSource.ROLE_SOURCE_MEMBER)
    assert answer.project_role == ProjectRole.PROJECT_ROLE_UNSPECIFIED
    answer = await access.CheckAccess(ask("members:update", organization_id=acme), metadata=guest.metadata)
    assert not answer.allowed
    assert answer.reason == "GUEST of the organization; members:update needs ADMIN"


async def test_a_place_of_others_and_one_that_does_not_exist_answer_alike_to_the_byte(
    access: AccessServiceStub, people: People
) -> None:
    ada, zoe = await people.persons(2)
    acme = await people.organization(ada)
    api = await people.project(acme, ada)
    nothing = str(uuid4())
    for permission, hidden, absent in (
        ("project:read", ask("project:read", api), ask("project:read", nothing)),
        ("members:read", ask("members:read", api), ask("members:read", nothing)),
        ("members:read", ask("members:read", "", acme), ask("members:read", "", nothing)),
        ("project:read", ask("project:read", api, acme), ask("project:read", nothing, nothing)),
    ):
        outcomes = [await outcome(access.CheckAccess(q, metadata=zoe.metadata)) for q in (hidden, absent)]
        assert outcomes[0] == outcomes[1], permission
        assert outcomes[0].startswith(b"OK")


async def test_an_unknown_permission_is_an_error_that_names_the_nearest(
    access: AccessServiceStub, people: People
) -> None:
    ada = await people.person()
    async with fails(Reason.PERMISSION_UNKNOWN) as failure:
        await access.CheckAccess(ask("projects:read", str(uuid4())), metadata=ada.metadata)
    assert failure.message == (
        '"projects:read" is not defined. Nearest: "project:read". Add your own in permissions.toml.'
    )


async def test_strangers_do_not_learn_which_permissions_there_are(access: AccessServiceStub) -> None:
    question = ask("projects:read", str(uuid4()))
    nobody = (("authorization", "Bearer s:x.y"),)
    async with fails(Reason.SESSION_INVALID):
        await access.CheckAccess(question, metadata=nobody)
    async with fails(Reason.SESSION_INVALID):
        await access.BatchCheckAccess(pb.BatchCheckAccessRequest(requests=[question]), metadata=nobody)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (ask("project:read"), "project_id"),
        (ask("project:read", organization_id=str(uuid4())), "project_id"),
        (ask("organization:read"), "organization_id"),
        (ask("project:read", "api"), "project_id"),
        (ask("x" * 102, str(uuid4())), "permission"),
        (ask("project:read", "NONE"), "project_id"),
    ],
)
async def test_a_question_that_cannot_be_is_refused(
    access: AccessServiceStub, people: People, request_: pb.CheckAccessRequest, field: str
) -> None:
    ada = await people.person()
    async with fails(Reason.BAD_REQUEST) as failure:
        await access.CheckAccess(request_, metadata=ada.metadata)
    assert list(failure.fields) == [field]


async def test_a_session_that_is_not_valid_is_the_only_error(access: AccessServiceStub, people: People) -> None:
    ada = await people.person()
    api = await people.project(await people.organization(ada), ada)
    for token in (ada.sid, "", "s:", f"s:{ada.sid}.", ada.token + "=", ada.token.replace("s:", "s%3A")):
        async with fails(Reason.SESSION_INVALID) as failure:
            await access.CheckAccess(ask("project:read", api), metadata=(("authorization", f"Bearer {token}"),))
        assert "another SESSION_SECRET" in failure.message
    async with fails(Reason.SESSION_REQUIRED) as failure:
        await access.CheckAccess(ask("project:read", api))
    assert failure.message == (
        'This call needs a signed-in person: metadata "authorization: Bearer <token>".'
        " Get a token with SessionService/CreateSession."
    )


async def test_the_session_cookie_is_a_credential_too(access: AccessServiceStub, people: People) -> None:
    ada = await people.person()
    api = await people.project(await people.organization(ada), ada)
    cookie = "theme=dark; connect.sid=" + ada.token.replace(":", "%3A").replace("+", "%2B").replace("/", "%2F")
    assert (await access.CheckAccess(ask("project:read", api), metadata=(("cookie", cookie),))).allowed


async def test_a_service_asks_for_the_session_of_somebody_else_and_a_person_does_not(
    access: AccessServiceStub, people: People
) -> None:
    ada, zoe = await people.persons(2)
    question = ask("project:read", await people.project(await people.organization(ada), ada))
    question.session_token = ada.token
    assert (await access.CheckAccess(question, metadata=AS_OPERATOR)).user_id == ada.user_id
    async with fails(Reason.SERVICE_KEY_REQUIRED):
        await access.CheckAccess(question, metadata=zoe.metadata)
    question.ClearField("session_token")
    async with fails(Reason.SESSION_REQUIRED):
        await access.CheckAccess(question, metadata=AS_OPERATOR)


async def test_a_service_asks_about_a_user_without_a_session_and_a_person_does_not(
    access: AccessServiceStub, people: People
) -> None:
    ada, zoe = await people.persons(2)
    question = ask("project:read", await people.project(await people.organization(ada), ada))
    theirs = await access.CheckAccess(question, metadata=ada.metadata)
    question.user_id = ada.user_id
    for metadata in (AS_OPERATOR, AS_OPERATOR + zoe.metadata):
        assert await access.CheckAccess(question, metadata=metadata) == theirs
    async with fails(Reason.SERVICE_KEY_REQUIRED):  # not even about oneself
        await access.CheckAccess(question, metadata=ada.metadata)
    question.user_id = str(uuid4())  # nobody looks whether they exist
    nobody = await access.CheckAccess(question, metadata=AS_OPERATOR)
    assert (nobody.allowed, nobody.source) == (False, RoleSource.ROLE_SOURCE_NOT_A_MEMBER)
    question.session_token = ada.token
    async with fails(Reason.BAD_REQUEST) as failure:
        await access.CheckAccess(question, metadata=AS_OPERATOR)
    assert failure.fields == {"user_id": "either this or session_token"}
    unknown = pb.CheckAccessRequest(permission="projects:read", project_id=str(uuid4()), user_id=ada.user_id)
    async with fails(Reason.PERMISSION_UNKNOWN):
        await access.CheckAccess(unknown, metadata=AS_OPERATOR)


async def test_users_and_sessions_are_asked_about_in_one_batch(access: AccessServiceStub, people: People) -> None:
    ada, bo = await people.persons(2)
    api = await people.project(await people.organization(ada, MEMBER=bo), ada)
    request = pb.BatchCheckAccessRequest()
    for who in (
        {"user_id": bo.user_id},
        {"session_token": "s:x.y"},
        {"session_token": ada.token},
        {"user_id": ada.user_id},
    ):
        request.requests.add(project_id=api, permission="project:update", **who)
    results = (await access.BatchCheckAccess(request, metadata=AS_OPERATOR)).results
    assert [(result.error_reason, result.answer.user_id, result.answer.allowed) for result in results] == [
        ("", bo.user_id, False), ("SESSION_INVALID", "", False), ("", ada.user_id, True), ("", ada.user_id, True),
    ]  # fmt: skip


async def test_a_batch_answers_in_order_and_one_bad_session_of_a_hundred_spoils_nothing(
    access: AccessServiceStub, people: People
) -> None:
    ada, bo, zoe = await people.persons(3)
    acme = await people.organization(ada, MEMBER=bo)
    api = await people.project(acme, ada)
    request = pb.BatchCheckAccessRequest()
    for n in range(100):
        question = request.requests.add(project_id=api, permission="project:update" if n % 2 else "project:read")
        question.session_token = [ada.token, bo.token, zoe.token][n % 3]
    request.requests[37].session_token = ada.token[:-1] + "x"
    results = (await access.BatchCheckAccess(request, metadata=AS_OPERATOR)).results
    assert len(results) == 100
    for n, result in enumerate(results):
        if n == 37:
            assert result.error_reason == "SESSION_INVALID"
        else:
            assert result.answer.allowed is ((True, n % 2 == 0, False)[n % 3]), n


async def test_a_persons_batch_is_about_themselves(access: AccessServiceStub, people: People) -> None:
    ada = await people.person()
    api = await people.project(await people.organization(ada), ada)
    request = pb.BatchCheckAccessRequest(requests=[ask("project:read", api), ask("project:read", str(uuid4()))])
    results = (await access.BatchCheckAccess(request, metadata=ada.metadata)).results
    assert [result.answer.allowed for result in results] == [True, False]
    async with fails(Reason.SESSION_INVALID):
        await access.BatchCheckAccess(request, metadata=(("authorization", "Bearer s:x.y"),))


async def test_a_batch_of_none_or_too_many_or_with_a_bad_question_is_refused(
    access: AccessServiceStub, people: People
) -> None:
    ada = await people.person()
    for count in (0, 1001):
        request = pb.BatchCheckAccessRequest(requests=[ask("members:read", organization_id=str(uuid4()))] * count)
        async with fails(Reason.BAD_REQUEST) as failure:
            await access.BatchCheckAccess(request, metadata=ada.metadata)
        assert failure.fields == {"requests": f"{count} items, 1 to 1,000 are allowed"}
    request = pb.BatchCheckAccessRequest(requests=[ask("members:read", organization_id=str(uuid4())), ask("a:b", "x")])
    async with fails(Reason.BAD_REQUEST) as failure:
        await access.BatchCheckAccess(request, metadata=ada.metadata)
    assert list(failure.fields) == ["requests[1].project_id"]


async def test_all_permissions_are_listed_with_their_least_role(access: AccessServiceStub, people: People) -> None:
    ada = await people.person()
    listed = (await access.ListPermissions(pb.ListPermissionsRequest(), metadata=ada.metadata)).permissions
    assert [permission.permission for permission in listed] == sorted(BUILT_IN)
    by_name = {permission.permission: permission for permission in listed}
    assert by_name["project:read"].project_role == ProjectRole.PROJECT_ROLE_VIEWER
    assert by_name["members:update"].organization_role == OrgRole.ORG_ROLE_ADMIN
    assert all(permission.built_in for permission in listed)


async def test_a_deployments_own_permission_is_checked_like_a_built_in_one(
    pair: Pair, people: People, tmp_path: Path
) -> None:
    file = tmp_path / "permissions.toml"
    file.write_text('[project]\n"containers:restart" = "EDITOR"\n')
    settings = pair.tenancy_settings.model_copy(update={"permissions": read_permissions(file)})
    ada, bo, cy = await people.persons(3)
    api = await people.project(await people.organization(ada, MEMBER=[bo, cy]), ada, EDITOR=bo)
    async with running_tenancy(settings) as tenancy:
        access = AccessServiceStub(tenancy.channel)
        for person, allowed in ((ada, True), (bo, True), (cy, False)):
            answer = await access.CheckAccess(ask("containers:restart", api), metadata=person.metadata)
            assert answer.allowed is allowed
        listed = (await access.ListPermissions(pb.ListPermissionsRequest(), metadata=ada.metadata)).permissions
        assert [p.permission for p in listed if not p.built_in] == ["containers:restart"]
