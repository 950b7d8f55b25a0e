"""What a change would mean for whom, found by making it and taking it back (AIP-163)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from protos.tenancy.v1.changes_pb2 import AccessChange
from shared.caller import current_caller
from shared.database import Database, Row, Tx
from tenancy_service import authorize, to_proto
from tenancy_service.permissions import Access, LeastRole, OrgRole, ProjectRole, RoleSource, access, held
from tenancy_service.queries import previews

MOST = 1_000  # changes told; all are counted

Response = TypeVar("Response", bound=Any)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose access a change may touch, and where.

    With `user_ids`: those people, in the organization and on all its projects; with `project_id` too, on that project
    only. With `project_id` alone: everybody, on that project. With neither: everybody, in the organization itself.
    """

    organization_id: UUID
    user_ids: tuple[UUID, ...] = ()
    project_id: UUID | None = None


class Place(NamedTuple):
    """Somebody in the organization itself, or on one of its projects."""

    user_id: UUID
    project_id: UUID | None


@dataclass(frozen=True, slots=True)
class Seen:
    """The access there is at a moment. A place that is not there gives nobody anything."""

    roles: dict[UUID, OrgRole]
    places: dict[Place, Access]

    def at(self, place: Place) -> Access:
        nothing = None if place.project_id is None else ProjectRole.NONE
        return self.places.get(place) or Access(self.roles.get(place.user_id), nothing, RoleSource.NOT_A_MEMBER)


class Previews:
    """`permissions` are all there are, also the deployment's own."""

    def __init__(self, database: Database, permissions: Mapping[str, LeastRole]) -> None:
        self._database, self._permissions = database, permissions

    async def of(
        self, act: Callable[[Tx], Awaitable[Response]], scope: Scope | Callable[[Tx], Awaitable[Scope]]
    ) -> Response:
        """The response that `act` would give, with `changes` and `change_count`; nothing stays.

        `act` is what the RPC runs otherwise, so its errors are those of the preview. `scope` as a function is for a
        project whose organization must be found first; it refuses those who may not know that.
        """
        async with self._database.transaction() as tx:
            where = scope if isinstance(scope, Scope) else await scope(tx)
            # Before the savepoint, so that going back to it does not give the lock away: `before` is what `act` found.
            # Reading comes after `act`, which refuses those who may not, before any work is done for them.
            await authorize.lock_organization(tx, current_caller(), where.organization_id)
            savepoint = await tx.begin_nested()
            response = await act(tx)
            after = await _see(tx, where)
            await savepoint.rollback()
            before = await _see(tx, where)
        places = sorted(
            (place for place in before.places | after.places if _role(before.at(place)) is not _role(after.at(place))),
            key=lambda place: (place.user_id, place.project_id is not None, place.project_id),
        )
        response.changes.extend(self._change(place, before.at(place), after.at(place)) for place in places[:MOST])
        response.change_count = len(places)
        return response

    def _change(self, place: Place, before: Access, after: Access) -> AccessChange:
        had, has = held(self._permissions, before), held(self._permissions, after)
        return AccessChange(
            user_id=str(place.user_id),
            project_id=str(place.project_id or ""),
            organization_role_before=to_proto.org_role(before.organization_role),
            organization_role_after=to_proto.org_role(after.organization_role),
            project_role_before=to_proto.project_role(before.project_role),
            project_role_after=to_proto.project_role(after.project_role),
            gained=[name for name in has if name not in had],
            lost=[name for name in had if name not in has],
        )


async def _see(tx: Tx, scope: Scope) -> Seen:
    """By the roles that `tx` sees, and the role table."""
    organization_id, user_ids = scope.organization_id, scope.user_ids
    if scope.project_id is not None:
        rows = await previews.list_roles_on_project(
            tx, organization_id=organization_id, project_id=scope.project_id, user_ids=user_ids
        )
    elif user_ids:
        rows = await previews.list_roles_of_people(tx, organization_id=organization_id, user_ids=user_ids)
    else:
        rows = await previews.list_roles_of_members(tx, organization_id=organization_id)
    places = {Place(row.user_id, row.project_id): _access(row, True) for row in rows if row.project_id is not None}
    if scope.project_id is None:
        places |= {Place(row.user_id, None): _access(row, False) for row in rows}
    return Seen({row.user_id: OrgRole[row.organization_role] for row in rows}, places)


def _access(row: Row, on_project: bool) -> Access:
    return access(
        OrgRole[row.organization_role],
        ProjectRole[row.override] if row.override else None,
        ProjectRole[row.default_project_role],
        on_project=on_project,
    )


def _role(access: Access) -> OrgRole | ProjectRole | None:
    """What decides in the place."""
    return access.organization_role if access.project_role is None else access.project_role
