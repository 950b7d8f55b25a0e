"""`tenantry orgs audit`: what was done in an organization, by whom."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from tenantry.commands.options import as_lines, limit_option
from tenantry.failures import command, given

if TYPE_CHECKING:
    from protos.tenancy.v1.audit_events_pb2 import AuditEvent

COLUMNS = ("time", "action", "by", "user", "details", "from")


@click.command()
@click.argument("slug")
@click.option("--filter", "condition", default="", help="Such as: action = MEMBER_REMOVED")
@limit_option
@as_lines
def audit(slug: str, condition: str, limit: int | None, as_json: bool) -> None:
    """List what was done in one, newest first.

    --filter takes action, actor_user_id, actor_service, target_user_id, project_id and create_time
    (with = < <= > >=), joined by AND.
    """
    from protos.tenancy.v1 import audit_events_pb2 as pb
    from tenantry import client, output, places, shown_users
    from tenantry.shown_messages import metadata, time

    most = output.at_most(limit, as_json)
    emails: dict[str, str] = {}

    def row(event: "AuditEvent") -> tuple[str, ...]:
        by = emails.get(event.actor_user_id, event.actor_user_id) or event.actor_service
        whom = emails.get(event.target_user_id, event.target_user_id)
        return time(event.create_time), event.action, by, whom, metadata(event.details), event.ip

    with client.as_operator("identity", "tenancy") as ask:
        found = places.find_organization(ask, slug)
        request = pb.ListAuditEventsRequest(
            organization_id=found.organization_id, filter=condition, page_size=output.page_size(most)
        )
        method = "tenancy.v1.AuditService/ListAuditEvents"

        def listed() -> "Iterator[AuditEvent]":
            for page in client.pages(ask, method, request, pb.ListAuditEventsResponse):
                people = {who for event in page.audit_events for who in (event.actor_user_id, event.target_user_id)}
                emails.update(shown_users.emails(ask, people - emails.keys()))
                yield from page.audit_events

        output.print_list(
            listed(), COLUMNS, row, as_json, most, command("orgs", "audit", found.slug, *given("--filter", condition))
        )
