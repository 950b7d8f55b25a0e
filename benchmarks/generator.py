"""Load in a process of its own: requests encoded beforehand, over HTTP/2 frames, every answer looked at.

`python -m benchmarks.generator` reads a plan as one line of JSON on stdin, warms up, writes "warm", waits for a
line, measures, and writes the result as JSON. Its exit status is 1 after a wrong or failed answer, which
stderr then names. A plan:

    address, method   "127.0.0.1:50052", "/tenancy.v1.AccessService/CheckAccess"
    requests          [{"body", "headers", "answer"}], sent in turn; bodies and answers in base64, answer null: any;
                      "path" in one: another than the method
    content_type      "application/grpc"; with "application/json" bodies go as they are, GET where there is none, and
                      200 is right
    holds             true: an answer holds `answer` somewhere; without it is exactly that
    number            what "{number}" in a body becomes in the first call, one more in each after it; 0
    in_flight         calls under way at any time, or
    rate              calls/s that begin whatever becomes of the others, at random times (Poisson)
    seconds, warm     how long; answers that come later count too
    calls             the most to begin while measuring, if the seconds allow as many
    connections       4
    gather            seconds from the first answer that has come to looking at all that have: with many under way it
                      spares this program two thirds of its work, but latencies are as much too long at most, and a
                      server has less to do, as it gets its calls in groups. 0
    tolerated         [8]: gRPC statuses that are counted but no failure
    timeline          true: what ended in each second
"""

import base64
import gc
import itertools
import json
import math
import random
import resource
import select
import sys
import time
from array import array
from collections import Counter, deque
from typing import Any

from benchmarks.http2 import GRPC, Call, Connection, Request

PATIENCE = 30.0  # seconds without any answer


class Load:
    """The connections, and what has ended: seconds of each right answer, numbers of calls by status."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        holds = bool(plan.get("holds"))
        self.number = itertools.count(plan.get("number", 0))
        self._content_type = plan.get("content_type", GRPC)
        self._requests = itertools.cycle(
            [Request(decoded(each["body"]) or b"", each["headers"], decoded(each["answer"]), holds=holds,
                     content_type=self._content_type, path=each.get("path", ""))
             for each in plan["requests"]]
        )  # fmt: skip
        self._connections: list[Connection] = []
        self._under_way = 0
        self._gather = plan.get("gather", 0.0)
        self._waiting: deque[Call] = deque()
        self._next_arrival, self._random = 0.0, random.Random(1)
        self.forget()

    def forget(self) -> None:
        self.seconds, self.ends = array("d"), array("d")
        self.statuses: Counter[str] = Counter()
        self.others = array("d")  # the ends of those that failed
        self.others_seconds: dict[str, array[float]] = {}
        self.problems: list[str] = []

    def run(self, seconds: float, most: float = math.inf) -> float:
        """Returns when every answer is there: how long that took."""
        began = heard = now = self._next_arrival = time.perf_counter()
        end = began + seconds
        left = most
        while True:
            left -= self._add(now, end, left)
            self._start_waiting()
            if not self._under_way and not self._waiting and (now >= end or not left):
                return time.perf_counter() - began
            writers = [each for each in self._connections if each.out]
            is_more_to_come = "rate" in self._plan and left and self._next_arrival < end
            pause = self._next_arrival - time.perf_counter() if is_more_to_come else 1.0
            readers, _, _ = select.select(self._connections, writers, [], max(0.0, pause))
            if readers and self._gather:
                time.sleep(self._gather)
            now = time.perf_counter()
            for connection in readers:
                self._receive(connection, now)
            heard = now if readers else heard
            if now - heard > PATIENCE:
                raise TimeoutError(f"{self._under_way} calls are without an answer for {PATIENCE:.0f} s")

    def _add(self, now: float, end: float, left: float) -> int:
        """Calls that are due, as many as told."""
        count = 0
        if "rate" in self._plan:
            while count < left and self._next_arrival <= now and self._next_arrival < end:
                # What waits for room, or for this program, counts as waiting for the answer.
                self._waiting.append(Call(next(self._requests), self._next_arrival, next(self.number)))
                self._next_arrival += self._random.expovariate(self._plan["rate"])
                count += 1
        elif now < end:
            count = int(min(left, self._plan["in_flight"] - self._under_way - len(self._waiting)))
            for _ in range(count):
                self._waiting.append(Call(next(self._requests), time.perf_counter(), next(self.number)))
        return count

    def _start_waiting(self) -> None:
        usable = [each for each in self._connections if not each.is_leaving]
        while self._waiting and len(usable) < self._plan.get("connections", 4):
            usable.append(self._connect())
            self._connections.append(usable[-1])
        while self._waiting:
            emptiest = min(usable, key=lambda each: len(each.calls))
            if not emptiest.start(self._waiting[0]):
                break
            self._waiting.popleft()
            self._under_way += 1
        for connection in self._connections:
            connection.flush()

    def _receive(self, connection: Connection, now: float) -> None:
        try:
            ended = connection.receive()
        except ConnectionError as error:
            ended = [(call, f"connection lost: {error}") for call in connection.calls.values()]
            connection.calls.clear()
            connection.is_leaving = True
        for call, status in ended:
            self._under_way -= 1
            if status == "not taken":
                self._waiting.appendleft(call)
                continue
            if status == "0" and not call.request.is_answered_by(call.answer):
                status = "wrong"
            self.statuses[status] += 1
            if status == "0":
                self.seconds.append(now - call.started)
                self.ends.append(now)
                continue
            self.others.append(now)
            self.others_seconds.setdefault(status, array("d")).append(now - call.started)
            if status not in self._tolerated and len(self.problems) < 3:
                self.problems.append(f"status {status}, answer {call.answer!r:.300}")
        if connection.is_leaving and not connection.calls:
            connection.close()
            self._connections.remove(connection)

    @property
    def _tolerated(self) -> list[str]:
        return [str(each) for each in self._plan.get("tolerated", ())]

    def _connect(self) -> Connection:
        return Connection(self._plan["address"], self._plan["method"], self._content_type)

    def timeline(self, began: float) -> list[dict[str, float | None]]:
        """For each second: right answers, others, and the 99th percentile of the right ones' seconds."""
        seconds: list[tuple[list[float], list[float]]] = []
        for ends, place in ((self.ends, 0), (self.others, 1)):
            for n, end in enumerate(ends):
                while len(seconds) <= end - began:
                    seconds.append(([], []))
                seconds[int(end - began)][place].append(self.seconds[n] if place == 0 else 0)
        return [
            {"right": len(right), "others": len(others), "p99": percentile(sorted(right), 0.99)}
            for right, others in seconds
        ]


def percentile(ascending: "list[float]", share: float) -> float | None:
    return ascending[min(len(ascending) - 1, int(len(ascending) * share))] if ascending else None


def spread(ascending: "list[float]") -> dict[str, float | None]:
    return {"count": len(ascending), "p50": percentile(ascending, 0.5), "p99": percentile(ascending, 0.99)}


def decoded(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def main() -> None:
    plan = json.loads(sys.stdin.readline())
    load = Load(plan)
    gc.freeze()
    gc.disable()  # nothing here is in a circle
    load.run(plan.get("warm", 1.0))
    problems = load.problems
    load.forget()
    print("warm", flush=True)
    sys.stdin.readline()
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    took = load.run(plan["seconds"], plan.get("calls", math.inf))
    after = resource.getrusage(resource.RUSAGE_SELF)
    ascending = sorted(load.seconds)
    result = {
        "next_number": next(load.number),
        "calls": sum(load.statuses.values()),
        "right": len(ascending),
        "statuses": dict(load.statuses),
        "seconds": took,
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        **{f"p{share}": percentile(ascending, share / 100) for share in (50, 95, 99)},
        "others": {status: spread(sorted(each)) for status, each in load.others_seconds.items()},
        **({"timeline": load.timeline(began)} if plan.get("timeline") else {}),
    }
    print(json.dumps(result), flush=True)
    problems = [*problems, *load.problems]
    if problems:
        sys.exit(f"{plan['method']}: " + "; ".join(problems))


if __name__ == "__main__":
    main()
