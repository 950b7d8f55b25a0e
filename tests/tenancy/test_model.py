"""The service against a model of it, in whatever order things are done: the same answers after every step.

`HYPOTHESIS_PROFILE=full` makes 200 runs of 50 steps.
"""

import asyncio

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

from protos.tenancy.v1 import organization_members_pb2 as members
from protos.tenancy.v1 import organizations_pb2 as organizations
from protos.tenancy.v1 import project_members_pb2 as project_members
from protos.tenancy.v1 import projects_pb2 as projects
from tenantry.testing.pair import Pair
from tenantry.testing.people import People
from tests.tenancy.model import DENIED, ORG_RANKS, PROJECT_RANKS, Organization, Project
from tests.tenancy.rpcs import call
from tests.tenancy.watched import PEOPLE, Watched, org_role, project_role

MOST_ORGANIZATIONS, MOST_PROJECTS = 2, 3
WHO = st.integers(0, PEOPLE - 1)
WHICH = st.integers(0, 1_000)
ORG_ROLES, PROJECT_ROLES = st.sampled_from(ORG_RANKS), st.sampled_from(PROJECT_RANKS)


class Tenancy(Watched):
    """What people and services do, by the RPCs and in the model."""

    @initialize()
    def arrive(self) -> None:
        self.people = self.done(self.everybody.persons(PEOPLE))
        self.create_organization(0)
        self.create_project(0, 0)

    @rule(caller=WHO)
    @precondition(lambda self: len(self.organizations) < MOST_ORGANIZATIONS)
    def create_organization(self, caller: int) -> None:
        request = organizations.CreateOrganizationRequest(slug=self.everybody.slug("model"))
        response = self.done(call(self.channel, request, self.people[caller].metadata))
        made = Organization(response.organization.organization_id, {self.user(caller): "OWNER"})
        self.organizations.append(made)

    @rule(which=WHICH, caller=WHO)
    @precondition(lambda self: len(self.projects) < MOST_PROJECTS * len(self.organizations))
    def create_project(self, which: int, caller: int) -> None:
        organization = self.organization(which)
        request = projects.CreateProjectRequest(
            organization_id=organization.organization_id, slug=self.everybody.slug("model")
        )
        if organization.refuses(self.user(caller), "ADMIN"):
            assert self.told(request, caller) == DENIED
            return
        response = self.done(call(self.channel, request, self.people[caller].metadata))
        organization.projects.append(Project(response.project.project_id, organization))

    @rule(which=WHICH, user=WHO, role=ORG_ROLES)
    def add_member(self, which: int, user: int, role: str) -> None:
        organization = self.organization(which)
        request = members.AddOrganizationMemberRequest(
            organization_id=organization.organization_id, user_id=self.user(user), role=org_role(role)
        )
        assert self.told(request, None) == organization.add(self.user(user), role)

    @rule(which=WHICH, caller=WHO, user=WHO, role=ORG_ROLES)
    def update_member(self, which: int, caller: int, user: int, role: str) -> None:
        organization = self.organization(which)
        request = members.UpdateOrganizationMemberRequest(
            organization_id=organization.organization_id, user_id=self.user(user), role=org_role(role)
        )
        expected = organization.update(self.user(caller), self.user(user), role)
        assert self.told(request, caller) == expected

    @rule(which=WHICH, caller=WHO, user=WHO)
    def remove_member(self, which: int, caller: int, user: int) -> None:
        organization = self.organization(which)
        request = members.RemoveOrganizationMemberRequest(
            organization_id=organization.organization_id, user_id=self.user(user)
        )
        assert self.told(request, caller) == organization.remove(self.user(caller), self.user(user))

    @rule(which=WHICH, caller=WHO)
    def leave(self, which: int, caller: int) -> None:
        organization = self.organization(which)
        request = members.LeaveOrganizationRequest(organization_id=organization.organization_id)
        assert self.told(request, caller) == organization.remove(self.user(caller), self.user(caller))

    @rule(which=WHICH, caller=WHO, user=WHO)
    def transfer(self, which: int, caller: int, user: int) -> None:
        organization = self.organization(which)
        if caller == user:
            return
        request = organizations.TransferOwnershipRequest(
            organization_id=organization.organization_id, user_id=self.user(user)
        )
        assert self.told(request, caller) == organization.transfer(self.user(caller), self.user(user))

    @rule(which=WHICH, caller=WHO, role=PROJECT_ROLES)
    def change_default(self, which: int, caller: int, role: str) -> None:
        organization = self.organization(which)
        changed = organizations.Organization(
            organization_id=organization.organization_id, default_project_role=project_role(role)
        )
        request = organizations.UpdateOrganizationRequest(organization=changed)
        assert self.told(request, caller) == organization.change_default(self.user(caller), role)

    @rule(which=WHICH, caller=WHO, user=WHO, role=st.one_of(st.none(), PROJECT_ROLES))
    @precondition(lambda self: self.projects)
    def set_or_clear_role(self, which: int, caller: int, user: int, role: str | None) -> None:
        project = self.projects[which % len(self.projects)]
        kind = project_members.ClearProjectRoleRequest if role is None else project_members.SetProjectRoleRequest
        request = kind(project_id=project.project_id, user_id=self.user(user))
        if isinstance(request, project_members.SetProjectRoleRequest):
            request.role = project_role(role)
        assert self.told(request, caller) == project.set_role(self.user(caller), self.user(user), role)

    @rule(which=WHICH, caller=WHO, back=st.booleans())
    @precondition(lambda self: self.projects)
    def delete_or_undelete_project(self, which: int, caller: int, back: bool) -> None:
        project = self.projects[which % len(self.projects)]
        kind = projects.UndeleteProjectRequest if back else projects.DeleteProjectRequest
        act = project.undelete if back else project.delete
        assert self.told(kind(project_id=project.project_id), caller) == act(self.user(caller))

    @rule(which=WHICH, caller=WHO, force=st.booleans())
    def delete_organization(self, which: int, caller: int, force: bool) -> None:
        organization = self.organization(which)
        request = organizations.DeleteOrganizationRequest(organization_id=organization.organization_id, force=force)
        assert self.told(request, caller) == organization.delete(self.user(caller), force)

    @rule(which=WHICH, caller=WHO)
    def undelete_organization(self, which: int, caller: int) -> None:
        organization = self.organization(which)
        request = organizations.UndeleteOrganizationRequest(organization_id=organization.organization_id)
        assert self.told(request, caller) == organization.undelete(self.user(caller))


@pytest.mark.timeout(1_800)  # the full profile takes minutes
async def test_the_service_answers_as_the_model_after_every_step(pair: Pair, people: People) -> None:
    Tenancy.loop, Tenancy.channel, Tenancy.everybody = asyncio.get_running_loop(), pair.tenancy.channel, people
    await asyncio.to_thread(run_state_machine_as_test, Tenancy)
