"""Invitations whose sender is lowered, removed, or a member no longer: nobody gets in above what they may give."""

import pytest

from protos.tenancy.v1 import organization_members_pb2 as members_pb
from protos.tenancy.v1.organization_members_pb2_grpc import OrganizationMemberServiceStub
from protos.tenancy.v1.organizations_pb2 import TransferOwnershipRequest
from protos.tenancy.v1.organizations_pb2_grpc import OrganizationServiceStub
from protos.tenancy.v1.roles_pb2 import OrgRole
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails
from tests.tenancy.inviting import Inviting, an_address, state_of

END_MEMBERSHIP = """UPDATE organization_members SET expire_time = now() - interval '1 s'
                     WHERE organization_id = %s AND user_id = %s"""


@pytest.fixture
def inviting(pair: Pair) -> Inviting:
    return Inviting(pair)


async def test_who_is_lowered_takes_their_higher_invitations_with_them(
    pair: Pair, inviting: Inviting, people: People
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, ADMIN=bo)
    made = {role: await inviting.invite(ada, acme, an_address(), role) for role in ("OWNER", "ADMIN", "MEMBER")}
    of_another = await inviting.invite(AS_OPERATOR, acme, an_address(), "OWNER")
    request = TransferOwnershipRequest(organization_id=acme, user_id=bo.user_id)
    await OrganizationServiceStub(pair.tenancy.channel).TransferOwnership(request, metadata=ada.metadata)
    states = {role: state_of(await inviting.get(bo, each.invitation_id)) for role, each in made.items()}
    assert states == {"OWNER": "REVOKED", "ADMIN": "PENDING", "MEMBER": "PENDING"}
    assert state_of(await inviting.get(bo, of_another.invitation_id)) == "PENDING"
    assert (await inviting.audited(made["OWNER"].invitation_id))[-1] == "INVITATION_REVOKED"


@pytest.mark.parametrize("how", ["lowered to MEMBER", "lowered to GUEST", "removed"])
async def test_who_loses_their_rights_takes_their_higher_invitations_with_them(
    pair: Pair, inviting: Inviting, people: People, how: str
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, ADMIN=bo)
    made = {role: await inviting.invite(bo, acme, an_address(), role) for role in ("ADMIN", "MEMBER", "GUEST")}
    stub = OrganizationMemberServiceStub(pair.tenancy.channel)
    if how == "removed":
        removal = members_pb.RemoveOrganizationMemberRequest(organization_id=acme, user_id=bo.user_id)
        await stub.RemoveOrganizationMember(removal, metadata=ada.metadata)
    else:
        role = OrgRole.Value(f"ORG_ROLE_{how.split()[-1]}")
        change = members_pb.UpdateOrganizationMemberRequest(organization_id=acme, user_id=bo.user_id, role=role)
        await stub.UpdateOrganizationMember(change, metadata=ada.metadata)
    states = {role: state_of(await inviting.get(ada, each.invitation_id)) for role, each in made.items()}
    member = "REVOKED" if how.endswith("GUEST") else "PENDING"
    assert states == {"ADMIN": "REVOKED", "MEMBER": member, "GUEST": "PENDING"}


async def test_what_a_member_sent_whose_time_has_passed_is_not_honoured_above_member(
    inviting: Inviting, people: People
) -> None:
    ada, bo, cy = await people.persons(3)
    acme = await people.organization(ada, ADMIN=bo)
    high, low = await inviting.invite(bo, acme, cy.email, "ADMIN"), await inviting.invite(bo, acme, an_address())
    await inviting.rows(END_MEMBERSHIP, acme, bo.user_id)
    async with fails(Reason.INVITATION_REVOKED):
        await inviting.accept(cy, invitation_id=high.invitation_id)
    await inviting.accept(cy, secret=await inviting.secret(low.email))
