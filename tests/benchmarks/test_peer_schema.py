"""What `make bench-peers` tells SpiceDB means what our role table says: a plain reading of that schema agrees with it.

The reading is by sets of users; that SpiceDB reads it so too is what a run of the benchmark shows, answer by answer.
"""

import re
from collections import defaultdict

import pytest

from benchmarks.peers.places import PEOPLE, Organization, Question, expected, organizations, questions, roles
from benchmarks.peers.schema import check, relationships, schema
from tenancy_service.permissions import OrgRole, ProjectRole
from tenancy_service.permissions_file import read_permissions
from tests.architecture.project import ROOT

PERMISSIONS = read_permissions(ROOT / "docs" / "examples" / "permissions.toml")
OPERATORS = {"+": "|", "&": "&", "-": "-"}


@pytest.fixture(scope="module")
def places() -> list[Organization]:
    return organizations()


@pytest.fixture(scope="module")
def asked(places: list[Organization]) -> list[Question]:
    return questions(places, PERMISSIONS)


def test_the_questions_meet_every_row_of_the_role_table(asked: list[Question]) -> None:
    members, overrides = [None, *OrgRole], [None, *ProjectRole]
    wanted: set[tuple[object, ...]] = {(member, repr(least)) for member in members for least in OrgRole}
    for least in (ProjectRole.VIEWER, ProjectRole.EDITOR, ProjectRole.ADMIN):
        for default in ProjectRole:
            wanted.add((None, None, default, repr(least)))
            wanted |= {(member, override, default, repr(least)) for member in OrgRole for override in overrides}
    met = {
        (*(roles(each) if each.project_id else roles(each)[:1]), repr(PERMISSIONS[each.permission])) for each in asked
    }
    assert met == wanted
    assert {expected(each, PERMISSIONS) for each in asked} == {True, False}


def test_a_plain_reading_of_the_schema_gives_the_role_tables_answers(
    places: list[Organization], asked: list[Question]
) -> None:
    holders = Holders(places)
    different = [
        each for each in asked if (str(each.user_id) in holders.of(*check(each)[:3])) is not expected(each, PERMISSIONS)
    ]
    assert different == []


class Holders:
    """Users by what they hold, from the schema's text and all relationships."""

    def __init__(self, places: list[Organization]) -> None:
        self.everybody = {str(user_id) for place in places for user_id in place.members}
        assert len(self.everybody) == PEOPLE
        self.expressions: dict[tuple[str, str], str] = {}
        for kind, body in re.findall(r"definition (\w+) \{\n(.*?)\n\}", schema(PERMISSIONS), re.DOTALL):
            for name, expression in re.findall(r"permission (\w+) = (.*)", body):
                self.expressions[kind, name] = expression
        self.related: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        for kind, resource, relation, _, subject in relationships(places):
            self.related[kind, resource, relation].add(subject)

    def of(self, kind: str, resource: str, name: str) -> set[str]:
        expression = self.expressions.get((kind, name))
        if expression is None:
            found = self.related[kind, resource, name]
            return self.everybody if "*" in found else found
        parts = re.findall(r"\w+->\w+|\w+|[-+&()]", expression)
        sets = {f"_{n}": self.term(kind, resource, part) for n, part in enumerate(parts) if part[0].isalpha()}
        text = " ".join(f"_{n}" if f"_{n}" in sets else OPERATORS.get(part, part) for n, part in enumerate(parts))
        result: set[str] = eval(text, {}, sets)
        return result

    def term(self, kind: str, resource: str, part: str) -> set[str]:
        relation, arrow, name = part.partition("->")
        if not arrow:
            return self.of(kind, resource, part)
        return set().union(*(self.of(relation, each, name) for each in self.related[kind, resource, relation]))
