"""Very many people and places, all of them as the services themselves would have made them: rows to copy.

Everybody is in one organization, in turn; the first there is its OWNER, the second and every twentieth after them
ADMIN, the others MEMBER. Every tenth is a GUEST of the next organization too. In each organization the third is
EDITOR on the first project, and the fourth is locked out of the second.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from uuid_utils.compat import uuid7

ADMIN_EVERY, GUEST_EVERY = 20, 10
Row = tuple[object, ...]


@dataclass(slots=True)
class Crowd:
    """`tag` is in all names, so that each crowd is another; ids are made at once, rows as they are taken."""

    tag: str
    users: int
    organizations: int
    projects_each: int
    user_ids: list[UUID] = field(init=False)
    organization_ids: list[UUID] = field(init=False)
    project_ids: list[UUID] = field(init=False)

    def __post_init__(self) -> None:
        self.user_ids = [uuid7() for _ in range(self.users)]
        self.organization_ids = [uuid7() for _ in range(self.organizations)]
        self.project_ids = [uuid7() for _ in range(self.organizations * self.projects_each)]

    def email(self, user: int) -> str:
        return f"user-{user + 1}.{self.tag}@example.com"

    def slug(self, organization: int) -> str:
        return f"crowd-{self.tag}-{organization + 1}"

    def user_rows(self, password_hash: str, now: object) -> Iterator[Row]:
        """user_id, email, email_key, display_name, password_hash, email_verified_time"""
        for user, user_id in enumerate(self.user_ids):
            email = self.email(user)
            yield user_id, email, email, f"User {user + 1}", password_hash, now

    def name_rows(self) -> Iterator[Row]:
        """user_id, email_key, name_key"""
        for user, user_id in enumerate(self.user_ids):
            yield user_id, self.email(user), f"user {user + 1}"

    def organization_rows(self) -> Iterator[Row]:
        """organization_id, slug, display_name"""
        for organization, organization_id in enumerate(self.organization_ids):
            yield organization_id, self.slug(organization), f"Crowd {organization + 1}"

    def member_rows(self) -> Iterator[Row]:
        """organization_id, user_id, role"""
        if not self.organizations:
            return
        for organization, organization_id in enumerate(self.organization_ids):
            yield organization_id, self.user_ids[self._owner(organization)], "OWNER"
        for user, user_id in enumerate(self.user_ids):
            turn, organization = divmod(user, self.organizations)
            if turn:
                role = "ADMIN" if turn % ADMIN_EVERY == 1 else "MEMBER"
                yield self.organization_ids[organization], user_id, role
            other = (organization + 1) % self.organizations
            if user % GUEST_EVERY == GUEST_EVERY - 1 and other != organization and self._owner(other) != user:
                yield self.organization_ids[other], user_id, "GUEST"

    def project_rows(self) -> Iterator[Row]:
        """organization_id, project_id, slug, display_name"""
        for number, project_id in enumerate(self.project_ids):
            organization, project = divmod(number, self.projects_each)
            yield self.organization_ids[organization], project_id, f"project-{project + 1}", f"Project {project + 1}"

    def override_rows(self) -> Iterator[Row]:
        """organization_id, project_id, user_id, inherited_from_org, role, set_by_service"""
        for organization, organization_id in enumerate(self.organization_ids):
            for turn, project, role in ((2, 0, "EDITOR"), (3, 1, "NONE")):
                user = turn * self.organizations + organization
                if user < self.users and project < self.projects_each:
                    project_id = self.project_ids[organization * self.projects_each + project]
                    yield organization_id, project_id, self.user_ids[user], False, role, "operator"

    def _owner(self, organization: int) -> int:
        """With fewer people than organizations some own several."""
        return organization % self.users
