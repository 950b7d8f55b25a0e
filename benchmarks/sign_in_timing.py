"""Does the time of an answer tell whether an account exists? Tries of every kind in turns; medians and ROC AUC.

`python -m benchmarks.sign_in_timing`. 0.5 is what somebody reaches who only guesses.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import grpc
import uvloop

from benchmarks.identity import WRONG, Identity, identity, new_source, sign_in, told, via
from protos.identity.v1.credentials_pb2 import StartEmailVerificationRequest, StartPasswordResetRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.identity.v1.users_pb2 import SignUpRequest
from protos.identity.v1.users_pb2_grpc import UserServiceStub

Addresses = Iterator[str]
WARM_UP = 20


@dataclass
class Question:
    """An RPC, and how its requests are made of an address. Addresses of nobody are the first kind."""

    name: str
    call: Callable[..., Any]
    request: Callable[[str], Any]
    kinds: dict[str, Addresses]


def questions(found: Identity, channel: grpc.aio.Channel, tries: int) -> list[Question]:
    sessions, users = SessionServiceStub(channel), UserServiceStub(channel)

    def kinds(**states: dict[str, Any]) -> dict[str, Addresses]:
        """Every address is asked about once."""
        nobody = iter([f"{uuid4().hex}@example.com" for _ in range(tries + WARM_UP)])
        return {"nobody": nobody} | {
            name: iter(found.accounts(tries + WARM_UP, **state)) for name, state in states.items()
        }

    def sign_up(email: str) -> SignUpRequest:
        return SignUpRequest(email=email, password=WRONG)

    def wrong(email: str) -> Any:
        return sign_in(email, WRONG)

    return [
        Question("CreateSession", sessions.CreateSession, wrong, kinds(active={}, suspended={"state": "SUSPENDED"})),
        Question("SignUp", users.SignUp, sign_up, kinds(active={})),
        Question(
            "StartPasswordReset",
            users.StartPasswordReset,
            lambda email: StartPasswordResetRequest(email=email),
            kinds(active={}, suspended={"state": "SUSPENDED"}),
        ),
        Question(
            "StartEmailVerification",
            users.StartEmailVerification,
            lambda email: StartEmailVerificationRequest(email=email),
            kinds(unverified={"is_verified": False}, verified={}),
        ),
    ]


async def measure(question: Question, tries: int) -> dict[str, list[float]] | str:
    """Milliseconds of each try by kind, or why there are none."""
    times: dict[str, list[float]] = {kind: [] for kind in question.kinds}
    answers = set()
    # Each kind follows every kind equally often: what a try leaves to be done, such as a mail, slows down the next.
    order = list(times) * (tries + WARM_UP)
    random.shuffle(order)
    for number, kind in enumerate(order):
        request, metadata = question.request(next(question.kinds[kind])), via(new_source())
        start = time.perf_counter()
        try:
            await question.call(request, metadata=metadata)
            answer = "OK"
        except grpc.aio.AioRpcError as error:
            answer = told(error)
        if number >= WARM_UP * len(times):
            times[kind].append((time.perf_counter() - start) * 1000)
        answers.add(answer)
        if answer == "Internal error":
            return "not there, or broken: Internal error"
    return times if len(answers) == 1 else f"the answers differ: {answers}"


def auc(ones: Sequence[float], others: Sequence[float]) -> float:
    """How often one of the `ones` took longer than one of the `others` (Mann and Whitney's U)."""
    ordered = sorted([(value, True) for value in ones] + [(value, False) for value in others])
    ranks = sum(rank for rank, (_, is_one) in enumerate(ordered, 1) if is_one)
    return (ranks - len(ones) * (len(ones) + 1) / 2) / (len(ones) * len(others))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--tries", type=int, default=500)
    tries = arguments.parse_args().tries
    with identity() as found:
        uvloop.run(ask_all(found, tries))


async def ask_all(found: Identity, tries: int) -> None:
    async with grpc.aio.insecure_channel(found.address) as channel:
        for question in questions(found, channel, tries):
            show(question.name, await measure(question, tries))


def show(name: str, times: dict[str, list[float]] | str) -> None:
    if isinstance(times, str):
        print(f"{name}: {times}")
        return
    (_, nobody), *others = times.items()
    middle = statistics.median(nobody)
    print(f"{name}: nobody {middle:.2f} ms, median of {len(nobody)}", flush=True)
    for kind, measured in others:
        median = statistics.median(measured)
        difference = (median / middle - 1) * 100
        print(f"  {kind:12}{median:8.2f} ms{difference:+8.2f} %   AUC {auc(measured, nobody):.3f}")


if __name__ == "__main__":
    main()
