"""SQL of where somebody has a role."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, and_, case, literal, or_, select, true, tuple_, union_all

from shared.database import Row, Tx, many
from tenancy_service.queries.organization_members import active
from tenancy_service.queries.project_members import in_force
from tenancy_service.tables import organization_members as m
from tenancy_service.tables import organizations as o
from tenancy_service.tables import project_members as pm
from tenancy_service.tables import projects as p

FIRST = UUID(int=0)


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
    override, `enough` the overrides that do. Each membership is a look-up of its own, of at most `limit` projects.
    """
    theirs = select(m.c.organization_id, m.c.user_id, m.c.role.label("organization_role"))
    theirs = theirs.where(m.c.user_id == user_id, active())
    if organization_id is not None:
        theirs = theirs.where(m.c.organization_id == organization_id)
    if after is not None:
        theirs = theirs.where(m.c.organization_id >= after[0])
    member = theirs.order_by(m.c.organization_id).offset(0).subquery("member")
    place = (
        select(o.c.default_project_role)
        .where(o.c.organization_id == member.c.organization_id, o.c.delete_time.is_(None))
        .limit(1)
        .lateral("place")
    )
    inherits = tuple_(member.c.organization_role, place.c.default_project_role).in_(inheriting)
    begin: ColumnElement[UUID] = literal(FIRST, Uuid)
    if after is not None:
        begin = case((member.c.organization_id == after[0], literal(after[1], Uuid)), else_=begin)
    columns = (p.c.project_id, p.c.slug, p.c.display_name, pm.c.role.label("override"))
    set_there = and_(
        pm.c.organization_id == p.c.organization_id,
        pm.c.project_id == p.c.project_id,
        pm.c.user_id == member.c.user_id,
        in_force(),
    )
    # Where the role in the organization suffices, all its projects but those with a lower override ...
    all_but_lowered = (
        select(*columns)
        .select_from(p)
        .outerjoin(pm, set_there)
        .where(
            inherits,
            p.c.organization_id == member.c.organization_id,
            p.c.project_id > begin,
            p.c.delete_time.is_(None),
            or_(member.c.organization_role == "OWNER", pm.c.role.is_(None), pm.c.role.in_(enough)),
        )
        .order_by(p.c.project_id)
        .limit(limit)
    )
    # ... and elsewhere only those with a higher one, however many others there are.
    only_raised = (
        select(*columns)
        .select_from(pm)
        .join(p, and_(p.c.organization_id == pm.c.organization_id, p.c.project_id == pm.c.project_id))
        .where(
            ~inherits,
            pm.c.organization_id == member.c.organization_id,
            pm.c.user_id == member.c.user_id,
            pm.c.project_id > begin,
            pm.c.role.in_(enough),
            in_force(),
            p.c.delete_time.is_(None),
        )
        .order_by(p.c.project_id)
        .limit(limit)
    )
    found = union_all(all_but_lowered, only_raised).lateral("found")
    # The memberships come in order, so reading ends with the organization that fills the page. Asked to sort by project
    # as well, the planner may read them all first, however many there are.
    page = (
        select(member.c.organization_id, member.c.organization_role, place.c.default_project_role, found)
        .select_from(member)
        .join(place, true())
        .join(found, true())
        .order_by(member.c.organization_id)
        .fetch(limit, with_ties=True)
        .subquery("page")
    )
    return await many(tx, select(page).order_by(page.c.organization_id, page.c.project_id).limit(limit))
