"""The people of the crowd who are asked about: their ids, their sessions, and what a check of theirs must answer."""

from dataclasses import dataclass

from benchmarks import crowd
from benchmarks.world import World
from protos.tenancy.v1.access_pb2 import CheckAccessRequest, CheckAccessResponse
from protos.tenancy.v1.roles_pb2 import OrgRole, ProjectRole, RoleSource

PERMISSION = "project:read"


@dataclass(frozen=True, slots=True)
class Person:
    number: int
    user_id: str
    email: str
    token: str
    organization_id: str
    project_id: str
    turn: int  # which member of the organization, from 0

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    def check(self, *, by_service: bool = False) -> CheckAccessRequest:
        return CheckAccessRequest(
            organization_id=self.organization_id,
            project_id=self.project_id,
            permission=PERMISSION,
            session_token=self.token if by_service else "",
        )

    def answer(self) -> CheckAccessResponse:
        """But for the reason, which is for people."""
        role = crowd.role_of(self.turn)
        on_project, source = {
            "OWNER": ("ADMIN", "OWNER"),
            "ADMIN": ("ADMIN", "INHERITED"),
            "MEMBER": ("VIEWER", "INHERITED"),
            "GUEST": ("NONE", "INHERITED"),
        }[role]
        if crowd.has_override(self.turn):
            on_project, source = "EDITOR", "OVERRIDE"
        return CheckAccessResponse(
            allowed=role != "GUEST",
            user_id=self.user_id,
            organization_role=OrgRole.Value(f"ORG_ROLE_{role}"),
            project_role=ProjectRole.Value(f"PROJECT_ROLE_{on_project}"),
            source=RoleSource.Value(f"ROLE_SOURCE_{source}"),
        )


def person(world: World, user: int) -> Person:
    organization, turn = world.size.place(user)
    return Person(
        user,
        str(crowd.identifier("user", user)),
        crowd.email(user),
        world.token(crowd.sid(user)),
        str(crowd.identifier("organization", organization)),
        str(crowd.identifier("project", world.size.project_of(user))),
        turn,
    )


def some_in_large(world: World) -> list[Person]:
    return [person(world, user) for user in world.size.some_in_large()]


def some(world: World) -> list[Person]:
    """1,000 of them, each with a project of their own; half of them members of the large organization."""
    both = zip(world.size.some_in_large(), world.size.some_elsewhere(), strict=True)
    return [person(world, user) for pair in both for user in pair]


def owners(world: World) -> list[Person]:
    """Of at most 1,000 of the other organizations."""
    count = min(1_000, world.size.organizations)
    step = world.size.organizations // count
    return [person(world, world.size.large_members + n * step) for n in range(count)]
