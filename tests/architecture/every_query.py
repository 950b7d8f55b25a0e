"""Call every query of tenancy with made-up values, in each of its ways: with and without what may be left out."""

import dataclasses
import importlib
import inspect
import itertools
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from types import UnionType
from typing import Any, Union, get_args, get_origin
from uuid import UUID, uuid4

import sqlalchemy
from sqlalchemy import func
from sqlalchemy.exc import IntegrityError, NoResultFound

import tenancy_service.queries
from protos.tenancy.v1.access_pb2 import CheckAccessRequest, CheckAccessResponse
from shared import tidy
from shared.caller import Caller
from shared.database import Database, Tx
from shared.event_log import EventLog, raise_epoch
from shared.mail import outbox_emails as mails
from shared.request_results import RequestResults
from tenancy_service.queries import upkeep
from tenancy_service.tables import (
    event_epoch,
    events,
    invitations,
    organizations,
    outbox_emails,
    projects,
    request_results,
)

BY_TYPE: dict[Any, Callable[[], Any]] = {
    UUID: uuid4,
    str: lambda: uuid4().hex,
    bytes: lambda: uuid4().bytes,
    int: lambda: 5,
    float: lambda: 1.0,
    datetime: lambda: datetime(2100, 1, 1, tzinfo=UTC),
    timedelta: lambda: timedelta(days=1),
    sqlalchemy.ColumnElement: sqlalchemy.true,
}
# What a type does not say: names of roles and states, and rows.
BY_NAME: dict[str, Callable[[], Any]] = {
    "role": lambda: "MEMBER",
    "state": lambda: "REVOKED",
    "etag": lambda: "1",
    "places": lambda: [(str(uuid4()), str(uuid4()), str(uuid4())), (str(uuid4()), str(uuid4()), None)],
    "project_roles": lambda: {uuid4(): "VIEWER"},
    "names": lambda: [{"user_id": uuid4(), "email_key": "a@example.com", "name_key": "a"}],
    "values": dict,
    "changes": lambda: {"display_name": "a"},
    "public_metadata": dict,
    "upsert_override.values": lambda: {"role": "VIEWER", "expire_time": None},
    "update_project.values": lambda: {"display_name": "a"},
    "insert_organization.new": lambda: {"slug": uuid4().hex, "display_name": "a", "public_metadata": {}},
    "insert_audit_event.new": lambda: {"audit_event_id": uuid4(), "action": "TESTED"},
    "insert_invitation.new": lambda: {
        "invitation_id": uuid4(), "email": "a@example.com", "email_key": "a@example.com", "role": "MEMBER"
    },
}  # fmt: skip
HOT = "access.roles_in_places"


def queries() -> dict[str, Callable[..., Any]]:
    """By module and name; the first argument is a transaction, or for the hot path the database."""
    found = {}
    for module in pkgutil.iter_modules(tenancy_service.queries.__path__):
        each = importlib.import_module(f"{tenancy_service.queries.__name__}.{module.name}")
        for name, query in vars(each).items():
            if inspect.iscoroutinefunction(query) and query.__module__ == each.__name__ and not name.startswith("_"):
                found[f"{module.name}.{name}"] = query
    return found


def ways(query: Callable[..., Any]) -> Iterator[dict[str, Any]]:
    """Arguments: all combinations of giving and leaving out what may be None, and of both truths."""
    parameters = list(inspect.signature(query).parameters.values())[1:]
    choices = [[(p.name, made) for made in samples(f"{query.__name__}.{p.name}", p.annotation)] for p in parameters]
    for chosen in itertools.product(*choices):
        yield {name: make() for name, make in chosen}


def samples(name: str, kind: Any) -> list[Callable[[], Any]]:
    if get_origin(kind) in (Union, UnionType):
        [given] = [each for each in get_args(kind) if each is not type(None)]
        return [lambda: None, *samples(name, given)]
    if kind is bool:
        return [lambda: True, lambda: False]
    for known in (name, name.partition(".")[2]):
        if known in BY_NAME:
            return [BY_NAME[known]]
    origin, inner = get_origin(kind), [each for each in get_args(kind) if each is not Ellipsis]
    if origin is None or origin in BY_TYPE:
        return [BY_TYPE[origin or kind]]
    if origin is tuple and Ellipsis not in get_args(kind):
        return [lambda: tuple(samples(name, each)[0]() for each in inner)]
    many = tuple if origin is tuple else list
    return [lambda: many(samples(name, inner[0])[0]() for _ in range(2))]


class Recording:
    """What was executed on one database, by who was being called."""

    def __init__(self, database: Database, url: str) -> None:
        self.database, self.url = database, url
        self._name = sqlalchemy.make_url(url).database
        self.statements: dict[str, list[tuple[str, Any]]] = {}
        self._caller = ""

    @contextmanager
    def listening(self) -> Iterator[None]:
        """To all engines, as others may be at work in this process."""
        sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", self._note)
        try:
            yield
        finally:
            sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", self._note)

    def _note(self, connection: Any, cursor: Any, statement: str, values: Any, context: Any, is_many: bool) -> None:
        if connection.engine.url.database == self._name:
            self.statements.setdefault(self._caller, []).append((statement, values[0] if is_many else values))

    async def hot_read(self, statement: str, values: Sequence[str]) -> list[tuple[Any, ...]]:
        """In the place of the database's, which reads past SQLAlchemy."""
        self.statements.setdefault(self._caller, []).append((statement, values))
        return await self.database.hot_read(statement, values)

    async def call(self, name: str, query: Callable[..., Any], **arguments: Any) -> None:
        """Nothing stays. There are no rows, so some find none that should be there, or nothing to hang on."""
        self._caller = name
        if "database" in inspect.signature(query).parameters:
            await query(self if name == HOT else self.database, **arguments)
            return
        with suppress(NoResultFound, IntegrityError):
            async with self.database.transaction() as tx:
                await query(tx, **arguments)
                await tx.rollback()

    async def call_all(self) -> None:
        """Every query in every way, and what the shared modules do with the tables of tenancy."""
        async with self.database.transaction() as tx:
            await _make_rows(tx)
        for name, query in queries().items():
            for arguments in ways(query):
                await self.call(name, query, **arguments)
        for name, work in SHARED.items():
            await self.call(name, work)


async def _make_rows(tx: Tx) -> None:
    """Two organizations with a project each; one organization and both projects are past their time. And a mail."""
    await tx.execute(event_epoch.insert().values(epoch=2))
    past = {"delete_time": datetime(2000, 1, 1, tzinfo=UTC), "purge_time": datetime(2000, 1, 2, tzinfo=UTC)}
    for times in (past, {}):
        key = {"organization_id": uuid4(), "slug": uuid4().hex, "display_name": ""}
        await tx.execute(organizations.insert().values(**key, **times))
        await tx.execute(projects.insert().values(**key, project_id=uuid4(), **past))
    new = {"invitation_id": uuid4(), "email": "", "email_key": "", "role": "MEMBER", "expire_time": func.now()}
    await tx.execute(invitations.insert().values(organization_id=key["organization_id"], **new))
    about = {"organization_id": key["organization_id"], "invitation_id": new["invitation_id"]}
    await mails.insert_outbox_email(tx, outbox_emails, email_id=uuid4(), template="", address="", about=about, shown={})


async def _clear_away(tx: Tx) -> None:
    for table, condition in upkeep.useless(events_keep=timedelta(days=1)).items():
        await tidy.delete_some(tx, table, condition)


async def _send_mail(tx: Tx) -> None:
    row = await mails.update_due_email(tx, outbox_emails)
    assert row is not None
    await mails.update_failed_email(tx, outbox_emails, row=row, error="", is_dead=False)
    await mails.update_sent_email(tx, outbox_emails, row=row)
    await mails.delete_outbox_email(tx, outbox_emails, row=row)


async def _put_mail(tx: Tx) -> None:
    about = {"organization_id": uuid4(), "invitation_id": uuid4()}
    await mails.insert_outbox_email(tx, outbox_emails, email_id=uuid4(), template="", address="", about=about, shown={})


async def _read_events(database: Database) -> None:
    log = EventLog(database, events, event_epoch, keep=timedelta(days=1))
    cursor = await log.beginning()
    await log.check(dataclasses.replace(cursor, epoch=1))
    await log.page(cursor, await log.watermark())


async def _raise_epoch(tx: Tx) -> None:
    await raise_epoch(tx, events, event_epoch)


async def _answer_once(database: Database) -> None:
    async def work(tx: Tx) -> CheckAccessResponse:
        return CheckAccessResponse()

    caller = Caller(service="test")
    results = RequestResults(database, request_results)
    for _ in range(2):
        await results.answer_once(caller, uuid4(), CheckAccessRequest(), CheckAccessResponse, work)


# SQL that both services have, on the tables of tenancy.
SHARED: dict[str, Callable[..., Any]] = {
    "shared.event_log.EventLog": _read_events,
    "shared.event_log.raise_epoch": _raise_epoch,
    "shared.mail.outbox_emails.insert_outbox_email": _put_mail,
    "shared.mail.worker": _send_mail,
    "shared.request_results": _answer_once,
    "shared.tidy": _clear_away,
}
