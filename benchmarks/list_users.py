"""What ListUsers and LookUpUser cost among very many accounts: python -m benchmarks.list_users; see its flags."""

import argparse
import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import grpc
import psycopg

from benchmarks.identity import serving
from protos.identity.v1.users_pb2 import GetUserRequest, ListUsersRequest, LookUpUserRequest
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.caller import Caller
from shared.pages import Pages
from tenantry.testing.databases import databases
from tenantry.testing.pair import OPERATOR_KEY

AS_OPERATOR = (("x-service-key", OPERATOR_KEY),)
NAMES = ("ada", "bo", "cy", "dora", "emil", "fay", "gus", "hana", "ivo", "joan", "kai", "lea", "max", "nora", "oleg")
BEGIN, SPAN = datetime(2020, 1, 1, tzinfo=UTC), timedelta(days=2000)
COLUMNS = "user_id, email, email_key, display_name, external_id, state, create_time, suspend_time, delete_time"
MONTH = "create_time >= '2022-03-01T00:00:00Z' AND create_time < '2022-04-01T00:00:00Z'"
# As AIP-160 and as SQL write them.
FILTERS = {
    "no filter": ("", "true"),
    "email prefix, 1 in 15": ("email = ada*", "email_key LIKE 'ada%'"),
    "email prefix, about 7": ("email = ada.7777*", "email_key LIKE 'ada.7777%'"),
    "state, 1 in 1,000": ("state = SUSPENDED", "state = 'SUSPENDED'"),
    "state, 99 in 100": ("state = ACTIVE", "state = 'ACTIVE'"),
    "create_time, a month": (MONTH, MONTH),
    "month, rare state": (f"{MONTH} AND state = SUSPENDED", f"{MONTH} AND state = 'SUSPENDED'"),
    "month, prefix": (f"{MONTH} AND email = ada*", f"{MONTH} AND email_key LIKE 'ada%'"),
    "state, prefix": ("state = SUSPENDED email = ada*", "state = 'SUSPENDED' AND email_key LIKE 'ada%'"),
    "NOT the usual state": ("NOT state = ACTIVE", "state <> 'ACTIVE'"),
    "rare prefix OR rare state": (
        "email = ada.7777* OR state = SUSPENDED",
        "(email_key LIKE 'ada.7777%' OR state = 'SUSPENDED')",
    ),
}


async def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--users", type=int, default=1_000_000)
    arguments.add_argument("--calls", type=int, default=50)
    chosen = arguments.parse_args()
    with databases() as found:
        url = found.owner_url("identity", "identity")
        fill(url, chosen.users)
        with serving(found.service_url("identity", "identity")) as running:
            async with grpc.aio.insecure_channel(running.address) as channel:
                await show(UserServiceStub(channel), url, chosen.calls)


def fill(url: str, count: int) -> None:
    """One account in a thousand suspended, one in a hundred deleted, created evenly over the time."""
    chance = random.Random(7)
    with psycopg.connect(url, autocommit=True) as connection:
        with connection.cursor().copy(f"COPY users ({COLUMNS}) FROM STDIN") as copy:
            for n in range(count):
                created = BEGIN + SPAN * (n / count)
                [state] = chance.choices(("ACTIVE", "SUSPENDED", "DELETED"), (989, 1, 10))
                email = f"{chance.choice(NAMES)}.{n}@example.com"
                suspended = created if state == "SUSPENDED" else None
                deleted = created if state == "DELETED" else None
                copy.write_row((uuid4(), email, email, "Somebody", f"id-{n}", state, created, suspended, deleted))
        connection.execute("VACUUM ANALYZE users")


async def show(users: UserServiceStub, url: str, calls: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT user_id, email, external_id FROM users WHERE state = 'ACTIVE' LIMIT 1"
        ).fetchone()
        assert row is not None
        user_id, email, external_id = str(row[0]), str(row[1]), str(row[2])
        print(f"medians of {calls} calls in ms (slowest)\n{'':28}{'found':>10}{'first':>16}{'middle':>16}{'last':>16}")
        for label, (written, condition) in FILTERS.items():
            found, tokens = pages_of(connection, written, condition)
            if not found:  # the rarest prefixes, among few users
                print(f"{label:28}{found:>10}")
                continue
            times = [await timed(partial(listed, users, written, token), calls) for token in tokens]
            print(f"{label:28}{found:>10,}" + "".join(f"{each:>16}" for each in times))
    one = await timed(partial(listed, users, f"email = {email}", ""), calls)
    print(f"{'email =':28}{1:>10}{one:>16}")
    by_email, by_external_id = LookUpUserRequest(email=email), LookUpUserRequest(external_id=external_id)
    alone: dict[str, Callable[[], Awaitable[object]]] = {
        "LookUpUser, email": partial(users.LookUpUser, by_email, metadata=AS_OPERATOR),
        "LookUpUser, external id": partial(users.LookUpUser, by_external_id, metadata=AS_OPERATOR),
        "GetUser (the RPC itself)": partial(users.GetUser, GetUserRequest(user_id=user_id), metadata=AS_OPERATOR),
    }
    for label, call in alone.items():
        print(f"{label:28}{1:>10}{await timed(call, calls):>16}")


def pages_of(connection: psycopg.Connection[tuple[object, ...]], written: str, condition: str) -> tuple[int, list[str]]:
    """How many there are, and the page tokens of the first page, the middle one and the last full one."""
    shown = f"FROM users WHERE state <> 'DELETED' AND {condition}"
    row = connection.execute(f"SELECT count(*) {shown}").fetchone()
    assert row is not None
    found = int(str(row[0]))
    if not found:
        return 0, []
    pages = Pages(Caller(service="operator"), "ListUsers", written, False)
    tokens = [""]
    for before in (found // 2, found - 50):
        keys = f"SELECT create_time, user_id {shown} ORDER BY 1, 2 LIMIT 1 OFFSET {max(0, before - 1)}"
        key = connection.execute(keys).fetchone()
        assert key is not None
        tokens.append(pages.token(*key))
    return found, tokens


async def listed(users: UserServiceStub, written: str, token: str) -> None:
    answer = await users.ListUsers(ListUsersRequest(filter=written, page_token=token), metadata=AS_OPERATOR)
    assert answer.users


async def timed(call: Callable[[], Awaitable[object]], calls: int) -> str:
    """After as many to warm up: a connection's statements are planned anew only when there are values to plan for."""
    times = []
    for _ in range(calls + 20):
        begin = time.perf_counter()
        await call()
        times.append((time.perf_counter() - begin) * 1000)
    return f"{statistics.median(times[20:]):.2f} ({max(times[20:]):.1f})"


if __name__ == "__main__":
    asyncio.run(main())
