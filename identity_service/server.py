"""The whole service assembled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from identity_service.access_policy import POLICY
from identity_service.constraint_errors import CONSTRAINT_ERRORS
from identity_service.handlers.audit_events import AuditEvents
from identity_service.handlers.events import Events
from identity_service.handlers.factors import Factors
from identity_service.handlers.services import Sessions, Users
from identity_service.mail.compose import Composer
from identity_service.mail.texts import Template
from identity_service.metrics import PASSWORD_CALLS
from identity_service.parts import Parts
from identity_service.password_rules import PasswordRules
from identity_service.passwords import Passwords, busy
from identity_service.queries import upkeep
from identity_service.second_factor import SecondFactors
from identity_service.settings import Settings
from identity_service.tables import event_epoch, events, outbox_emails, request_results
from identity_service.throttle import Throttle
from identity_service.touches import Touches
from identity_service.validation import Validation
from protos.identity.v1 import audit_events_pb2, events_pb2, factors_pb2, sessions_pb2, users_pb2
from protos.identity.v1.audit_events_pb2_grpc import add_AuditServiceServicer_to_server
from protos.identity.v1.events_pb2_grpc import add_EventServiceServicer_to_server
from protos.identity.v1.factors_pb2_grpc import add_FactorServiceServicer_to_server
from protos.identity.v1.sessions_pb2_grpc import add_SessionServiceServicer_to_server
from protos.identity.v1.users_pb2_grpc import add_UserServiceServicer_to_server
from shared.access_rules import refuse_gaps, rpc_names
from shared.admission import FEWER, Admission, Crowd
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

SERVICES: list[ServiceDescriptor] = [
    users_pb2.DESCRIPTOR.services_by_name["UserService"],
    sessions_pb2.DESCRIPTOR.services_by_name["SessionService"],
    factors_pb2.DESCRIPTOR.services_by_name["FactorService"],
    audit_events_pb2.DESCRIPTOR.services_by_name["AuditService"],
    events_pb2.DESCRIPTOR.services_by_name["EventService"],
]
RPCS = rpc_names(SERVICES)
# Without a log line and a timer for each call: see Guard.
HOT = frozenset(
    {
        "identity.v1.SessionService/ValidateSession",
        "identity.v1.SessionService/BatchValidateSessions",
        "grpc.health.v1.Health/Check",
    }
)
# Whole applications wait for these; the second is how tenancy asks.
FIRST = ("identity.v1.SessionService/ValidateSession", "identity.v1.SessionService/BatchValidateSessions")
# Those that hash a password: as many as may wait for it, and the rest is refused before anything is done for them.
HASHING = (
    "identity.v1.SessionService/CreateSession",
    "identity.v1.SessionService/RefreshSession",
    "identity.v1.UserService/SignUp",
    "identity.v1.UserService/ChangePassword",
    "identity.v1.UserService/FinishPasswordReset",
    "identity.v1.UserService/CreateUser",
)
STREAMS = frozenset({"identity.v1.EventService/StreamEvents"})  # counted in shared/event_streams.py


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Server]:
    """A server that is ready to listen; what it holds is closed as the block ends."""
    refuse_gaps(POLICY, RPCS)
    database = Database(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        name="identity",
        constraint_errors=CONSTRAINT_ERRORS,
    )
    outbox = Outbox[Template](outbox_emails)
    mails = Worker.of(settings, database, outbox, Composer(settings))
    touches = Touches(database, settings.idle)
    validation = Validation(database, touches, settings)
    passwords = Passwords(settings.workers)
    authentication = Authentication(validation.person, settings.service_keys, settings.session_cookie_name)
    most = settings.max_calls_under_way
    admission = Admission(
        dict.fromkeys(FIRST, most),
        crowds=dict.fromkeys(HASHING, Crowd(passwords.most_calls, busy)),
        unlimited=STREAMS,
        others=most // FEWER,
    )
    stopping = asyncio.Event()
    events_keep = timedelta(days=settings.events_keep_days)
    parts = Parts(
        settings=settings,
        database=database,
        request_results=RequestResults(database, request_results),
        validation=validation,
        passwords=passwords,
        password_rules=PasswordRules(settings),
        second_factors=SecondFactors(settings),
        throttle=Throttle(database),
        outbox=outbox,
        origins=Origins(settings.trusted_proxies),
        event_streams=EventStreams(EventLog(database, events, event_epoch, keep=events_keep), stopping),
    )

    async def prepare(tx: Tx) -> None:
        await upkeep.update_session_limits(tx, absolute=settings.absolute)
        await raise_epoch(tx, events, event_epoch)

    def add(server: grpc.aio.Server) -> None:
        add_UserServiceServicer_to_server(Users(parts), server)
        add_SessionServiceServicer_to_server(Sessions(parts), server)
        add_FactorServiceServicer_to_server(Factors(parts), server)
        add_AuditServiceServicer_to_server(AuditEvents(parts), server)
        add_EventServiceServicer_to_server(Events(parts), server)

    await database.open()
    # Longer than a cursor is good for: an event bears the time when its transaction began.
    useless = upkeep.useless(events_keep=events_keep + timedelta(hours=1))
    tidying = asyncio.create_task(keep_tidy(database, useless))
    guard = Guard(POLICY, authentication, HOT, admission)
    sampling = asyncio.create_task(keep_sampling(guard, database, (PASSWORD_CALLS, lambda: passwords.calls_under_way)))
    mails.start()
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
        await touches.close()
        passwords.close()
        await database.close()
