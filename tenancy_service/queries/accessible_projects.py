"""SQL of where somebody has a role."""

from collections.abc import Sequence
from uuid import UUID

from shared.database import Row, Tx, fetch

FIRST, LAST = UUID(int=0), UUID(int=2**128 - 1)

# The memberships come in order, so reading ends with the organization that fills the page. Asked to sort by project as
# well, the planner may read them all first, however many there are: OFFSET 0 and the outer SELECT keep the two apart.
# Each membership is a look-up of its own, of at most `limit` projects.
ACCESSIBLE_PROJECTS = """
SELECT *
  FROM (SELECT m.organization_id, m.organization_role, o.default_project_role,
               p.project_id, p.slug, p.display_name, p.override
          FROM (SELECT organization_id, user_id, role AS organization_role FROM organization_members
                 WHERE user_id = %(user_id)s AND organization_id BETWEEN %(least)s AND %(most)s
                   AND organization_id >= %(after_organization)s AND (expire_time IS NULL OR expire_time > now())
                 ORDER BY organization_id OFFSET 0) m
          JOIN LATERAL (
               SELECT default_project_role,
                      m.organization_role || ' ' || default_project_role = ANY(%(inheriting)s) AS inherits,
                      CASE organization_id WHEN %(after_organization)s THEN %(after_project)s
                                           ELSE %(first)s END AS after
                 FROM organizations
                WHERE organization_id = m.organization_id AND delete_time IS NULL
                LIMIT 1) o ON true
          JOIN LATERAL (
               -- Where the role in the organization suffices, all its projects but those with a lower override ...
               (SELECT p.project_id, p.slug, p.display_name, pm.role AS override
                  FROM projects p
                  LEFT JOIN project_members pm
                    ON pm.organization_id = p.organization_id AND pm.project_id = p.project_id
                   AND pm.user_id = m.user_id AND (pm.expire_time IS NULL OR pm.expire_time > now())
                 WHERE o.inherits AND p.organization_id = m.organization_id AND p.project_id > o.after
                   AND p.delete_time IS NULL
                   AND (m.organization_role = 'OWNER' OR pm.role IS NULL OR pm.role = ANY(%(enough)s))
                 ORDER BY p.project_id LIMIT %(limit)s)
               UNION ALL
               -- ... and elsewhere only those with a higher one, however many others there are.
               (SELECT p.project_id, p.slug, p.display_name, pm.role
                  FROM project_members pm
                  JOIN projects p ON p.organization_id = pm.organization_id AND p.project_id = pm.project_id
                 WHERE NOT o.inherits AND pm.organization_id = m.organization_id AND pm.user_id = m.user_id
                   AND pm.project_id > o.after AND pm.role = ANY(%(enough)s)
                   AND (pm.expire_time IS NULL OR pm.expire_time > now()) AND p.delete_time IS NULL
                 ORDER BY p.project_id LIMIT %(limit)s)) p ON true
         ORDER BY m.organization_id
         FETCH FIRST (%(limit)s) ROWS WITH TIES) page
 ORDER BY organization_id, project_id
 LIMIT %(limit)s
"""


async def list_accessible_projects(
    tx: Tx,
    *,
    user_id: UUID,
    organization_id: UUID | None,
    inheriting: Sequence[tuple[str, str]],
    enough: Sequence[str],
    after: tuple[UUID, UUID] | None,
    limit: int,
) -> list[Row]:
    """By organization, then project, with what the role there follows from; in all organizations without one.

    `inheriting` are the pairs of organization role and default project role that suffice on a project without an
    override, `enough` the overrides that do. `after` is the last organization and project of the page before.
    """
    after_organization, after_project = after or (FIRST, FIRST)
    values = {
        "user_id": user_id,
        "least": organization_id or FIRST,
        "most": organization_id or LAST,
        "after_organization": after_organization,
        "after_project": after_project,
        "first": FIRST,
        "inheriting": [" ".join(pair) for pair in inheriting],
        "enough": list(enough),
        "limit": limit,
    }
    return await fetch(tx, ACCESSIBLE_PROJECTS, values)
