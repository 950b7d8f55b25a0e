"""tenancy.v1.OrganizationService."""

from uuid import UUID

from uuid_utils.compat import uuid7

from protos.tenancy.v1 import organizations_pb2 as pb
from shared.caller import current_caller
from shared.database import Tx
from shared.errors import ServiceError
from shared.fields import reading
from shared.interceptors import Context
from shared.pages import Pages
from shared.reasons import Reason
from tenancy_service import authorize, to_proto
from tenancy_service.parts import Handlers
from tenancy_service.permissions import OrgRole, Permission, ProjectRole
from tenancy_service.queries import organization_members, organizations

UPDATABLE = ("slug", "display_name", "default_project_role")
PROJECT_ROLES = [(role.name, role.value) for role in ProjectRole]


class OrganizationPlaces(Handlers):
    async def CreateOrganization(
        self, request: pb.CreateOrganizationRequest, context: Context
    ) -> pb.CreateOrganizationResponse:
        caller = current_caller()
        with reading() as read:
            slug = read.slug("slug", request.slug)
            display_name = read.name("display_name", request.display_name) or slug
            request_id = read.optional_uuid("request_id", request.request_id)

        async def create(tx: Tx) -> pb.CreateOrganizationResponse:
            row = await organizations.insert_organization(
                tx, organization_id=uuid7(), slug=slug, display_name=display_name
            )
            await organization_members.insert_member(
                tx, organization_id=row.organization_id, user_id=caller.user_id, role=OrgRole.OWNER.name
            )
            return pb.CreateOrganizationResponse(organization=to_proto.organization(row, OrgRole.OWNER))

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.CreateOrganizationResponse, create
        )

    async def GetOrganization(self, request: pb.GetOrganizationRequest, context: Context) -> pb.GetOrganizationResponse:
        with reading() as read:
            slug, organization_id = None, None
            if request.WhichOneof("name") == "slug":
                slug = read.slug("slug", request.slug)
            else:
                organization_id = read.uuid("organization_id", request.organization_id)
        async with self.parts.database.transaction() as tx:
            if slug is not None:
                organization_id = await organizations.get_organization_id(tx, slug=slug)
            return pb.GetOrganizationResponse(organization=await self._read(tx, organization_id))

    async def _read(self, tx: Tx, organization_id: UUID | None) -> pb.Organization:
        if organization_id is None:
            raise ServiceError(Reason.PERMISSION_DENIED)
        role = await authorize.organization(tx, current_caller(), organization_id, Permission.ORGANIZATION_READ)
        row = await organizations.get_organization(tx, organization_id=organization_id)
        if row is None:  # deleted between the two statements
            raise ServiceError(Reason.PERMISSION_DENIED)
        return to_proto.organization(row, role)

    async def ListOrganizations(
        self, request: pb.ListOrganizationsRequest, context: Context
    ) -> pb.ListOrganizationsResponse:
        caller = current_caller()
        pages = Pages(caller, "ListOrganizations", request.user_id)
        with reading() as read:
            size = read.page_size("page_size", request.page_size)
            user_id = read.optional_uuid("user_id", request.user_id)
        after = pages.last_id(request.page_token)
        if caller.person is not None:
            if user_id not in (None, caller.user_id):
                raise ServiceError(Reason.PERMISSION_DENIED)
            user_id = caller.user_id
        async with self.parts.database.single_read() as tx:
            if user_id is None:
                rows = await organizations.list_all_organizations(tx, after=after, limit=size + 1)
            else:
                rows = await organizations.list_organizations_of_user(tx, user_id=user_id, after=after, limit=size + 1)
        return pb.ListOrganizationsResponse(
            organizations=[
                to_proto.organization(row, OrgRole[row.caller_role] if row.caller_role else None) for row in rows[:size]
            ],
            next_page_token=pages.token(rows[size - 1].organization_id) if len(rows) > size else "",
        )

    async def UpdateOrganization(
        self, request: pb.UpdateOrganizationRequest, context: Context
    ) -> pb.UpdateOrganizationResponse:
        wanted = request.organization
        with reading() as read:
            organization_id = read.uuid("organization.organization_id", wanted.organization_id)
            etag = read.etag("organization.etag", wanted.etag)
            paths = read.mask("update_mask", request.update_mask, wanted, UPDATABLE)
            values = {}
            if "slug" in paths:
                values["slug"] = read.slug("organization.slug", wanted.slug)
            if "display_name" in paths:
                values["display_name"] = read.name("organization.display_name", wanted.display_name, least=1)
            if "default_project_role" in paths:
                values["default_project_role"] = read.enum(
                    "organization.default_project_role", wanted.default_project_role, PROJECT_ROLES
                )
        async with self.parts.database.transaction() as tx:
            role = await authorize.organization(tx, current_caller(), organization_id, Permission.ORGANIZATION_UPDATE)
            row = await organizations.update_organization(tx, organization_id=organization_id, values=values, etag=etag)
            if row is None:
                raise ServiceError(Reason.ETAG_MISMATCH)
        return pb.UpdateOrganizationResponse(organization=to_proto.organization(row, role))
