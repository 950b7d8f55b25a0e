"""The answers to what a file expects, by the function that the service decides with."""

from collections.abc import Mapping
from dataclasses import dataclass

from tenancy_service.explain import Explanation, Membership, Override, explain
from tenancy_service.permissions import LeastRole
from tenantry.access_file.places import AccessFile, Expectation, Organization


@dataclass(frozen=True, slots=True)
class Judged:
    expectation: Expectation
    explanation: Explanation

    @property
    def is_as_expected(self) -> bool:
        return self.expectation.is_allowed == self.explanation.is_allowed

    def as_json(self) -> dict[str, object]:
        expected, found = self.expectation, self.explanation
        role = found.access.project_role if "/" in expected.on else found.access.organization_role
        return {
            "line": expected.line,
            "who": expected.who,
            "permission": expected.permission,
            "on": expected.on,
            "expected": answer(expected.is_allowed),
            "answer": answer(found.is_allowed),
            "role": role.name if role else None,
            "source": found.access.source.name,
            "because": found.sentence,
        }


def answer(is_allowed: bool) -> str:
    return "yes" if is_allowed else "no"


def judge(file: AccessFile) -> list[Judged]:
    return [
        Judged(each, judge_one(each, file.permissions[each.permission], file.organizations))
        for each in file.expectations
    ]


def judge_one(expectation: Expectation, least: LeastRole, organizations: Mapping[str, Organization]) -> Explanation:
    slug, _, project = expectation.on.partition("/")
    organization = organizations[slug]
    role = organization.members.get(expectation.who)
    membership = Membership(role, slug, organization.default_project_role) if role else None
    override = organization.projects[project].get(expectation.who) if project else None
    set_there = Override(override, project) if override else None
    return explain(expectation.permission, least, membership, set_there, on_project=bool(project))
