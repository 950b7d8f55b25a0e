"""Who and what there is, by number: ids, roles and rows follow from a formula, so that nothing must be remembered.

Organization 0 is the large one; the others have PROJECTS_EACH projects, and their members in turn. The first member
of each is its OWNER; of every ten the second is ADMIN, the fourth GUEST, and the fifth EDITOR on a project. One user
is a MEMBER of many organizations more.
"""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

PROJECTS_EACH = 10
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
FAR = "2100-01-01T00:00:00Z"  # when the sessions end
SOME = 500  # people to ask about in the large organization, and as many in the others


@dataclass(frozen=True, slots=True)
class Size:
    """`organizations` without the large one; each of `users` is in one, `busy` in so many."""

    name: str
    users: int
    organizations: int
    large_members: int
    large_projects: int
    busy: int

    @property
    def memberships(self) -> int:
        return self.users + self.busy - 1

    @property
    def busy_user(self) -> int:
        """The owner of organization 1, and a MEMBER of the next ones."""
        return self.large_members

    def place(self, user: int) -> tuple[int, int]:
        """The number of the user's organization, and which of its members they are."""
        if user < self.large_members:
            return 0, user
        turn, organization = divmod(user - self.large_members, self.organizations)
        return organization + 1, turn

    def projects_of(self, organization: int) -> range:
        if organization == 0:
            return range(self.large_projects)
        first = self.large_projects + (organization - 1) * PROJECTS_EACH
        return range(first, first + PROJECTS_EACH)

    def project_of(self, user: int) -> int:
        """The one that the user is asked about, and may have an override on."""
        organization, turn = self.place(user)
        projects = self.projects_of(organization)
        return projects[turn % len(projects)]

    def some_in_large(self) -> list[int]:
        return [n * stride(self.large_members) for n in range(SOME)]

    def some_elsewhere(self) -> list[int]:
        return [self.large_members + n * stride(self.users - self.large_members) for n in range(SOME)]


SIZES = {
    "small": Size("small", 1_000, 100, 500, 500, 100),
    "large": Size("large", 1_000_000, 100_000, 50_000, 10_000, 2_000),
}


def stride(people: int) -> int:
    """Through all of them, meeting every kind of role and never a project twice."""
    return max(1, people // SOME - 1)


def role_of(turn: int) -> str:
    return "OWNER" if turn == 0 else {1: "ADMIN", 3: "GUEST"}.get(turn % 10, "MEMBER")


def has_override(turn: int) -> bool:
    return turn % 10 == 4


def identifier(kind: str, number: int) -> UUID:
    """A UUIDv7: later numbers are later, the rest looks random."""
    noise = int.from_bytes(hashlib.blake2b(f"{kind} {number}".encode(), digest_size=10).digest(), "big")
    value = (1_700_000_000_000 + number) << 80 | noise & 0xFFF << 64 | noise & (1 << 62) - 1
    return UUID(int=value | 7 << 76 | 2 << 62)


def sid(user: int) -> str:
    return base64.urlsafe_b64encode(hashlib.blake2b(f"session {user}".encode(), digest_size=24).digest()).decode()


def email(user: int) -> str:
    return f"person-{user}@example.com"


def identity_rows(size: Size, password_hash: str) -> dict[str, Iterator[tuple[object, ...]]]:
    """By table with its columns."""
    ids = [identifier("user", user) for user in range(size.users)]
    times = (BEGIN + timedelta(seconds=user) for user in range(size.users))
    sess = '{{"cookie":{{"originalMaxAge":1800000,"httpOnly":true,"path":"/"}},"userId":"{}"}}'
    return {
        "users (user_id, email, email_key, display_name, password_hash, email_verified_time, create_time)": (
            (ids[user], email(user), email(user), f"Person {user}", password_hash, BEGIN, time)
            for user, time in enumerate(times)
        ),
        "session (sid, sess, expire, absolute_expires_at, user_agent, amr)": (
            (sid(user), sess.format(ids[user]), FAR, FAR, "benchmarks", "{pwd}") for user in range(size.users)
        ),
    }


def tenancy_rows(size: Size) -> dict[str, Iterator[tuple[object, ...]]]:
    users = [identifier("user", user) for user in range(size.users)]
    organizations = [identifier("organization", number) for number in range(size.organizations + 1)]

    def members() -> Iterator[tuple[object, ...]]:
        for user, user_id in enumerate(users):
            organization, turn = size.place(user)
            yield organizations[organization], user_id, role_of(turn)
        for organization in range(2, size.busy + 1):
            yield organizations[organization], users[size.busy_user], "MEMBER"

    def projects() -> Iterator[tuple[object, ...]]:
        for organization, organization_id in enumerate(organizations):
            for project in size.projects_of(organization):
                name = f"project-{project}"
                yield organization_id, identifier("project", project), name, name

    def overrides() -> Iterator[tuple[object, ...]]:
        for user, user_id in enumerate(users):
            organization, turn = size.place(user)
            if has_override(turn):
                project_id = identifier("project", size.project_of(user))
                yield organizations[organization], project_id, user_id, "f", "EDITOR", "benchmarks"

    return {
        "user_names (user_id, email_key, name_key)": (
            (user_id, email(user), f"person {user}") for user, user_id in enumerate(users)
        ),
        "organizations (organization_id, slug, display_name)": (
            (each, f"organization-{number}", f"Organization {number}") for number, each in enumerate(organizations)
        ),
        "organization_slugs (organization_id, slug)": (
            (each, f"organization-{number}") for number, each in enumerate(organizations)
        ),
        "organization_members (organization_id, user_id, role)": members(),
        "projects (organization_id, project_id, slug, display_name)": projects(),
        "project_members (organization_id, project_id, user_id, inherited_from_org, role, set_by_service)": overrides(),
    }
