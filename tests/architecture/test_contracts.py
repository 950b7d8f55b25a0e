"""The contracts: numbers that Python shares, ids in full, every part documented."""

import re
from enum import IntEnum
from itertools import pairwise
from pathlib import Path

import pytest

from protos.tenancy.v1 import roles_pb2
from tenancy_service.permissions import OrgRole, ProjectRole, RoleSource
from tests.architecture.project import ROOT

PROTOS = sorted((ROOT / "protos").glob("*/v1/*.proto"))
EACH = pytest.mark.parametrize("path", PROTOS, ids=[path.stem for path in PROTOS])


@pytest.mark.parametrize(
    ("ours", "theirs", "prefix"),
    [
        (OrgRole, roles_pb2.OrgRole, "ORG_ROLE_"),
        (ProjectRole, roles_pb2.ProjectRole, "PROJECT_ROLE_"),
        (RoleSource, roles_pb2.RoleSource, "ROLE_SOURCE_"),
    ],
    ids=["OrgRole", "ProjectRole", "RoleSource"],
)
def test_pythons_roles_carry_the_contracts_numbers(ours: type[IntEnum], theirs: object, prefix: str) -> None:
    told = {name.removeprefix(prefix): number for name, number in theirs.items() if number}  # type: ignore[attr-defined]
    assert {role.name: role.value for role in ours} == told


@EACH
def test_ids_are_named_in_full(path: Path) -> None:
    for name in re.findall(r"^\s+(?:repeated )?string (\w*id\w*) = ", path.read_text(), re.MULTILINE):
        assert re.fullmatch(
            r"(actor_|target_|inviter_|accepted_|set_by_|owner_)?(user|session|organization|request|event|audit_event|external)_id"
            r"|(skipped_)?project_ids?|(user|invitation)_ids?",
            name,
        ), name


@EACH
def test_every_service_rpc_and_enum_value_is_documented(path: Path) -> None:
    lines = path.read_text().splitlines()
    for before, line in pairwise(lines):
        if re.match(r"(service|enum) |  rpc ", line):
            assert before.strip().startswith("//"), line


@EACH
def test_a_file_imports_only_google_and_its_own_package(path: Path) -> None:
    imports = re.findall(r'^import "(.*)";', path.read_text(), re.MULTILINE)
    package = f"{path.parts[-3]}/v1/"
    assert [name for name in imports if not name.startswith(("google/", package))] == []
