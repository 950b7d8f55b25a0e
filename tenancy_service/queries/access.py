"""SQL of access: the hot path, which reads the roles behind many questions in one statement, and one explained."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import and_, select

from shared.database import Database, Row, Tx, first
from tenancy_service.queries.organization_members import active
from tenancy_service.queries.project_members import in_force
from tenancy_service.tables import organization_members as m
from tenancy_service.tables import organizations as o
from tenancy_service.tables import project_members as pm
from tenancy_service.tables import projects as p

# A place that is not there, deleted, or not of the organization named with it has no row to the right, and
# so looks like one the person is not a member of. LIMIT keeps each join a look-up of one row by its key, whatever the
# planner thinks of the tables: joined plainly, it would read all of a person's memberships and pick one, and planned
# while there were no organizations yet, every organization for every question.
ROLES_IN_PLACES = """
SELECT m.role, pm.role, o.default_project_role
  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) WITH ORDINALITY AS q (user_id, organization_id, project_id, n)
  LEFT JOIN LATERAL (
       SELECT organization_id, project_id FROM projects
        WHERE project_id = q.project_id
          AND organization_id = coalesce(q.organization_id, organization_id)
          AND delete_time IS NULL
        LIMIT 1) p ON true
  LEFT JOIN LATERAL (
       SELECT organization_id, default_project_role FROM organizations
        WHERE organization_id = CASE WHEN q.project_id IS NULL THEN q.organization_id ELSE p.organization_id END
          AND delete_time IS NULL
        LIMIT 1) o ON true
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


# Whose roles, where: a user, an organization, a project; one of the last two or both. Plain tuples of text: on the hot
# path UUIDs and names for the three would cost more than the answer.
Place = tuple[str, str | None, str | None]

# As stored: organization role, override, default project role; None where there is no row.
Roles = tuple[str | None, str | None, str | None]


async def roles_in_places(database: Database, places: Sequence[Place]) -> list[Roles]:
    """One for each place, in order, as they are in the database at this moment."""
    columns = [uuid_array(column) for column in zip(*places, strict=True)]
    return await database.hot_read(ROLES_IN_PLACES, columns)


def uuid_array(ids: Iterable[str | None]) -> str:
    """As PostgreSQL writes arrays; psycopg would look at every element."""
    return "{" + ",".join([id_ or "NULL" for id_ in ids]) + "}"


async def get_roles_in_place(
    tx: Tx, *, user_id: UUID, organization_id: UUID | None, project_id: UUID | None
) -> Row | None:
    """The same for one place, with names, times and who set the override; None for who is no member of it."""
    statement = (
        select(
            m.c.role,
            m.c.expire_time,
            o.c.slug.label("organization_slug"),
            o.c.default_project_role,
            p.c.slug.label("project_slug"),
            pm.c.role.label("override"),
            pm.c.update_time.label("set_time"),
            pm.c.expire_time.label("override_expire_time"),
            pm.c.set_by_user_id,
            pm.c.set_by_service,
        )
        .select_from(o)
        .join(m, m.c.organization_id == o.c.organization_id)
        .outerjoin(p, and_(p.c.organization_id == o.c.organization_id, p.c.project_id == project_id))
        .outerjoin(
            pm,
            and_(
                pm.c.organization_id == p.c.organization_id,
                pm.c.project_id == p.c.project_id,
                pm.c.user_id == user_id,
                in_force(),
            ),
        )
        .where(m.c.user_id == user_id, active(), o.c.delete_time.is_(None))
    )
    if organization_id is not None:
        statement = statement.where(o.c.organization_id == organization_id)
    if project_id is not None:
        statement = statement.where(p.c.project_id.is_not(None), p.c.delete_time.is_(None))
    return await first(tx, statement)
