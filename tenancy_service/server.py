"""The whole service assembled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from protos.extauthz.v1 import external_auth_pb2
from protos.extauthz.v1.external_auth_pb2_grpc import add_AuthorizationServicer_to_server
from protos.tenancy.v1 import (
    access_pb2,
    audit_events_pb2,
    events_pb2,
    invitations_pb2,
    organization_members_pb2,
    organizations_pb2,
    project_members_pb2,
    projects_pb2,
)
from protos.tenancy.v1.access_pb2_grpc import add_AccessServiceServicer_to_server
from protos.tenancy.v1.audit_events_pb2_grpc import add_AuditServiceServicer_to_server
from protos.tenancy.v1.events_pb2_grpc import add_EventServiceServicer_to_server
from protos.tenancy.v1.invitations_pb2_grpc import add_InvitationServiceServicer_to_server
from protos.tenancy.v1.organization_members_pb2_grpc import add_OrganizationMemberServiceServicer_to_server
from protos.tenancy.v1.organizations_pb2_grpc import add_OrganizationServiceServicer_to_server
from protos.tenancy.v1.project_members_pb2_grpc import add_ProjectMemberServiceServicer_to_server
from protos.tenancy.v1.projects_pb2_grpc import add_ProjectServiceServicer_to_server
from shared.access_rules import refuse_gaps, rpc_names
from shared.admission import FEWER, Admission
from shared.authentication import Authentication
from shared.database import Database, Tx
from shared.event_log import EventLog, raise_epoch
from shared.event_streams import EventStreams
from shared.guard import Guard
from shared.mail.outbox import Outbox
from shared.mail.worker import Worker
from shared.origin import Origins
from shared.readiness import Readiness
from shared.request_results import RequestResults
from shared.sampling import keep_sampling
from shared.server import Server
from shared.tidy import keep_tidy
from tenancy_service.access_policy import POLICY
from tenancy_service.check import Checks
from tenancy_service.constraint_errors import CONSTRAINT_ERRORS
from tenancy_service.handlers import services
from tenancy_service.identity_client import IdentityClient
from tenancy_service.identity_events import IdentityEvents
from tenancy_service.mail.compose import Composer
from tenancy_service.mail.texts import Template
from tenancy_service.parts import Parts
from tenancy_service.previews import Previews
from tenancy_service.queries import upkeep
from tenancy_service.settings import Settings
from tenancy_service.tables import event_epoch, events, outbox_emails, request_results

SERVICES: list[ServiceDescriptor] = [
    module.DESCRIPTOR.services_by_name[name]
    for module, name in (
        (organizations_pb2, "OrganizationService"),
        (organization_members_pb2, "OrganizationMemberService"),
        (invitations_pb2, "InvitationService"),
        (projects_pb2, "ProjectService"),
        (project_members_pb2, "ProjectMemberService"),
        (access_pb2, "AccessService"),
        (events_pb2, "EventService"),
        (audit_events_pb2, "AuditService"),
        (external_auth_pb2, "Authorization"),
    )
]
RPCS = rpc_names(SERVICES)
# Without a log line and a timer for each call: see Guard.
HOT = frozenset(
    {
        "tenancy.v1.AccessService/CheckAccess",
        "tenancy.v1.AccessService/BatchCheckAccess",
        "envoy.service.auth.v3.Authorization/Check",
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
    outbox = Outbox[Template](outbox_emails)
    mails = Worker.of(settings, database, outbox, Composer(settings))
    checks = Checks(identity, database, settings)
    authentication = Authentication(checks.find_person, settings.service_keys, settings.session_cookie_name)
    most = settings.max_calls_under_way
    admission = Admission(
        {
            "tenancy.v1.AccessService/CheckAccess": most,
            "tenancy.v1.AccessService/BatchCheckAccess": most // FEWER,
            "envoy.service.auth.v3.Authorization/Check": most,
        },
        unlimited=frozenset({"tenancy.v1.EventService/StreamEvents"}),
        others=most // FEWER,
    )
    stopping = asyncio.Event()
    events_keep = timedelta(days=settings.events_keep_days)
    parts = Parts(
        settings=settings,
        database=database,
        request_results=RequestResults(database, request_results),
        identity=identity,
        checks=checks,
        previews=Previews(database, settings.permissions),
        outbox=outbox,
        origins=Origins(settings.trusted_proxies),
        event_streams=EventStreams(EventLog(database, events, event_epoch, keep=events_keep), stopping),
    )

    async def prepare(tx: Tx) -> None:
        await raise_epoch(tx, events, event_epoch)

    def add(server: grpc.aio.Server) -> None:
        add_OrganizationServiceServicer_to_server(services.Organizations(parts), server)
        add_OrganizationMemberServiceServicer_to_server(services.OrganizationMembers(parts), server)
        add_InvitationServiceServicer_to_server(services.Invitations(parts), server)
        add_ProjectServiceServicer_to_server(services.Projects(parts), server)
        add_ProjectMemberServiceServicer_to_server(services.ProjectMembers(parts), server)
        add_AccessServiceServicer_to_server(services.Access(parts), server)
        add_EventServiceServicer_to_server(services.Events(parts), server)
        add_AuditServiceServicer_to_server(services.AuditEvents(parts), server)
        add_AuthorizationServicer_to_server(services.Edge(parts), server)

    await database.open()
    # Longer than a cursor is good for: an event bears the time when its transaction began.
    useless = upkeep.useless(events_keep=events_keep + timedelta(hours=1))
    tidying = asyncio.create_task(keep_tidy(database, useless, upkeep.delete_past_purge_time))
    guard = Guard(POLICY, authentication, HOT, admission)
    sampling = asyncio.create_task(keep_sampling(guard, database))
    mails.start()
    identity_events = IdentityEvents(database, identity)
    identity_events.start()
    try:
        yield Server(
            guard,
            [service.full_name for service in SERVICES],
            add,
            is_ready=Readiness(database, prepare).is_ready,
            reflect=settings.reflection,
            connection_age=settings.connection_age_seconds,
            shares_port=bool(settings.worker_address),
            stopping=stopping,
        )
    finally:
        tidying.cancel()
        sampling.cancel()
        await mails.close()
        await identity_events.close()
        await identity.close()
        await database.close()
