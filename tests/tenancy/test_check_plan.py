"""The hot statement looks everything up by key, also in a new database: empty tables mislead the planner."""

import re

import psycopg
import pytest

from shared.database import HOT_SETTINGS, SESSION_SETTINGS, options
from tenancy_service.queries.access import ROLES_IN_PLACES
from tenantry.testing.databases import Databases

FILL = """
INSERT INTO organizations (organization_id, slug, display_name)
SELECT gen_random_uuid(), 'o' || n, '' FROM generate_series(1, 2000) n;
INSERT INTO projects (organization_id, project_id, slug, display_name)
SELECT organization_id, gen_random_uuid(), 'p' || n, '' FROM organizations, generate_series(1, 5) n;
INSERT INTO organization_members (organization_id, user_id, role)
SELECT organization_id, '{person}', 'MEMBER' FROM organizations;
INSERT INTO project_members (organization_id, project_id, user_id, inherited_from_org, role)
SELECT organization_id, project_id, '{person}', false, 'EDITOR' FROM projects"""
PERSON = "01990e6c-0000-7000-8000-000000000001"


@pytest.mark.parametrize("filled", [False, True], ids=["empty tables", "filled without statistics"])
def test_places_and_roles_are_looked_up_by_their_keys(databases: Databases, filled: bool) -> None:
    """One person in 2,000 organizations with an override on each of 10,000 projects."""
    url = databases.service_url("tenancy", databases.copy("tenancy"))
    with psycopg.connect(url, autocommit=True, options=options(SESSION_SETTINGS, HOT_SETTINGS)) as connection:
        if filled:
            connection.execute(FILL.format(person=PERSON))
        connection.execute(f"PREPARE asked AS {ROLES_IN_PLACES}")
        asked = f"asked('{{{PERSON}}}', '{{NULL}}', '{{{PERSON}}}')"
        lines = connection.execute(f"EXPLAIN EXECUTE {asked}").fetchall()
    plan = "\n".join(line for (line,) in lines)
    assert re.findall(r"(?:Index|Seq|Bitmap)[\w ]* Scan.* on (\w+)", plan) == [
        "projects", "organizations", "organization_members", "project_members",
    ]  # fmt: skip
    conditions = re.findall(r"Index Cond: (.*)", plan)
    assert [sorted(re.findall(r"\b(\w+_id) = ", condition)) for condition in conditions] == [
        ["project_id"],
        ["organization_id"],
        ["organization_id", "user_id"],
        ["organization_id", "project_id", "user_id"],
    ]
    assert plan.count("Index Scan using") == 4
