"""The worker that sends what is in the outbox: take a row, compose, deliver, mark it.

No transaction is open while a mail server is talked to. Who dies between delivering and marking leaves a row that
is sent again: at least once.
"""

import asyncio
import math
import time
from typing import Any, Protocol, Self

from shared.database import Database, Row, Tx
from shared.errors import ServiceError
from shared.log import log
from shared.mail import outbox_emails
from shared.mail.delivery import Deliver, Delivery, Folder
from shared.mail.message import Mail, NotDeliveredError
from shared.mail.outbox import Outbox
from shared.mail.settings import MailSettings
from shared.mail.smtp import Smtp
from shared.worker_metrics import MAILS, MAILS_WAITING

# put() wakes before the commit: from a short look on they become rarer, up to one a second, which also finds
# what other processes put and left.
SOON, SELDOM = 0.02, 1.0  # seconds
BATCH = 50  # mails over one connection
MOST_ATTEMPTS = 10
DELIVERY_SECONDS = 25.0  # less than the first lease, so that nobody else takes the row meanwhile
STOP_SECONDS = 5.0
COUNT = 15.0  # seconds between two counts of what waits
MOST_ERROR = 500  # characters


class Composer(Protocol):
    async def compose(self, tx: Tx, row: Row) -> Mail | None:
        """None if there is nothing to send: what the mail was about has gone."""


class Worker:
    def __init__(self, database: Database, outbox: Outbox[Any], composer: Composer, delivery: Delivery) -> None:
        self._database, self._outbox = database, outbox
        self._composer, self._delivery = composer, delivery
        self._running: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._is_failing = False
        self._counted_at = -math.inf

    @classmethod
    def of(cls, settings: MailSettings, database: Database, outbox: Outbox[Any], composer: Composer) -> Self:
        server = settings.smtp_server
        delivery: Delivery = Smtp(server) if server else Folder(settings.mail_folder)
        return cls(database, outbox, composer, delivery)

    def start(self) -> None:
        self._running = asyncio.create_task(self.run())

    async def close(self) -> None:
        """The mail under way is finished, unless that takes too long; the rest is there at the next start."""
        self._is_stopping = True
        self._outbox.wake()
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=STOP_SECONDS)
            self._running.cancel()

    async def run(self) -> None:
        pause = SELDOM
        while not self._is_stopping:
            await self._look()
            if await self._outbox.was_woken(pause):
                await asyncio.sleep(SOON)
                pause = SOON
            else:
                pause = min(2 * pause, SELDOM)

    async def _look(self) -> None:
        try:
            async with self._delivery.batch() as deliver:
                for _ in range(BATCH):
                    if self._is_stopping or not await self._send_next(deliver):
                        break
            await self._count()
            self._is_failing = False
        except Exception as error:  # not a line for every look
            if not self._is_failing:
                log.warning("the outbox cannot be worked on", exc_info=error)
            self._is_failing = True

    async def _count(self) -> None:
        if time.monotonic() - self._counted_at < COUNT:
            return
        async with self._database.single_read() as tx:
            MAILS_WAITING.set(await outbox_emails.count_waiting_emails(tx, self._outbox.table))
        self._counted_at = time.monotonic()

    async def _send_next(self, deliver: Deliver) -> bool:
        """False if nothing is due, or whoever delivers is away."""
        async with self._database.transaction() as tx:
            row = await outbox_emails.update_due_email(tx, self._outbox.table)
        if row is None:
            return False
        goes_on = True
        try:
            mail = await self._composed(row)
            if mail is None:
                return True
            async with asyncio.timeout(DELIVERY_SECONDS):
                await deliver(mail)
        except NotDeliveredError as error:
            await self._failed(row, str(error), is_dead=error.is_final)
            goes_on = not error.is_away
        except TimeoutError:
            await self._failed(row, f"no answer for {DELIVERY_SECONDS:.0f} s")
            goes_on = False
        except ServiceError:  # of the database: the row comes back when its lease ends
            raise
        except Exception as error:
            log.error("a mail cannot be composed", email_id=str(row.email_id), exc_info=error)
            await self._failed(row, type(error).__name__)
        else:
            async with self._database.transaction() as tx:
                await outbox_emails.update_sent_email(tx, self._outbox.table, row=row)
            MAILS.labels("sent").inc()
        return goes_on

    async def _composed(self, row: Row) -> Mail | None:
        if row.attempts > MOST_ATTEMPTS:  # the last attempt ended with its process
            raise NotDeliveredError(f"given up after {MOST_ATTEMPTS} attempts", is_final=True)
        async with self._database.transaction() as tx:
            mail = await self._composer.compose(tx, row)
            if mail is None:
                await outbox_emails.delete_outbox_email(tx, self._outbox.table, row=row)
        return mail

    async def _failed(self, row: Row, error: str, *, is_dead: bool = False) -> None:
        is_dead = is_dead or row.attempts >= MOST_ATTEMPTS
        printable = "".join(c if c.isprintable() else " " for c in error)[:MOST_ERROR]
        async with self._database.transaction() as tx:
            await outbox_emails.update_failed_email(tx, self._outbox.table, row=row, error=printable, is_dead=is_dead)
        MAILS.labels("given_up" if is_dead else "failed").inc()
        if is_dead:
            # Not the error: the server's words may hold the address.
            log.warning("a mail is given up", email_id=str(row.email_id), template=row.template)
