"""The gRPC services, each put together from the files that its RPCs are written in."""

from protos.extauthz.v1.external_auth_pb2_grpc import AuthorizationServicer
from protos.tenancy.v1.access_pb2_grpc import AccessServiceServicer
from protos.tenancy.v1.audit_events_pb2_grpc import AuditServiceServicer
from protos.tenancy.v1.events_pb2_grpc import EventServiceServicer
from protos.tenancy.v1.invitations_pb2_grpc import InvitationServiceServicer
from protos.tenancy.v1.organization_members_pb2_grpc import OrganizationMemberServiceServicer
from protos.tenancy.v1.organizations_pb2_grpc import OrganizationServiceServicer
from protos.tenancy.v1.project_members_pb2_grpc import ProjectMemberServiceServicer
from protos.tenancy.v1.projects_pb2_grpc import ProjectServiceServicer
from tenancy_service.handlers.access import AccessChecks
from tenancy_service.handlers.accessible_projects import AccessibleProjects
from tenancy_service.handlers.audit_events import Audit
from tenancy_service.handlers.edge_authorization import EdgeAuthorization
from tenancy_service.handlers.events import EventStream
from tenancy_service.handlers.explain_access import AccessExplained
from tenancy_service.handlers.invitation_answers import InvitationAnswers
from tenancy_service.handlers.invitations import Inviting
from tenancy_service.handlers.leaving import Leaving
from tenancy_service.handlers.member_lists import MemberLists
from tenancy_service.handlers.organization_lifecycle import OrganizationLifecycle
from tenancy_service.handlers.organization_members import Memberships
from tenancy_service.handlers.organizations import OrganizationPlaces
from tenancy_service.handlers.project_lifecycle import ProjectLifecycle
from tenancy_service.handlers.project_member_lists import ProjectMemberLists
from tenancy_service.handlers.project_members import ProjectRoles
from tenancy_service.handlers.projects import ProjectPlaces


class Organizations(OrganizationLifecycle, OrganizationPlaces, OrganizationServiceServicer):
    """tenancy.v1.OrganizationService."""


class OrganizationMembers(Leaving, MemberLists, Memberships, OrganizationMemberServiceServicer):
    """tenancy.v1.OrganizationMemberService."""


class Invitations(InvitationAnswers, Inviting, InvitationServiceServicer):
    """tenancy.v1.InvitationService."""


class Projects(ProjectLifecycle, ProjectPlaces, ProjectServiceServicer):
    """tenancy.v1.ProjectService."""


class ProjectMembers(ProjectMemberLists, ProjectRoles, ProjectMemberServiceServicer):
    """tenancy.v1.ProjectMemberService."""


class Access(AccessChecks, AccessibleProjects, AccessExplained, AccessServiceServicer):
    """tenancy.v1.AccessService."""


class Events(EventStream, EventServiceServicer):
    """tenancy.v1.EventService."""


class AuditEvents(Audit, AuditServiceServicer):
    """tenancy.v1.AuditService."""


class Edge(EdgeAuthorization, AuthorizationServicer):
    """envoy.service.auth.v3.Authorization."""
