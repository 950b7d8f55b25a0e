"""One answer of ExplainAccess in words: what decided, and the command that would make a no a yes."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from protos.identity.v1.users_pb2 import User
from protos.tenancy.v1.access_pb2 import ExplainAccessResponse, ExplainStep
from protos.tenancy.v1.roles_pb2 import ProjectRole
from tenantry import shown_messages
from tenantry.failures import command
from tenantry.places import Place
from tenantry.shown_messages import word

INDENT = " " * 6
MINUTE, HOUR, DAY = 60, 3600, 86_400
DAYS_COUNTED = 30


@dataclass(frozen=True, slots=True)
class Answer:
    """`emails` are those of the people who set something, by their ids."""

    user: User
    place: Place
    permission: str
    response: ExplainAccessResponse
    emails: Mapping[str, str]

    @property
    def is_yes(self) -> bool:
        return self.response.answer.allowed

    def lines(self) -> list[str]:
        """What `tenantry check` prints."""
        if self.is_yes:
            return [f"{self.question()}{INDENT}{self.because()}"]
        return [self.question(), *self.indented(self.because(), *self.needs(), *self.advice())]

    def explained(self) -> list[str]:
        """What `tenantry explain` prints."""
        steps = [f"{step.WhichOneof('step') or '':<14}{self.told(step)}" for step in self.response.steps]
        return [self.question(), *self.indented(self.response.explanation, *steps, *self.advice())]

    def as_json(self) -> dict[str, Any]:
        answer = self.response.answer
        return {
            "allowed": answer.allowed,
            "email": self.user.email,
            "user_id": self.user.user_id,
            "permission": self.permission,
            "place": self.place.name,
            "organization_role": word(answer, "organization_role") or None,
            "project_role": word(answer, "project_role") or None,
            "source": word(answer, "source"),
            "because": self.because(),
            "needed_role": self.needed() or None,
            "to_allow_it": self.to_allow_it() or None,
        }

    def explained_as_json(self) -> dict[str, Any]:
        response = shown_messages.as_json(self.response)
        return {**self.as_json(), "explanation": response["explanation"], "steps": response["steps"]}

    def question(self) -> str:
        return f"{'yes' if self.is_yes else 'no':<6}{self.user.email}: {self.permission} on {self.place.name}"

    def because(self) -> str:
        """What decided: the role in the organization, or the one on the project and where it comes from."""
        answer, organization = self.response.answer, self.place.organization.slug
        source, in_organization = word(answer, "source"), word(answer, "organization_role")
        if source == "NOT_A_MEMBER":
            return f"{source}: not a member of {organization}"
        if not self.is_about_project():
            return f"{in_organization} of {organization}{self.until(self.step('membership'))}"
        role = f"{word(answer, 'project_role')}, {source}"
        if source == "OVERRIDE":
            return f"{role} ({self.told_override(self.step('override').override)})"
        if source == "OWNER":
            return f"{role}: owners may do everything"
        inherited = {
            "ADMIN": "admins are ADMIN on projects",
            "MEMBER": f"{organization} gives members {word(answer, 'project_role')}",
            "GUEST": "guests have no role on projects",
        }
        return f"{role}: {in_organization} of {organization}; {inherited[in_organization]}"

    def needs(self) -> list[str]:
        return [f"{self.permission} needs {self.needed()}"] if self.needed() else []

    def advice(self) -> list[str]:
        return [f"to allow it:  {self.to_allow_it()}"] if self.to_allow_it() else []

    def to_allow_it(self) -> str:
        """Commands to paste; empty if the answer is yes, or no role would help."""
        needed, organization = self.needed(), self.place.organization
        if self.is_yes or not needed:
            return ""
        is_member = word(self.response.answer, "organization_role")
        if not self.is_about_project():
            verb = "update" if is_member else "add"
            return command("members", verb, organization.slug, self.user.email, "--role", needed)
        set_role = command("roles", "set", self.place.name, self.user.email, needed)
        if is_member:
            return set_role
        join = command("members", "add", organization.slug, self.user.email, "--role", "MEMBER")
        members_get = organization.default_project_role
        return join if members_get >= ProjectRole.Value(f"PROJECT_ROLE_{needed}") else f"{join} && {set_role}"

    def needed(self) -> str:
        """The least role that would allow what is not allowed."""
        requirement = self.step("requirement").requirement
        kind = requirement.WhichOneof("least_role")
        return word(requirement, kind) if kind and not requirement.satisfied else ""

    def is_about_project(self) -> bool:
        """A permission of projects; an organization's can be asked about on a project, too."""
        return self.step("requirement").requirement.WhichOneof("least_role") == "project_role"

    def step(self, kind: str) -> ExplainStep:
        """The one of a kind; an empty one if it did not apply."""
        return next((step for step in self.response.steps if step.WhichOneof("step") == kind), ExplainStep())

    def told(self, step: ExplainStep) -> str:
        match step.WhichOneof("step"):
            case "membership":
                role = word(step.membership, "organization_role")
                slug = step.membership.organization_slug or self.place.organization.slug
                return f"{role} of {slug}{self.until(step)}" if role else f"not a member of {slug}"
            case "inheritance":
                inheritance = step.inheritance
                role = word(inheritance, "organization_role")
                return f"{role} gives {word(inheritance, 'project_role')} on projects"
            case "override":
                return (
                    f"{word(step.override, 'project_role')} on {self.place.name}, {self.told_override(step.override)}"
                )
            case "requirement":
                needs = word(step.requirement, step.requirement.WhichOneof("least_role") or "project_role")
                return f"{self.permission} needs {needs}: {'held' if step.requirement.satisfied else 'not held'}"
        return ""

    def told_override(self, override: ExplainStep.Override) -> str:
        """Who set it, when, and until when."""
        who = self.emails.get(override.set_by_user_id, override.set_by_user_id) or override.set_by_service
        by = f"set by {who}" if who else "set"
        ends = f", until {shown_messages.time(override.expire_time)}" if override.HasField("expire_time") else ""
        return f"{by}, {age(override.set_time)}{ends}"

    def until(self, step: ExplainStep) -> str:
        if not step.membership.HasField("expire_time"):
            return ""
        return f", until {shown_messages.time(step.membership.expire_time)}"

    @staticmethod
    def indented(*lines: str) -> list[str]:
        return [f"{INDENT}{line}" for line in lines]


def age(stamp: Timestamp) -> str:
    """Such as 1 s ago, by this machine's clock; of what is old the day."""
    seconds = max(int(time.time()) - stamp.seconds, 0)
    for unit, length, most in (
        ("s", 1, MINUTE),
        ("min", MINUTE, HOUR),
        ("h", HOUR, DAY),
        ("days", DAY, DAYS_COUNTED * DAY),
    ):
        if seconds < most:
            return f"{seconds // length} {unit} ago"
    return f"on {stamp.ToDatetime():%Y-%m-%d}"
