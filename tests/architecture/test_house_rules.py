"""House rules that a tool does not know: each of them a check that fails."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.project import ROOT, SERVICES, python_files, shown, tracked

MOST_LINES = 300
# Not spelled out, so that this file is not the one that has them.
INDEX_HOSTS = ("py" + "pi.org", "pythonhosted" + ".org", "registry." + "npmjs", "files." + "pythonhosted")
MACHINE_PATHS = ("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/")
# The worker's and a snapshot's, over all tenants; the statement of the hot path, whose places are a list; what a
# slug leads to.
OVER_ALL_TENANTS = {"delete_past_purge_time", "list_organizations_after", "roles_in_places", "get_organization_id"} | {
    "get_invitation",  # by an id alone, by its secret, and those that wait for an address
    "get_invitation_by_secret",
    "list_invitations_of_address",
    # What follows from identity's events: one user's, wherever they are.
    "list_memberships_of_users",
    "upsert_user_names",
    "delete_user_names",
    "insert_all_users_to_check",
    "list_newest_members",
    "list_users_to_check",
    "delete_users_to_check",
    "update_identity_holder",
    "update_identity_holder_gone",
    "lock_identity_cursor",
    "update_identity_cursor",
    "lock_set_aside_event",
    "delete_set_aside_event",
    "count_set_aside_events",
}
TENANT = {"organization_id", "project_id", "user_id"}


def test_no_file_is_longer_than_it_should_be() -> None:
    long = {shown(path): len(path.read_text().splitlines()) for path in python_files()}
    assert {name: lines for name, lines in long.items() if lines > MOST_LINES} == {}


def test_every_module_says_what_lives_there() -> None:
    silent = [
        shown(path)
        for path in python_files()
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_nobody_commits_but_the_database_module() -> None:
    committing = [shown(p) for p in python_files(*SERVICES, "shared") if ".commit(" in p.read_text()]
    assert committing == ["shared/database.py"]


def test_only_settings_read_the_environment() -> None:
    reading = re.compile(r"os\.environ|os\.getenv|BaseSettings")
    found = [shown(p) for p in python_files(*SERVICES, "shared") if reading.search(p.read_text())]
    assert found == ["shared/settings.py"]


def test_only_the_identity_client_knows_identitys_contracts() -> None:
    found = [shown(p) for p in python_files("tenancy_service") if "protos.identity" in p.read_text()]
    assert found == ["tenancy_service/identity_client.py"]


def queries() -> Iterator[tuple[str, ast.AsyncFunctionDef]]:
    for path in python_files(*SERVICES):
        if path.parent.name == "queries":
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.AsyncFunctionDef) and not node.name.startswith("_"):
                    yield shown(path), node


QUERIES = list(queries())


@pytest.mark.parametrize(("file", "query"), QUERIES, ids=[f"{file}:{query.name}" for file, query in QUERIES])
def test_a_query_takes_the_transaction_first_and_the_rest_by_keyword(file: str, query: ast.AsyncFunctionDef) -> None:
    names = [argument.arg for argument in query.args.args]
    if query.name == "roles_in_places":
        assert names == ["database", "places"]  # one list is all it takes
        return
    assert names in (["tx"], ["database"])
    verbs = ("insert_", "get_", "list_", "update_", "delete_", "lock_", "count_", "upsert_")
    assert query.name.startswith(verbs)


@pytest.mark.parametrize(
    ("file", "query"),
    [each for each in QUERIES if each[0].startswith("tenancy")],
    ids=[query.name for file, query in QUERIES if file.startswith("tenancy")],
)
def test_a_query_of_tenancy_says_which_tenant(file: str, query: ast.AsyncFunctionDef) -> None:
    names = {argument.arg for argument in query.args.kwonlyargs}
    assert names & TENANT or query.name in OVER_ALL_TENANTS


def test_no_file_names_a_package_index_or_a_machines_folder() -> None:
    for path in tracked():
        text = path.read_text(errors="replace")
        assert not any(host in text for host in INDEX_HOSTS), shown(path)
        if path.name not in ("Dockerfile", "docker-compose.yml"):
            assert not any(folder in text for folder in MACHINE_PATHS), shown(path)


def test_pinned_requirements_have_hashes_and_no_addresses() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()
        assert "://" not in text
        for requirement in re.findall(r"^[a-z0-9].*?(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL):
            assert "--hash=sha256:" in requirement, requirement


def test_npms_lock_has_no_addresses() -> None:
    locks = [path for path in tracked() if path.name == "package-lock.json"]
    assert locks
    assert not [shown(path) for path in locks if '"resolved"' in path.read_text()]


def test_nothing_is_left_to_do_in_a_comment() -> None:
    words = re.compile("TO" + "DO|FIX" + "ME|XX" + "X")
    assert [shown(path) for path in python_files() if words.search(path.read_text())] == []


def test_generated_code_is_marked_as_such() -> None:
    marked = (ROOT / ".gitattributes").read_text()
    for path in (ROOT / "protos").rglob("*_pb2*"):
        if "__pycache__" not in path.parts:
            assert f"*{path.name[path.name.index('_pb2') :]} linguist-generated" in marked, Path(path)
