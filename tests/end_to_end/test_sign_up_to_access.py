"""Both services as processes, over TCP: from sign-up to the check after a sign-out, and stopping under load."""

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator

import grpc
import pytest

from protos.identity.v1.sessions_pb2 import CreateSessionRequest, ListSessionsRequest, RevokeSessionRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.identity.v1.users_pb2 import CreateUserRequest, DeleteUserRequest
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from protos.tenancy.v1.access_pb2 import CheckAccessRequest
from protos.tenancy.v1.access_pb2_grpc import AccessServiceStub
from protos.tenancy.v1.organization_members_pb2 import AddOrganizationMemberRequest
from protos.tenancy.v1.organization_members_pb2_grpc import OrganizationMemberServiceStub
from protos.tenancy.v1.organizations_pb2 import CreateOrganizationRequest
from protos.tenancy.v1.organizations_pb2_grpc import OrganizationServiceStub
from protos.tenancy.v1.project_members_pb2 import SetProjectRoleRequest
from protos.tenancy.v1.project_members_pb2_grpc import ProjectMemberServiceStub
from protos.tenancy.v1.projects_pb2 import CreateProjectRequest
from protos.tenancy.v1.projects_pb2_grpc import ProjectServiceStub
from protos.tenancy.v1.roles_pb2 import OrgRole, ProjectRole
from shared.reasons import Reason
from tests.calls import code, fails
from tests.command_line.launched import Launched, launched, new_folder

Metadata = tuple[tuple[str, str], ...]
PASSWORD = "tulip-orbit-canyon-93-maple"


@pytest.fixture
def up() -> Iterator[Launched]:
    with new_folder() as folder, launched(folder) as running:
        running.read_state()
        yield running


async def sign_in(identity: grpc.aio.Channel, name: str, as_operator: Metadata) -> tuple[str, Metadata]:
    email = f"{name}@example.com"
    new = CreateUserRequest(email=email, password=PASSWORD, display_name=name)
    made = await UserServiceStub(identity).CreateUser(new, metadata=as_operator)
    request = CreateSessionRequest(email=email.upper(), password=PASSWORD)
    session = await SessionServiceStub(identity).CreateSession(request)
    return made.user.user_id, (("authorization", f"Bearer {session.token}"),)


async def test_from_sign_up_to_the_check_after_a_sign_out(up: Launched) -> None:
    identity = grpc.aio.insecure_channel(up.state["identity"]["address"])
    tenancy = grpc.aio.insecure_channel(up.state["tenancy"]["address"])
    access = AccessServiceStub(tenancy)
    as_operator = (("x-service-key", up.state["service_keys"]["operator"]),)
    _, as_ada = await sign_in(identity, "ada", as_operator)
    bo, as_bo = await sign_in(identity, "bo", as_operator)

    made = await OrganizationServiceStub(tenancy).CreateOrganization(
        CreateOrganizationRequest(slug="acme"), metadata=as_ada
    )
    acme = made.organization.organization_id
    project = await ProjectServiceStub(tenancy).CreateProject(
        CreateProjectRequest(organization_id=acme, slug="api"), metadata=as_ada
    )
    api = project.project.project_id
    question = CheckAccessRequest(project_id=api, permission="project:read")
    assert not (await access.CheckAccess(question, metadata=as_bo)).allowed
    await OrganizationMemberServiceStub(tenancy).AddOrganizationMember(
        AddOrganizationMemberRequest(organization_id=acme, user_id=bo, role=OrgRole.ORG_ROLE_MEMBER),
        metadata=as_operator + as_ada,
    )
    assert (await access.CheckAccess(question, metadata=as_bo)).allowed
    lower = SetProjectRoleRequest(project_id=api, user_id=bo, role=ProjectRole.PROJECT_ROLE_NONE)
    await ProjectMemberServiceStub(tenancy).SetProjectRole(lower, metadata=as_ada)
    assert not (await access.CheckAccess(question, metadata=as_bo)).allowed

    sessions = SessionServiceStub(identity)
    [session] = (await sessions.ListSessions(ListSessionsRequest(), metadata=as_bo)).sessions
    assert session.ip == "127.0.0.1"
    assert session.user_agent.startswith("grpc-python-asyncio")
    await sessions.RevokeSession(RevokeSessionRequest(), metadata=as_bo)
    async with fails(Reason.SESSION_INVALID):
        await access.CheckAccess(question, metadata=as_bo)
    await UserServiceStub(identity).DeleteUser(DeleteUserRequest(), metadata=as_ada)
    async with fails(Reason.SESSION_INVALID):
        await access.CheckAccess(question, metadata=as_ada)
    await identity.close()
    await tenancy.close()


async def test_stopping_under_load_answers_what_it_took_and_never_wrongly(up: Launched) -> None:
    identity = grpc.aio.insecure_channel(up.state["identity"]["address"])
    tenancy = grpc.aio.insecure_channel(up.state["tenancy"]["address"])
    as_operator = (("x-service-key", up.state["service_keys"]["operator"]),)
    _, as_ada = await sign_in(identity, "ada", as_operator)
    made = await OrganizationServiceStub(tenancy).CreateOrganization(
        CreateOrganizationRequest(slug="acme"), metadata=as_ada
    )
    question = CheckAccessRequest(organization_id=made.organization.organization_id, permission="organization:read")
    access, codes, stopping = AccessServiceStub(tenancy), Counter[str](), asyncio.Event()

    async def keep_asking() -> None:
        while not (stopping.is_set() and codes["UNAVAILABLE"]):
            codes[await code(access.CheckAccess(question, metadata=as_ada, timeout=30))] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(16):
            group.create_task(keep_asking())
        await asyncio.sleep(0.3)
        up.process.send_signal(signal.SIGTERM)
        stopping.set()
    assert codes["OK"] > 50
    # CANCELLED is gRPC's own answer to calls that a stopping server had not begun (grpc/grpc#41785), some of
    # them only when the grace time is over.
    assert codes.keys() <= {"OK", "UNAVAILABLE", "CANCELLED"}, codes
    assert await asyncio.to_thread(up.process.wait, 20) == 0
    await identity.close()
    await tenancy.close()
