"""What a change would mean, told without making it: who would gain or lose what, and where."""

from collections.abc import Sequence

from protos.tenancy.v1.changes_pb2 import AccessChange
from tenantry import output, shown_messages, shown_users
from tenantry.client import Ask
from tenantry.places import Place, projects_of
from tenantry.shown_messages import word

COLUMNS = ("email", "place", "before", "after", "gained", "lost")
NOTHING = "-"


def print_changes(ask: Ask, place: Place, changes: Sequence[AccessChange], count: int, as_json: bool) -> None:
    """`count` is how many there are in all."""
    organization = place.organization
    emails = shown_users.emails(ask, (change.user_id for change in changes))
    projects = projects_of(ask, organization.organization_id) if any(change.project_id for change in changes) else {}

    def where(change: AccessChange) -> str:
        return f"{organization.slug}/{projects[change.project_id].slug}" if change.project_id else organization.slug

    if as_json:
        told = [
            {"email": emails.get(change.user_id, ""), "place": where(change), **shown_messages.as_json(change)}
            for change in changes
        ]
        output.print_json({"change_count": count, "changes": told})
    else:
        output.print_table(
            COLUMNS, [(emails.get(change.user_id, change.user_id), where(change), *row(change)) for change in changes]
        )
    if len(changes) < count:
        output.note(f"These are the first {len(changes)} of {count}.")
    output.note("Nothing was changed.")


def row(change: AccessChange) -> tuple[str, ...]:
    kind = "project_role" if change.project_id else "organization_role"
    return (
        word(change, f"{kind}_before") or NOTHING,
        word(change, f"{kind}_after") or NOTHING,
        ", ".join(change.gained) or NOTHING,
        ", ".join(change.lost) or NOTHING,
    )
