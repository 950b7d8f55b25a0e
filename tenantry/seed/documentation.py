"""The people and places that the documentation speaks of, made by calls of the operator; what is there stays."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from protos.identity.v1 import users_pb2
from protos.tenancy.v1 import organization_members_pb2, organizations_pb2, project_members_pb2, projects_pb2
from protos.tenancy.v1.roles_pb2 import OrgRole, ProjectRole, RoleSource
from tenantry import passwords
from tenantry.client import Ask, CallFailed
from tenantry.failures import command
from tenantry.places import ORGANIZATIONS, PROJECTS

USERS = "identity.v1.UserService"
MEMBERS = "tenancy.v1.OrganizationMemberService"
ROLES = "tenancy.v1.ProjectMemberService"
PEOPLE = ("ada", "bo", "zoe")
SLUG = "acme"
State = Literal["created", "there already"]


class Made(NamedTuple):
    name: str
    what: str
    state: State


class Documentation:
    """`password` is that of the people who are created; those who are there keep theirs."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.password = passwords.make_readable()

    def make(self) -> Iterator[Made]:
        """One after the other, each as soon as it is there."""
        user_ids: dict[str, str] = {}
        for name in PEOPLE:
            user_ids[name], state = self._user(f"{name}@example.com", name.title())
            yield Made(f"{name}@example.com", "user", state)
        organization_id, state = self._organization(user_ids["ada"])
        yield Made(SLUG, "organization of ada", state)
        project_ids: dict[str, str] = {}
        for slug in ("api", "web"):
            project_ids[slug], state = self._project(organization_id, slug)
            yield Made(f"{SLUG}/{slug}", "project", state)
        yield Made("bo@example.com", f"MEMBER of {SLUG}", self._member(organization_id, user_ids["bo"]))
        yield Made("bo@example.com", f"NONE on {SLUG}/web", self._locked_out(project_ids["web"], user_ids["bo"]))

    def _user(self, email: str, name: str) -> tuple[str, State]:
        new = users_pb2.CreateUserRequest(email=email, password=self.password, display_name=name, email_verified=True)
        try:
            return self._ask(f"{USERS}/CreateUser", new, users_pb2.CreateUserResponse).user.user_id, "created"
        except CallFailed as failed:
            if failed.reason != "EMAIL_TAKEN":
                raise
        by_email = users_pb2.LookUpUserRequest(email=email)
        return self._ask(f"{USERS}/LookUpUser", by_email, users_pb2.LookUpUserResponse).user.user_id, "there already"

    def _organization(self, owner_id: str) -> tuple[str, State]:
        pb = organizations_pb2
        by_slug = pb.GetOrganizationRequest(slug=SLUG)
        try:
            found = self._ask(f"{ORGANIZATIONS}/GetOrganization", by_slug, pb.GetOrganizationResponse).organization
        except CallFailed as failed:
            if failed.reason != "PERMISSION_DENIED":
                raise
        else:
            return found.organization_id, "there already"
        new = pb.CreateOrganizationRequest(slug=SLUG, display_name=SLUG.title(), owner_user_id=owner_id)
        try:
            made = self._ask(f"{ORGANIZATIONS}/CreateOrganization", new, pb.CreateOrganizationResponse).organization
        except CallFailed as failed:
            if failed.reason == "SLUG_TAKEN":
                failed.hint = f"it was deleted; take that back:  {command('orgs', 'undelete', SLUG)}"
            raise
        return made.organization_id, "created"

    def _project(self, organization_id: str, slug: str) -> tuple[str, State]:
        pb = projects_pb2
        by_slug = pb.GetProjectRequest(organization_id=organization_id, slug=slug)
        try:
            found = self._ask(f"{PROJECTS}/GetProject", by_slug, pb.GetProjectResponse).project
        except CallFailed as failed:
            if failed.reason != "PERMISSION_DENIED":
                raise
        else:
            return found.project_id, "there already"
        new = pb.CreateProjectRequest(organization_id=organization_id, slug=slug, display_name=slug.title())
        try:
            made = self._ask(f"{PROJECTS}/CreateProject", new, pb.CreateProjectResponse).project
        except CallFailed as failed:
            if failed.reason == "SLUG_TAKEN":
                failed.hint = f"it was deleted; take that back:  {command('projects', 'undelete', f'{SLUG}/{slug}')}"
            raise
        return made.project_id, "created"

    def _member(self, organization_id: str, user_id: str) -> State:
        """Whatever role they have by now."""
        pb = organization_members_pb2
        new = pb.AddOrganizationMemberRequest(
            organization_id=organization_id, user_id=user_id, role=OrgRole.ORG_ROLE_MEMBER
        )
        try:
            self._ask(f"{MEMBERS}/AddOrganizationMember", new, pb.AddOrganizationMemberResponse)
        except CallFailed as failed:
            if failed.reason != "ALREADY_A_MEMBER":
                raise
            return "there already"
        return "created"

    def _locked_out(self, project_id: str, user_id: str) -> State:
        """Whatever is set for them by now stays."""
        pb = project_members_pb2
        theirs = pb.GetProjectMemberRequest(project_id=project_id, user_id=user_id)
        member = self._ask(f"{ROLES}/GetProjectMember", theirs, pb.GetProjectMemberResponse).member
        if member.source != RoleSource.ROLE_SOURCE_INHERITED:
            return "there already"
        none = pb.SetProjectRoleRequest(project_id=project_id, user_id=user_id, role=ProjectRole.PROJECT_ROLE_NONE)
        self._ask(f"{ROLES}/SetProjectRole", none, pb.SetProjectRoleResponse)
        return "created"
