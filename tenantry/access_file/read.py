"""Read an access file.

permissions = "permissions.toml"    # the product's own, relative to this file; without it the built-in ones
outsiders = ["zoe"]                 # people who belong to no organization

[organizations.acme]
default_project_role = "VIEWER"     # what members are on projects; VIEWER if left out
members = { ada = "OWNER", bo = "MEMBER" }

[organizations.acme.projects]
api = {}                            # everybody as inherited
web = { bo = "NONE" }               # roles set on it

[[expect]]
who = "bo"                          # or several: ["bo", "zoe"]
on = "acme/api"                     # a project or an organization, or several
allowed = ["project:read"]
denied = ["project:update"]
"""

import tomllib
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

from tenancy_service.permissions import BUILT_IN, LeastRole, OrgRole, ProjectRole
from tenancy_service.permissions_file import read_permissions
from tenantry.access_file.places import AccessFile, Expectation, Organization
from tenantry.access_file.problems import Problems, nearest
from tenantry.failures import WRONG_USE, Failure

Role = TypeVar("Role", bound=IntEnum)
KEYS = ("permissions", "outsiders", "organizations", "expect")
OF_ORGANIZATION = ("default_project_role", "members", "projects")
OF_EXPECTATION = ("who", "on", "allowed", "denied")


def read(path: Path) -> AccessFile:
    """Failure with everything that is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except UnicodeDecodeError:
        raise Failure(f"{path}: not UTF-8", WRONG_USE) from None
    except tomllib.TOMLDecodeError as error:
        raise Failure(f"{path}: not TOML: {error}", WRONG_USE) from None
    problems = Problems(text)
    found = _Reader(path, problems).file(content)
    if told := problems.told():
        raise Failure(f"{path} is not right:\n  " + "\n  ".join(told), WRONG_USE)
    return found


class _Reader:
    def __init__(self, path: Path, problems: Problems) -> None:
        self._path, self._problems = path, problems

    def file(self, content: Mapping[str, Any]) -> AccessFile:
        self._problems.known((), content, KEYS)
        permissions = self._permissions(content.get("permissions"))
        outsiders = self._texts(("outsiders",), content.get("outsiders", []))
        tables = self._problems.table(("organizations",), content.get("organizations", {}))
        organizations = {slug: self._organization(slug, table) for slug, table in tables.items()}
        people = {*outsiders, *(name for each in organizations.values() for name in each.members)}
        expected = content.get("expect")
        if not isinstance(expected, list) or not expected:
            self._problems.add(("expect",), "at least one [[expect]] with who, on and what is allowed or denied")
            return AccessFile(permissions, organizations, ())
        lines = self._problems.lines_of_tables("expect")
        places = _Places(permissions, organizations, people)
        expectations: list[Expectation] = []
        for number, table in enumerate(expected):
            line = lines[number] if len(lines) == len(expected) else self._problems.line("expect")
            expectations += self._expectation(self._problems.table(("expect",), table), line, places)
        return AccessFile(permissions, organizations, tuple(expectations))

    def _permissions(self, name: object) -> Mapping[str, LeastRole]:
        if name is None:
            return BUILT_IN
        if not isinstance(name, str):
            self._problems.add(("permissions",), "the name of a file is needed")
            return BUILT_IN
        try:
            return read_permissions(self._path.parent / name)
        except ValueError as error:
            self._problems.add(("permissions",), str(error))
            return BUILT_IN

    def _organization(self, slug: str, content: object) -> Organization:
        path = ("organizations", slug)
        table = self._problems.table(path, content)
        self._problems.known(path, table, OF_ORGANIZATION)
        if "/" in slug:
            self._problems.add(path, "a slug has no /; a project of it is named under projects")
        default = table.get("default_project_role", ProjectRole.VIEWER.name)
        members = self._roles((*path, "members"), table.get("members", {}), OrgRole)
        projects: dict[str, Mapping[str, ProjectRole]] = {}
        for project, roles in self._problems.table((*path, "projects"), table.get("projects", {})).items():
            here = (*path, "projects", project)
            projects[project] = self._roles(here, roles, ProjectRole)
            for name in projects[project]:
                if name not in members:
                    self._problems.add((*here, name), f"no member of {slug}{nearest(name, members)}")
                elif members[name] is OrgRole.OWNER:
                    self._problems.add((*here, name), "an OWNER is ADMIN on every project, whatever is set there")
        role = self._role((*path, "default_project_role"), default, ProjectRole)
        return Organization(role, members, projects)

    def _roles(self, path: tuple[str, ...], content: object, kind: type[Role]) -> dict[str, Role]:
        table = self._problems.table(path, content)
        return {name: self._role((*path, name), role, kind) for name, role in table.items()}

    def _role(self, path: tuple[str, ...], name: object, kind: type[Role]) -> Role:
        """The least one for a name that is none: nothing is answered then, and its bearer is no stranger."""
        if isinstance(name, str) and name in kind.__members__:
            return kind[name]
        what = f'"{name}" is no role here' if isinstance(name, str) else "a role in quotes is needed"
        self._problems.add(path, what + nearest(str(name).upper(), kind.__members__))
        return min(kind)

    def _expectation(self, table: Mapping[str, Any], line: int, places: "_Places") -> list[Expectation]:
        self._problems.known(("expect",), table, OF_EXPECTATION, after=line)
        read = {key: self._texts(("expect", key), table.get(key, []), after=line) for key in OF_EXPECTATION}
        for key in ("who", "on"):
            if key not in table:
                self._problems.add(("expect",), f"{key} is missing", after=line)
        if not read["allowed"] and not read["denied"] and not table.keys() - OF_EXPECTATION:
            self._problems.add(("expect",), "neither allowed nor denied says what is expected", after=line)
        for key, find in (("who", places.person), ("on", places.place), ("allowed", places.permission),
                          ("denied", places.permission)):  # fmt: skip
            for name in read[key]:
                if problem := find(name, read["on"]):
                    self._problems.add(("expect", key), problem, after=line, value=name)
        return [
            Expectation(line, who, permission, on, key == "allowed")
            for on in read["on"]
            for who in read["who"]
            for key in ("allowed", "denied")
            for permission in read[key]
        ]

    def _texts(self, path: tuple[str, ...], value: object, *, after: int = 1) -> list[str]:
        """One text, or a list of them."""
        found: list[object] = value if isinstance(value, list) else [value]
        texts = [text for text in found if isinstance(text, str)]
        if len(texts) < len(found):
            self._problems.add(path, "a text in quotes or a list of them is needed", after=after)
        return texts


class _Places:
    """What an expectation may name; each answers with what is wrong with a name, "" for nothing."""

    def __init__(
        self, permissions: Mapping[str, LeastRole], organizations: Mapping[str, Organization], people: set[str]
    ) -> None:
        self._permissions, self._people = permissions, people
        self._projects = {f"{slug}/{project}" for slug, each in organizations.items() for project in each.projects}
        self._places = {*organizations, *self._projects}

    def person(self, name: str, _: list[str]) -> str:
        if name in self._people:
            return ""
        return f'"{name}" is nobody in this file{nearest(name, self._people)}; who belongs nowhere is in outsiders'

    def place(self, name: str, _: list[str]) -> str:
        return "" if name in self._places else f'there is no "{name}" in this file{nearest(name, self._places)}'

    def permission(self, name: str, places: list[str]) -> str:
        least = self._permissions.get(name)
        if least is None:
            return f'"{name}" is not defined{nearest(name, self._permissions)}'
        wrong = [place for place in places if place in self._places - self._projects]
        if isinstance(least, ProjectRole) and wrong:
            return f'"{name}" is held on projects: on needs such as "{wrong[0]}/api"'
        return ""
