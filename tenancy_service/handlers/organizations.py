"""tenancy.v1.OrganizationService: organizations made, read, listed and changed."""

from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from protos.tenancy.v1 import organizations_pb2 as pb
from shared import filters
from shared.call import Context
from shared.caller import Caller, current_caller
from shared.database import Row, Tx
from shared.errors import ServiceError
from shared.fields import Fields, reading
from shared.pages import Pages, that_fit
from shared.reasons import Reason
from tenancy_service import audit, authorize, etags, memberships, publish, to_proto
from tenancy_service.audit import Action
from tenancy_service.parts import Handlers
from tenancy_service.permissions import OrgRole, Permission, ProjectRole
from tenancy_service.queries import organizations, user_names
from tenancy_service.reserved_slugs import RESERVED

BY_PERSON = ("slug", "display_name", "default_project_role", "public_metadata")
BY_SERVICE = ("public_metadata", "private_metadata")
PROJECT_ROLES = [(role.name, role.value) for role in ProjectRole]


class OrganizationPlaces(Handlers):
    async def CreateOrganization(
        self, request: pb.CreateOrganizationRequest, context: Context
    ) -> pb.CreateOrganizationResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            slug = new_slug(read, "slug", request.slug)
            display_name = read.name("display_name", request.display_name) or slug
            public_metadata = read.metadata("public_metadata", request.public_metadata)
            request_id = read.optional_uuid("request_id", request.request_id)
            owner = read.uuid("owner_user_id", request.owner_user_id) if caller.person is None else caller.user_id
            if caller.person is not None and request.owner_user_id:
                read.wrong("owner_user_id", "only services without a session name the owner")
        named = (await self.parts.identity.users([owner])).get(owner) if caller.person is None else None
        new = {"slug": slug, "display_name": display_name, "public_metadata": public_metadata}

        async def create(tx: Tx) -> pb.CreateOrganizationResponse:
            if caller.person is None and named is None:
                raise ServiceError(Reason.USER_NOT_FOUND)
            row = await organizations.insert_organization(tx, organization_id=uuid7(), new=new)
            organization_id = row.organization_id
            await audit.record(tx, origin, Action.ORGANIZATION_CREATED, organization_id)
            await publish.organization_changed(tx, "ORGANIZATION_CREATED", row)
            await memberships.add(
                tx,
                self.parts.settings,
                origin,
                organization_id=organization_id,
                user_id=owner,
                role=OrgRole.OWNER.name,
            )
            if named is not None:
                await user_names.insert_user_name(tx, user_id=owner, email=named.email, display_name=named.display_name)
            role = OrgRole.OWNER if caller.person else None
            return pb.CreateOrganizationResponse(organization=self._shown(row, caller, role))

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.CreateOrganizationResponse, create
        )

    async def GetOrganization(self, request: pb.GetOrganizationRequest, context: Context) -> pb.GetOrganizationResponse:
        caller = current_caller()
        with reading() as read:
            slug, organization_id = None, None
            if request.WhichOneof("name") == "slug":
                slug = read.slug("slug", request.slug)
            else:
                organization_id = read.uuid("organization_id", request.organization_id)
        async with self.parts.database.transaction() as tx:
            if slug is not None:
                organization_id = await organizations.get_organization_id(tx, slug=slug)
            if organization_id is None:
                raise ServiceError(Reason.PERMISSION_DENIED)
            role = await authorize.organization(tx, caller, organization_id, Permission.ORGANIZATION_READ)
            row = await organizations.get_organization(tx, organization_id=organization_id)
            if row is None:  # deleted between the two statements
                raise ServiceError(Reason.PERMISSION_DENIED)
        return pb.GetOrganizationResponse(organization=self._shown(row, caller, role))

    async def ListOrganizations(
        self, request: pb.ListOrganizationsRequest, context: Context
    ) -> pb.ListOrganizationsResponse:
        caller = current_caller()
        with reading() as read:
            size = read.page_size("page_size", request.page_size)
            user_id = read.optional_uuid("user_id", request.user_id)
            allowed = organizations.filters(
                with_role=caller.person is not None or user_id is not None, with_ownerless=caller.person is None
            )
            condition = filters.read(read, "filter", request.filter, allowed)
        if caller.person is not None:
            if user_id not in (None, caller.user_id) or request.show_deleted:
                raise ServiceError(Reason.PERMISSION_DENIED)
            user_id = caller.user_id
        pages = Pages(caller, "ListOrganizations", request.user_id, request.show_deleted, request.filter)
        after = pages.last_id(request.page_token)
        async with self.parts.database.transaction() as tx:
            rows = await organizations.list_organizations(
                tx,
                user_id=user_id,
                condition=condition,
                show_deleted=request.show_deleted,
                after=after,
                limit=size + 1,
            )
        shown = that_fit(
            self._shown(row, caller, OrgRole[row.member_role] if row.member_role else None) for row in rows[:size]
        )
        more = len(rows) > len(shown)
        return pb.ListOrganizationsResponse(
            organizations=shown, next_page_token=pages.token(shown[-1].organization_id) if more else ""
        )

    async def UpdateOrganization(
        self, request: pb.UpdateOrganizationRequest, context: Context
    ) -> pb.UpdateOrganizationResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        wanted = request.organization
        with reading() as read:
            organization_id = read.uuid("organization.organization_id", wanted.organization_id)
            etag = read.etag("organization.etag", wanted.etag)
            paths = read.mask("update_mask", request.update_mask, wanted, BY_PERSON if caller.person else BY_SERVICE)
            changes = {path: changed_field(read, path, wanted) for path in sorted(paths)}
            request_id = read.optional_uuid("request_id", request.request_id)

        async def update(tx: Tx) -> pb.UpdateOrganizationResponse:
            before, role = await locked(tx, caller, organization_id, Permission.ORGANIZATION_UPDATE)
            etags.check(before, etag)
            row = await organizations.update_organization(tx, organization_id=organization_id, changes=changes)
            if row.slug != before.slug:
                await organizations.delete_oldest_slugs(tx, organization_id=organization_id)
            roles = {}
            if row.default_project_role != before.default_project_role:
                roles = {"before": before.default_project_role, "after": row.default_project_role}
            await audit.record(tx, origin, Action.ORGANIZATION_UPDATED, organization_id, fields=list(changes), **roles)
            await publish.organization_changed(tx, "ORGANIZATION_UPDATED", row)
            return pb.UpdateOrganizationResponse(organization=self._shown(row, caller, role))

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.UpdateOrganizationResponse, update
        )

    def _shown(self, row: Row, caller: Caller, role: OrgRole | None) -> pb.Organization:
        return to_proto.organization(row, caller, role, self.parts.settings.permissions)


async def locked(tx: Tx, caller: Caller, organization_id: UUID, permission: Permission) -> tuple[Row, OrgRole | None]:
    """The organization until the transaction ends, and the role of a caller who may do this there."""
    role = await authorize.locked_organization(tx, caller, organization_id, permission)
    row = await organizations.get_organization(tx, organization_id=organization_id)
    if row is None:
        raise ServiceError(Reason.PERMISSION_DENIED)
    return row, role


def new_slug(read: Fields, path: str, value: str) -> str:
    slug = read.slug(path, value)
    if slug in RESERVED:
        read.wrong(path, "this word is reserved")
    return slug


def changed_field(read: Fields, path: str, organization: pb.Organization) -> Any:
    """The new value of the one field, as its column takes it."""
    name = f"organization.{path}"
    if path == "slug":
        return new_slug(read, name, organization.slug)
    if path == "display_name":
        return read.name(name, organization.display_name, least=1)
    if path == "default_project_role":
        return read.enum(name, organization.default_project_role, PROJECT_ROLES)
    return read.metadata(name, getattr(organization, path))
