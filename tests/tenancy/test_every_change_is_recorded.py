"""Each RPC that changes something writes exactly these events to its audit and to its stream, and nothing else."""

from collections import Counter
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tenantry.testing.pair import Pair
from tenantry.testing.people import People
from tests.tenancy.mutations import ROWS, Mutation, Place, Row
from tests.tenancy.rpcs import METHODS, call

# By RPC; what the audit then has more says each row of ROWS.
EVENTS: dict[str, tuple[str, ...]] = {
    "CreateOrganization": ("ORGANIZATION_CREATED", "MEMBER_ADDED"),
    "UpdateOrganization": ("ORGANIZATION_UPDATED",),
    "DeleteOrganization": ("ORGANIZATION_DELETED",),
    "UndeleteOrganization": ("ORGANIZATION_UNDELETED",),
    "TransferOwnership": ("MEMBER_UPDATED", "MEMBER_UPDATED"),
    "RestoreOwner": ("MEMBER_ADDED",),
    "AddOrganizationMember": ("MEMBER_ADDED",),
    "UpdateOrganizationMember": ("MEMBER_UPDATED",),
    "RemoveOrganizationMember": ("MEMBER_REMOVED",),
    "LeaveOrganization": ("MEMBER_REMOVED",),
    "CreateInvitation": (),
    "AcceptInvitation": ("MEMBER_ADDED",),
    "DeclineInvitation": (),
    "RevokeInvitation": (),
    "ResendInvitation": (),
    "CreateProject": ("PROJECT_CREATED",),
    "UpdateProject": ("PROJECT_UPDATED",),
    "DeleteProject": ("PROJECT_DELETED",),
    "UndeleteProject": ("PROJECT_UNDELETED",),
    "SetProjectRole": ("PROJECT_ROLE_SET",),
    "ClearProjectRole": ("PROJECT_ROLE_CLEARED",),
}
READS = ("Get", "List", "Check", "BatchCheck", "Explain", "Stream")
AUDITED = "SELECT * FROM audit_events WHERE organization_id = %s ORDER BY audit_event_id"
TOLD = "SELECT * FROM events WHERE organization_id = %s ORDER BY event_id"


def test_every_rpc_that_changes_something_has_a_row() -> None:
    changing = {method.name for method in METHODS.values() if not method.name.startswith(READS)}
    assert changing == EVENTS.keys() == ROWS.keys()


async def rows(pair: Pair, query: str, organization_id: str) -> list[dict[str, Any]]:
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url, row_factory=dict_row) as connection:
        return await (await connection.execute(query.encode(), (organization_id,))).fetchall()


async def made(pair: Pair, people: People, row: Row) -> tuple[Mutation, list[dict[str, Any]], list[str]]:
    """What the call has added to the audit, and the types of the events it has added."""
    place = await Place(pair, people).furnished()
    mutation = await row(place)
    audited, told = await rows(pair, AUDITED, place.acme), await rows(pair, TOLD, place.acme)
    response = await call(pair.tenancy.channel, mutation.request, mutation.metadata)
    where = place.acme
    if hasattr(response, "organization") and response.organization.organization_id != place.acme:
        where, audited, told = response.organization.organization_id, [], []
    more = (await rows(pair, AUDITED, where))[len(audited) :]
    return mutation, more, [event["type"] for event in (await rows(pair, TOLD, where))[len(told) :]]


@pytest.mark.parametrize("rpc", ROWS)
async def test_a_change_is_recorded_once(pair: Pair, people: People, rpc: str) -> None:
    mutation, audited, told = await made(pair, people, ROWS[rpc])
    assert Counter(event["action"] for event in audited) == Counter(mutation.actions)
    assert Counter(told) == Counter(EVENTS[rpc])
    for event in audited:
        by = mutation.by
        assert str(event["actor_user_id"] or "") == (by.user_id if by else "")
        assert event["actor_service"] == (None if by else "operator")
        assert str(event["session_id"] or "") == (by.session_id if by else "")
        assert str(event["ip"]) == "127.0.0.1"
        assert (event["project_id"] is not None) == event["action"].startswith("PROJECT_")
        assert (event["invitation_id"] is not None) == event["action"].startswith("INVITATION_")
        assert "@" not in str(event["details"])


@pytest.mark.parametrize("rpc", [method.name for method in METHODS.values() if "validate_only" in
                                 method.input_type.fields_by_name])  # fmt: skip
async def test_a_change_that_is_only_validated_is_not_recorded(pair: Pair, people: People, rpc: str) -> None:
    async def validated(place: Place) -> Mutation:
        mutation = await ROWS[rpc](place)
        mutation.request.validate_only = True
        return mutation

    _, audited, told = await made(pair, people, validated)
    assert (audited, told) == ([], [])
