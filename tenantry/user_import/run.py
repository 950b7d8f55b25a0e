"""Send a file batch by batch, or only look at it."""

import fcntl
from collections import Counter
from collections.abc import Callable
from typing import TextIO

from protos.identity.v1 import users_pb2 as pb
from shared.fields import email_key
from tenantry.client import Ask
from tenantry.failures import WRONG_USE, Failure
from tenantry.user_import import progress
from tenantry.user_import.batches import Batch, batches
from tenantry.user_import.person import kind
from tenantry.user_import.plan import Plan
from tenantry.user_import.progress import Progress
from tenantry.user_import.records import Record, opened
from tenantry.user_import.rejected import RejectedFile

SECONDS = 60.0  # for a batch

Told = Callable[[int], None]  # how many bytes of the file are read
Rejected = Callable[[Record, str], None]


def import_all(plan: Plan, ask: Ask, most: int, told: Told) -> Progress:
    """From where the last one was interrupted. Every batch is on record before the next is sent."""
    path = plan.path
    with opened(path) as file:
        lock(file, path.name)
        rejected_path = progress.rejected_place(path, plan.form.suffix)
        so_far = progress.begin_or_go_on(path, plan.choices, rejected_path)
        if so_far.is_done:
            return so_far
        rejected = RejectedFile(rejected_path, plan.form, so_far.rejected_bytes)
        for batch in batches(plan, file, so_far.position, most):
            refused = batch.refused + (send(ask, batch, so_far.sha256) if batch.sent else [])
            rejected.add(sorted(refused, key=lambda each: each[0].line))
            so_far.position += batch.count
            so_far.created += batch.count - len(refused)
            so_far.rejected += len(refused)
            so_far.rejected_bytes = rejected.length
            progress.save(path, so_far)
            told(file.buffer.tell())
        so_far.is_done = True
        progress.save(path, so_far)
        return so_far


def send(ask: Ask, batch: Batch, sha256: str) -> list[tuple[Record, str]]:
    """Those that the server refused."""
    request = batch.request(sha256)
    results = ask("identity.v1.UserService/ImportUsers", request, pb.ImportUsersResponse, timeout=SECONDS).results
    return [
        (record, f"{result.refusal.reason}: {result.refusal.message}")
        for (record, _), result in zip(batch.sent, results, strict=True)
        if result.HasField("refusal")
    ]


def look_at_all(plan: Plan, told: Told, rejected: Rejected) -> tuple[Counter[str], int]:
    """How many fit, by the kind of their password hash, and how many do not. Changes nothing."""
    fit: Counter[str] = Counter()
    unfit = 0
    lines: dict[int, int] = {}  # of addresses and external ids, by their hash
    with opened(plan.path) as file:
        for batch in batches(plan, file, 0):
            refused = list(batch.refused)
            for record, user in batch.sent:
                twice = said_before(lines, record.line, email=email_key(user.email), external_id=user.external_id)
                if twice:
                    refused.append((record, twice))
                else:
                    fit[kind(user.password_hash) if user.password_hash else "none"] += 1
            unfit += len(refused)
            for record, reason in sorted(refused, key=lambda each: each[0].line):
                rejected(record, reason)
            told(file.buffer.tell())
    return fit, unfit


def said_before(lines: dict[int, int], line: int, **keys: str) -> str:
    """What another line of the file has too; notes the keys of this one if nothing."""
    hashes = {name: hash((name, key)) for name, key in keys.items() if key}
    twice = [f"{name}: the same as on line {lines[found]}" for name, found in hashes.items() if found in lines]
    if not twice:
        lines.update(dict.fromkeys(hashes.values(), line))
    return "; ".join(twice)


def lock(file: TextIO, name: str) -> None:
    """While it is open. Of two imports of one file at a time, the second is refused."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Failure(f"another import of {name} is under way", WRONG_USE) from None
