"""The whole service assembled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from protos.tenancy.v1 import access_pb2, organization_members_pb2, organizations_pb2, project_members_pb2, projects_pb2
from protos.tenancy.v1.access_pb2_grpc import add_AccessServiceServicer_to_server
from protos.tenancy.v1.organization_members_pb2_grpc import add_OrganizationMemberServiceServicer_to_server
from protos.tenancy.v1.organizations_pb2_grpc import add_OrganizationServiceServicer_to_server
from protos.tenancy.v1.project_members_pb2_grpc import add_ProjectMemberServiceServicer_to_server
from protos.tenancy.v1.projects_pb2_grpc import add_ProjectServiceServicer_to_server
from shared.access_rules import refuse_gaps, rpc_names
from shared.authentication import Authentication
from shared.database import Database
from shared.interceptors import Guard
from shared.request_results import RequestResults
from shared.server import Server
from shared.tidy import keep_tidy
from tenancy_service.access_policy import POLICY
from tenancy_service.check import Checks
from tenancy_service.constraint_errors import CONSTRAINT_ERRORS
from tenancy_service.handlers.access import AccessHandlers
from tenancy_service.handlers.organization_members import OrganizationMembers
from tenancy_service.handlers.organizations import Organizations
from tenancy_service.handlers.project_members import ProjectMembers
from tenancy_service.handlers.projects import Projects
from tenancy_service.identity_client import IdentityClient
from tenancy_service.queries import upkeep
from tenancy_service.settings import Settings
from tenancy_service.tables import request_results

SERVICES: list[ServiceDescriptor] = [
    module.DESCRIPTOR.services_by_name[name]
    for module, name in (
        (organizations_pb2, "OrganizationService"),
        (organization_members_pb2, "OrganizationMemberService"),
        (projects_pb2, "ProjectService"),
        (project_members_pb2, "ProjectMemberService"),
        (access_pb2, "AccessService"),
    )
]
RPCS = rpc_names(SERVICES)
# Called often enough that a log line for each would cost more than the answer.
QUIET = frozenset(
    {
        "tenancy.v1.AccessService/CheckAccess",
        "tenancy.v1.AccessService/BatchCheckAccess",
        "grpc.health.v1.Health/Check",
    }
)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Server]:
    """A server that is ready to listen; what it holds is closed as the block ends."""
    refuse_gaps(POLICY, RPCS)
    database = Database(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        name="tenancy",
        constraint_errors=CONSTRAINT_ERRORS,
    )
    identity = IdentityClient(
        settings.identity_address,
        settings.identity_service_key.get_secret_value(),
        settings.identity_timeout_seconds,
    )
    checks = Checks(identity, database, settings)
    authentication = Authentication(checks.find_person, settings.service_keys, settings.session_cookie_name)
    results = RequestResults(database, request_results)

    def add(server: grpc.aio.Server) -> None:
        add_OrganizationServiceServicer_to_server(Organizations(database, results), server)
        add_OrganizationMemberServiceServicer_to_server(OrganizationMembers(database, results, identity), server)
        add_ProjectServiceServicer_to_server(Projects(database, results), server)
        add_ProjectMemberServiceServicer_to_server(ProjectMembers(database), server)
        add_AccessServiceServicer_to_server(AccessHandlers(checks, settings.permissions), server)

    await database.open()
    tidying = asyncio.create_task(keep_tidy(database, upkeep.USELESS))
    try:
        yield Server(
            Guard(POLICY, authentication, QUIET),
            [service.full_name for service in SERVICES],
            add,
            is_ready=database.is_ready,
            reflect=settings.reflection,
            connection_age=settings.connection_age_seconds,
        )
    finally:
        tidying.cancel()
        await identity.close()
        await database.close()
