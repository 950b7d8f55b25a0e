"""SQL of the hot path: the roles behind many questions, in one statement."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from shared.database import Database

# A place that is not there, deleted, or not of the organization named with it has no row to the right, and
# so looks like one the person is not a member of. LIMIT keeps each membership a look-up by its whole key:
# joined plainly, the planner would read all of a person's memberships and pick one.
ROLES_IN_PLACES = """
SELECT m.role, pm.role, o.default_project_role
  FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[]) WITH ORDINALITY AS q (user_id, organization_id, project_id, n)
  LEFT JOIN projects p
    ON p.project_id = q.project_id
   AND p.organization_id = coalesce(q.organization_id, p.organization_id)
   AND p.delete_time IS NULL
  LEFT JOIN organizations o
    ON o.organization_id = CASE WHEN q.project_id IS NULL THEN q.organization_id ELSE p.organization_id END
   AND o.delete_time IS NULL
  LEFT JOIN LATERAL (
       SELECT role FROM organization_members
        WHERE organization_id = o.organization_id AND user_id = q.user_id
          AND (expire_time IS NULL OR expire_time > now())
        LIMIT 1) m ON true
  LEFT JOIN LATERAL (
       SELECT role FROM project_members
        WHERE organization_id = p.organization_id AND project_id = p.project_id AND user_id = q.user_id
          AND (expire_time IS NULL OR expire_time > now())
        LIMIT 1) pm ON true
 ORDER BY q.n
"""


class Place(NamedTuple):
    """Whose roles, where; one of the two ids or both."""

    user_id: UUID
    organization_id: UUID | None
    project_id: UUID | None


class Roles(NamedTuple):
    """As stored; None where there is no row."""

    organization_role: str | None
    override: str | None
    default_project_role: str | None


async def roles_in_places(database: Database, places: Sequence[Place]) -> list[Roles]:
    """One for each place, in order, as they are in the database at this moment."""
    users, organizations, projects = (list(column) for column in zip(*places, strict=True))
    rows = await database.hot_read(ROLES_IN_PLACES, (users, organizations, projects))
    return [Roles(*row) for row in rows]
