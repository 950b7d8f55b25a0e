"""Ways to hand over a mail, and how that fails. Files are for development and tests; servers use SMTP."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeAlias

from shared.mail.message import Mail, NotDeliveredError

Deliver: TypeAlias = Callable[[Mail], Awaitable[None]]
UNSAFE = re.compile(r"[^A-Za-z0-9@._+-]")


class Delivery(Protocol):
    def batch(self) -> AbstractAsyncContextManager[Deliver]:
        """Delivers any number of mails, one after the other; NotDeliveredError for one that it does not."""


class Folder:
    """Each mail is a file, named so that they sort by time: `<time>-<template>-<address>.eml`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[Deliver]:
        yield self._deliver

    async def _deliver(self, mail: Mail) -> None:
        try:
            await asyncio.to_thread(self._write, mail)
        except OSError as error:
            raise NotDeliveredError(f"{type(error).__name__}: {error.strerror}", is_away=True) from error

    def _write(self, mail: Mail) -> None:
        """Readable by its owner alone, and never half written: the links in it open accounts."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{mail.template}-{safe(mail.address)}.eml"
        unfinished = self._folder / f".{name}.{os.getpid()}"
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(mail.message.as_bytes())
        unfinished.rename(self._folder / name)


def safe(address: str) -> str:
    """As it stands in the name of a file."""
    return UNSAFE.sub("_", address)[:120]
