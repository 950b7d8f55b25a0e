"""tenancy.v1.EventService."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from operator import attrgetter
from typing import Any, TypeAlias
from uuid import UUID

from protos.tenancy.v1 import events_pb2 as pb
from protos.tenancy.v1.project_members_pb2 import ProjectMember
from shared.call import Context
from shared.database import Row
from shared.event_cursor import Cursor, Place
from shared.fields import NIL
from shared.timestamps import timestamp
from tenancy_service import to_proto
from tenancy_service.parts import Handlers
from tenancy_service.permissions import OrgRole, ProjectRole, access
from tenancy_service.queries import events

PAGE = 100  # of each kind in a snapshot that are held at once
TYPES = {name.removeprefix("EVENT_TYPE_"): number for name, number in pb.EventType.items()}
# A type of event without its last word, and the field of the event that shows it.
CONTENTS = {
    "ORGANIZATION": "organization",
    "MEMBER": "member",
    "PROJECT": "project",
    "PROJECT_ROLE": "project_member",
}
ORGANIZATION, PROJECT, USER = map(attrgetter, ("organization_id", "project_id", "user_id"))
PROJECT_AND_USER = attrgetter("project_id", "user_id")

Rows: TypeAlias = AsyncIterator[Row]
Item: TypeAlias = tuple[Place, pb.StreamEventsResponse]


class EventStream(Handlers):
    def StreamEvents(self, request: pb.StreamEventsRequest, context: Context) -> AsyncIterator[pb.StreamEventsResponse]:
        return self.parts.event_streams.respond(
            request.cursor,
            with_snapshot=request.snapshot,
            beginning=(NIL, NIL, NIL),
            snapshot=self._all,
            told=response_with,
        )

    async def _all(self, place: Place) -> AsyncIterator[Item]:
        """Organization after organization, each followed by its members, projects and overrides.

        A place says what was told last: (organization, nil, nil), then (organization, nil, member), then
        (organization, project, nil), then of an override (organization, project, member).
        """
        organization_id, project_id, user_id = place
        if organization_id != NIL:
            async for item in self._inside(organization_id, project_id, user_id):
                yield item
        async for row in self._rows(events.list_organizations_after, ORGANIZATION, organization_id):
            organization_id = row.organization_id
            yield (organization_id, NIL, NIL), state(organization=to_proto.public_organization(row))
            async for item in self._inside(organization_id, NIL, NIL):
                yield item

    async def _inside(self, organization_id: UUID, project_id: UUID, user_id: UUID) -> AsyncIterator[Item]:
        """What is in an organization behind the place."""
        members, projects, overrides = (
            partial(query, organization_id=organization_id)
            for query in (events.list_members_after, events.list_projects_after, events.list_overrides_after)
        )
        if project_id == NIL:
            async for row in self._rows(members, USER, user_id):
                yield (organization_id, NIL, row.user_id), state(member=to_proto.organization_member(row))
            user_id = NIL
        if user_id == NIL:
            async for row in self._rows(projects, PROJECT, project_id):
                yield (organization_id, row.project_id, NIL), state(project=to_proto.project(row, None))
            project_id = NIL
        async for row in self._rows(overrides, PROJECT_AND_USER, (project_id, user_id)):
            yield (organization_id, row.project_id, row.user_id), state(project_member=overridden(row))

    async def _rows(self, query: Callable[..., Awaitable[list[Row]]], key: Callable[[Row], Any], after: Any) -> Rows:
        """All rows behind a key, of which a page is held at once."""
        more = True
        while more:
            async with self.parts.database.single_read() as tx:
                rows = await query(tx, after=after, limit=PAGE)
            for row in rows:
                yield row
            if more := len(rows) == PAGE:
                after = key(rows[-1])


def state(**content: Any) -> pb.StreamEventsResponse:
    return pb.StreamEventsResponse(snapshot=pb.Snapshot(**content))


def overridden(row: Row) -> ProjectMember:
    # What the organization gives by default counts for nothing where there is an override.
    roles = access(OrgRole[row.organization_role], ProjectRole[row.role], ProjectRole.NONE, on_project=True)
    return to_proto.project_member(row, row.user_id, roles, row)


def response_with(cursor: Cursor, row: Row | None) -> pb.StreamEventsResponse:
    """An event, or without one a heartbeat."""
    if row is None:
        return pb.StreamEventsResponse(heartbeat=pb.Heartbeat(time=timestamp(cursor.time)))
    event = pb.Event(
        event_id=str(row.event_id),
        # A newer server's type is unspecified for this one; to fail would hold all later events back.
        type=TYPES.get(row.type, pb.EVENT_TYPE_UNSPECIFIED),
        create_time=timestamp(row.create_time),
        organization_id=str(row.organization_id),
        project_id=str(row.project_id or ""),
        user_id=str(row.user_id or ""),
    )
    content = CONTENTS.get(row.type.rpartition("_")[0])
    if content and row.message is not None:
        getattr(event, content).MergeFromString(row.message)
    return pb.StreamEventsResponse(event=event)
