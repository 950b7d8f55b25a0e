"""10,000 wrong passwords from 200 sources against one account, while its owner signs in.

`python -m benchmarks.guessing`.
"""

import argparse
import asyncio
import statistics
import time
from collections import Counter

import grpc
import psycopg
import uvloop

from benchmarks.identity import WRONG, Identity, identity, new_source, sign_in, told, via
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub

SOURCES = 200
AT_ONCE = 32
OWNER_SIGNS_IN = 20


async def attack(found: Identity, tries: int) -> None:
    [email] = found.accounts(1)
    async with grpc.aio.insecure_channel(found.address) as channel:
        stub = SessionServiceStub(channel)
        token = (await stub.CreateSession(sign_in(email), metadata=via(new_source()))).device_token
        sources = [new_source() for _ in range(SOURCES)]
        left = iter(range(tries))
        answers, owners = Counter[str](), Counter[str]()
        times: list[float] = []

        async def guess() -> None:
            for number in left:
                answers[await answer(stub, sign_in(email, WRONG), sources[number % SOURCES])] += 1

        start = time.perf_counter()
        guessing = asyncio.gather(*[guess() for _ in range(AT_ONCE)])
        for _ in range(OWNER_SIGNS_IN):
            before = time.perf_counter()
            owners[await answer(stub, sign_in(email, device_token=token), new_source())] += 1
            times.append((time.perf_counter() - before) * 1000)
        await guessing
        seconds = time.perf_counter() - start
    with psycopg.connect(found.database_url) as connection:
        query = "SELECT count(*) FROM audit_events WHERE action = 'SIGN_IN_FAILED'"
        [hashes] = connection.execute(query).fetchone() or (0,)
    print(f"{tries:,} guesses in {seconds:.1f} s: {hashes} hashes computed")
    for what, count in answers.most_common():
        print(f"  {count:6,}: {what}")
    print(f"the owner: {dict(owners)}, median {statistics.median(times):.0f} ms, slowest {max(times):.0f} ms")


async def answer(stub: SessionServiceStub, request: object, source: str) -> str:
    try:
        await stub.CreateSession(request, metadata=via(source))  # type: ignore[arg-type]
    except grpc.aio.AioRpcError as error:
        return told(error)
    return "signed in"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--tries", type=int, default=10_000)
    tries = arguments.parse_args().tries
    with identity() as found:
        uvloop.run(attack(found, tries))


if __name__ == "__main__":
    main()
