"""Organizations that services make, for an owner whom they name."""

from uuid import uuid4

from protos.tenancy.v1 import organization_members_pb2 as members_pb
from protos.tenancy.v1 import organizations_pb2 as pb
from protos.tenancy.v1.organization_members_pb2_grpc import OrganizationMemberServiceStub
from protos.tenancy.v1.organizations_pb2_grpc import OrganizationServiceStub
from protos.tenancy.v1.roles_pb2 import OrgRole
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails


async def create(
    pair: Pair, request: pb.CreateOrganizationRequest, metadata: tuple[tuple[str, str], ...]
) -> pb.Organization:
    response = await OrganizationServiceStub(pair.tenancy.channel).CreateOrganization(request, metadata=metadata)
    return response.organization


async def test_a_service_makes_one_for_the_owner_it_names(pair: Pair, people: People) -> None:
    ada = await people.person("ada")
    request = pb.CreateOrganizationRequest(slug=people.slug(), owner_user_id=ada.user_id, request_id=str(uuid4()))
    made = await create(pair, request, AS_OPERATOR)
    assert (made.caller_role, list(made.authorized_actions)) == (OrgRole.ORG_ROLE_UNSPECIFIED, [])
    assert await create(pair, request, AS_OPERATOR) == made
    listed = await OrganizationMemberServiceStub(pair.tenancy.channel).ListOrganizationMembers(
        members_pb.ListOrganizationMembersRequest(organization_id=made.organization_id, filter='email = "ada*"'),
        metadata=ada.metadata,
    )
    assert [(member.user_id, member.role) for member in listed.members] == [(ada.user_id, OrgRole.ORG_ROLE_OWNER)]


async def test_a_service_has_to_name_the_owner_and_it_is_somebody(pair: Pair, people: People) -> None:
    async with fails(Reason.BAD_REQUEST) as failure:
        await create(pair, pb.CreateOrganizationRequest(slug=people.slug()), AS_OPERATOR)
    assert failure.fields.keys() == {"owner_user_id"}
    async with fails(Reason.USER_NOT_FOUND):
        request = pb.CreateOrganizationRequest(slug=people.slug(), owner_user_id=str(uuid4()))
        await create(pair, request, AS_OPERATOR)


async def test_people_make_their_own_only_also_through_a_service(pair: Pair, people: People) -> None:
    ada, bo = await people.person("ada"), await people.person("bo")
    for metadata in (ada.metadata, ada.metadata + AS_OPERATOR):
        async with fails(Reason.BAD_REQUEST) as failure:
            request = pb.CreateOrganizationRequest(slug=people.slug(), owner_user_id=bo.user_id)
            await create(pair, request, metadata)
        assert failure.fields.keys() == {"owner_user_id"}
    made = await create(pair, pb.CreateOrganizationRequest(slug=people.slug()), ada.metadata + AS_OPERATOR)
    assert made.caller_role == OrgRole.ORG_ROLE_OWNER
