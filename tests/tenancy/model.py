"""The rules of tenancy in plain Python, written from the documentation and not from the service: one act at a time."""

from dataclasses import dataclass, field

NONE, VIEWER, EDITOR, ADMIN = "NONE", "VIEWER", "EDITOR", "ADMIN"
GUEST, MEMBER, OWNER = "GUEST", "MEMBER", "OWNER"
ORG_RANKS = [GUEST, MEMBER, ADMIN, OWNER]
PROJECT_RANKS = [NONE, VIEWER, EDITOR, ADMIN]

OK = "OK"
DENIED = "PERMISSION_DENIED"


@dataclass
class Project:
    project_id: str
    organization: "Organization"
    overrides: dict[str, str] = field(default_factory=dict)
    deleted: bool = False

    @property
    def is_there(self) -> bool:
        return not self.deleted and not self.organization.deleted

    def role(self, user: str) -> tuple[str, str]:
        """As if it were not deleted: the role that counts, and where it comes from."""
        member = self.organization.members.get(user)
        if member is None:
            return NONE, "NOT_A_MEMBER"
        if member == OWNER:
            return ADMIN, OWNER
        if user in self.overrides:
            return self.overrides[user], "OVERRIDE"
        return {ADMIN: ADMIN, MEMBER: self.organization.default, GUEST: NONE}[member], "INHERITED"

    def administered_by(self, user: str) -> bool:
        return not self.organization.deleted and self.role(user)[0] == ADMIN

    def set_role(self, caller: str, user: str, role: str | None) -> str:
        """None: inherited again."""
        if self.deleted or not self.administered_by(caller):
            return DENIED
        if user not in self.organization.members:
            return "MEMBER_NOT_FOUND"
        if role is None:
            self.overrides.pop(user, None)
            return OK
        if self.organization.members[user] == OWNER:
            return "OWNER_NOT_OVERRIDABLE"
        self.overrides[user] = role
        return OK

    def delete(self, caller: str) -> str:
        if self.deleted or not self.administered_by(caller):
            return DENIED
        self.deleted = True
        return OK

    def undelete(self, caller: str) -> str:
        if not self.administered_by(caller):
            return DENIED
        self.deleted = False
        return OK


@dataclass
class Organization:
    organization_id: str
    members: dict[str, str]
    default: str = VIEWER
    deleted: bool = False
    projects: list[Project] = field(default_factory=list)

    def refuses(self, caller: str, least: str) -> bool:
        mine = self.members.get(caller)
        return self.deleted or mine is None or ORG_RANKS.index(mine) < ORG_RANKS.index(least)

    def is_above(self, caller: str, *roles: str) -> bool:
        return any(ORG_RANKS.index(role) > ORG_RANKS.index(self.members[caller]) for role in roles)

    def is_last_owner(self, user: str) -> bool:
        return self.members[user] == OWNER and list(self.members.values()).count(OWNER) == 1

    def add(self, user: str, role: str) -> str:
        """By a service."""
        if self.deleted:
            return DENIED
        if user in self.members:
            return "ALREADY_A_MEMBER"
        self.members[user] = role
        return OK

    def update(self, caller: str, user: str, role: str) -> str:
        if self.refuses(caller, ADMIN):
            return DENIED
        if user not in self.members:
            return "MEMBER_NOT_FOUND"
        if self.is_above(caller, self.members[user], role):
            return "ROLE_ABOVE_CALLER"
        if role != OWNER and self.is_last_owner(user):
            return "LAST_OWNER"
        self._becomes(user, role)
        return OK

    def remove(self, caller: str, user: str) -> str:
        if self.refuses(caller, GUEST if user == caller else ADMIN):
            return DENIED
        if user not in self.members:
            return "MEMBER_NOT_FOUND"
        if self.is_above(caller, self.members[user]):
            return "ROLE_ABOVE_CALLER"
        if self.is_last_owner(user):
            return "LAST_OWNER"
        self._goes(user)
        return OK

    def transfer(self, caller: str, user: str) -> str:
        if self.refuses(caller, OWNER):
            return DENIED
        if user not in self.members:
            return "MEMBER_NOT_FOUND"
        self._becomes(user, OWNER)
        self._becomes(caller, ADMIN)
        return OK

    def change_default(self, caller: str, role: str) -> str:
        if self.refuses(caller, ADMIN):
            return DENIED
        self.default = role
        return OK

    def delete(self, caller: str, force: bool) -> str:
        if self.refuses(caller, OWNER):
            return DENIED
        if not force and any(not project.deleted for project in self.projects):
            return "ORGANIZATION_NOT_EMPTY"
        self.deleted = True
        return OK

    def undelete(self, caller: str) -> str:
        if self.members.get(caller) != OWNER:
            return DENIED
        self.deleted = False
        return OK

    def _becomes(self, user: str, role: str) -> None:
        self.members[user] = role
        if role == OWNER:
            for project in self.projects:
                project.overrides.pop(user, None)

    def _goes(self, user: str) -> None:
        del self.members[user]
        for project in self.projects:
            project.overrides.pop(user, None)


Place = Organization | Project


def answer(place: Place, user: str) -> tuple[str | None, str | None, str]:
    """What CheckAccess tells of somebody: role in the organization, on the project, and where that comes from."""
    organization = place if isinstance(place, Organization) else place.organization
    is_there = not place.deleted if isinstance(place, Organization) else place.is_there
    member = organization.members.get(user) if is_there else None
    if isinstance(place, Project):
        return (member, *(place.role(user) if is_there else (NONE, "NOT_A_MEMBER")))
    return member, None, "NOT_A_MEMBER" if member is None else OWNER if member == OWNER else MEMBER
