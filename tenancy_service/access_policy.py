"""Who may call each RPC. What they may do there is decided in the handler, by their roles."""

from shared.access_rules import INFRASTRUCTURE, SERVICE, SESSION, SESSION_IN_CHECK, SESSION_OR_SERVICE, Policy

POLICY: Policy = INFRASTRUCTURE | {
    "tenancy.v1.OrganizationService/CreateOrganization": SESSION,
    "tenancy.v1.OrganizationService/GetOrganization": SESSION_OR_SERVICE,
    "tenancy.v1.OrganizationService/ListOrganizations": SESSION_OR_SERVICE,
    "tenancy.v1.OrganizationService/UpdateOrganization": SESSION,
    "tenancy.v1.OrganizationMemberService/AddOrganizationMember": SERVICE,
    "tenancy.v1.OrganizationMemberService/ListOrganizationMembers": SESSION_OR_SERVICE,
    "tenancy.v1.OrganizationMemberService/UpdateOrganizationMember": SESSION,
    "tenancy.v1.OrganizationMemberService/RemoveOrganizationMember": SESSION,
    "tenancy.v1.ProjectService/CreateProject": SESSION,
    "tenancy.v1.ProjectService/GetProject": SESSION_OR_SERVICE,
    "tenancy.v1.ProjectService/ListProjects": SESSION_OR_SERVICE,
    "tenancy.v1.ProjectService/UpdateProject": SESSION,
    "tenancy.v1.ProjectMemberService/ListProjectMembers": SESSION_OR_SERVICE,
    "tenancy.v1.ProjectMemberService/SetProjectRole": SESSION,
    "tenancy.v1.ProjectMemberService/ClearProjectRole": SESSION,
    "tenancy.v1.AccessService/CheckAccess": SESSION_IN_CHECK,
    "tenancy.v1.AccessService/BatchCheckAccess": SESSION_IN_CHECK,
    "tenancy.v1.AccessService/ListPermissions": SESSION_OR_SERVICE,
}
