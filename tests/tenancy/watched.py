"""The service watched beside its model: every answer about everybody, compared after each step."""

import asyncio
from collections.abc import Awaitable
from typing import Any, ClassVar

import grpc
from google.protobuf.message import Message
from hypothesis.stateful import RuleBasedStateMachine, invariant

from protos.tenancy.v1 import access_pb2 as access
from protos.tenancy.v1 import project_members_pb2 as project_members
from protos.tenancy.v1 import roles_pb2 as roles
from tenantry.testing.people import AS_OPERATOR, People, TestPerson
from tests.calls import read
from tests.tenancy.model import DENIED, OK, ORG_RANKS, PROJECT_RANKS, Organization, Place, Project, answer
from tests.tenancy.rpcs import call

PEOPLE = 5
# A permission for each least role there is.
OF_ORGANIZATION = {
    "organization:read": "GUEST",
    "members:read": "MEMBER",
    "members:update": "ADMIN",
    "organization:delete": "OWNER",
}
OF_PROJECT = {"project:read": "VIEWER", "project:update": "ADMIN"}


def org_role(role: str | None) -> Any:
    return roles.OrgRole.Value(f"ORG_ROLE_{role or 'UNSPECIFIED'}")


def project_role(role: str | None) -> Any:
    return roles.ProjectRole.Value(f"PROJECT_ROLE_{role or 'UNSPECIFIED'}")


def source(name: str) -> Any:
    return roles.RoleSource.Value(f"ROLE_SOURCE_{name}")


class Watched(RuleBasedStateMachine):
    """Runs in a thread of its own; the services are where the loop is."""

    loop: ClassVar[asyncio.AbstractEventLoop]
    channel: ClassVar[grpc.aio.Channel]
    everybody: ClassVar[People]

    def __init__(self) -> None:
        super().__init__()
        self.people: list[TestPerson] = []
        self.organizations: list[Organization] = []
        self.turn = 0

    def done(self, awaitable: Awaitable[Any]) -> Any:
        async def waited() -> Any:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(waited(), self.loop).result(timeout=30)

    def told(self, request: Message, caller: int | None) -> str:
        try:
            self.done(call(self.channel, request, AS_OPERATOR if caller is None else self.people[caller].metadata))
        except grpc.aio.AioRpcError as error:
            return read(error).reason
        return OK

    def user(self, who: int) -> str:
        return self.people[who].user_id

    def organization(self, which: int) -> Organization:
        return self.organizations[which % len(self.organizations)]

    @property
    def projects(self) -> list[Project]:
        return [project for organization in self.organizations for project in organization.projects]

    @property
    def places(self) -> list[Place]:
        return [*self.organizations, *self.projects]

    @invariant()
    def every_organization_has_an_owner(self) -> None:
        assert all("OWNER" in organization.members.values() for organization in self.organizations)

    @invariant()
    def every_check_is_answered_alike(self) -> None:
        asked = [
            (who, place, permission, least)
            for who in range(PEOPLE)
            for place in self.places
            for permission, least in (OF_PROJECT if isinstance(place, Project) else OF_ORGANIZATION).items()
        ]
        if not asked:
            return
        batch = access.BatchCheckAccessRequest(requests=[self.question(*each[:3]) for each in asked])
        response = self.done(call(self.channel, batch, AS_OPERATOR))
        for each, result in zip(asked, response.results, strict=True):
            self.compare(*each, result.answer)

    @invariant()
    def some_are_explained_and_listed_alike(self) -> None:
        """Everybody and every place in turn."""
        if not self.organizations:
            return
        self.turn += 1
        who, place = self.turn % PEOPLE, self.places[self.turn % len(self.places)]
        wanted = list((OF_PROJECT if isinstance(place, Project) else OF_ORGANIZATION).items())
        permission, least = wanted[self.turn % len(wanted)]
        question = self.question(who, place, permission)
        request = access.ExplainAccessRequest(
            organization_id=question.organization_id,
            project_id=question.project_id,
            permission=permission,
            user_id=question.user_id,
        )
        self.compare(who, place, permission, least, self.done(call(self.channel, request, AS_OPERATOR)).answer)
        self.list_accessible(who)
        if isinstance(place, Project):
            self.list_members(place)

    def question(self, who: int, place: Place, permission: str) -> access.CheckAccessRequest:
        if isinstance(place, Project):
            return access.CheckAccessRequest(project_id=place.project_id, permission=permission, user_id=self.user(who))
        return access.CheckAccessRequest(
            organization_id=place.organization_id, permission=permission, user_id=self.user(who)
        )

    def compare(self, who: int, place: Place, permission: str, least: str, told: access.CheckAccessResponse) -> None:
        member, role, whence = answer(place, self.user(who))
        ranks, mine = (PROJECT_RANKS, role) if isinstance(place, Project) else (ORG_RANKS, member)
        expected = (
            mine is not None and ranks.index(mine) >= ranks.index(least),
            self.user(who), org_role(member), project_role(role), source(whence),
        )  # fmt: skip
        found = (told.allowed, told.user_id, told.organization_role, told.project_role, told.source)
        assert found == expected, (permission, told)

    def list_accessible(self, who: int) -> None:
        # In all organizations, or in one.
        places = self.organizations if self.turn % 2 else self.organizations[:1]
        request = access.ListAccessibleProjectsRequest(page_size=2)
        if not self.turn % 2:
            request.organization_id = places[0].organization_id
        expected = sorted(
            (project.organization.organization_id, project.project_id, project_role(role), source(whence))
            for project in self.projects
            for role, whence in [project.role(self.user(who))]
            if project.organization in places and project.is_there and role != "NONE"
        )
        listed = self.walked(request, "projects", self.people[who].metadata)
        assert [(each.organization_id, each.project_id, each.role, each.source) for each in listed] == expected

    def list_members(self, project: Project) -> None:
        request = project_members.ListProjectMembersRequest(project_id=project.project_id, page_size=2)
        if not project.is_there:
            assert self.told(request, None) == DENIED
            return
        expected = sorted(
            (user, org_role(member), project_role(project.role(user)[0]), source(project.role(user)[1]))
            for user, member in project.organization.members.items()
            if project.role(user)[0] != "NONE" or user in project.overrides
        )
        listed = self.walked(request, "members", AS_OPERATOR)
        assert [(each.user_id, each.organization_role, each.role, each.source) for each in listed] == expected

    def walked(self, request: Any, field: str, metadata: Any) -> list[Any]:
        found: list[Any] = []
        while True:
            response = self.done(call(self.channel, request, metadata))
            found += getattr(response, field)
            request.page_token = response.next_page_token
            if not request.page_token:
                return found
