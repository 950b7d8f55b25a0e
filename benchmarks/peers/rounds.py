"""One measurement of either side: calls from many at once, and the processor time of every process."""

import base64
import json
import statistics
from dataclasses import dataclass

from benchmarks import load
from benchmarks.crowd import SIZES
from benchmarks.peers.ours import Pair, authorized
from benchmarks.peers.theirs import Theirs
from benchmarks.world import World

OURS, FULLY, QUICKLY = "Tenantry", "fully_consistent", "minimize_latency"
FEWER = "fully_consistent, fewer people"
PAGE = 100


@dataclass
class Round:
    """Rates in checks a second, times in seconds of a call; processor time in seconds a check, by process."""

    rate: float
    p50: float
    p99: float
    cpu: dict[str, float]


@dataclass
class Measured:
    """What is measured alternately: all that is needed to do it once more."""

    ours: Pair
    theirs: Theirs
    fewer: Theirs
    work: dict[str, tuple[str, list[tuple[bytes, str]], list[bytes]]]  # by kind: method, requests, answers

    def once(self, who: str, kind: str, in_flight: int, seconds: float) -> Round:
        if who == OURS:
            told, cpu = self._ours(kind, in_flight, seconds)
        else:
            told, cpu = self._theirs(who, kind, in_flight, seconds)
        checks = told["calls"] * (PAGE if kind == "pages" else 1)
        return Round(
            checks / told["seconds"], told["p50"], told["p99"], {name: spent / checks for name, spent in cpu.items()}
        )

    def _theirs(self, who: str, kind: str, in_flight: int, seconds: float) -> tuple[dict[str, float], dict[str, float]]:
        peer, consistency = (self.fewer, FULLY) if who == FEWER else (self.theirs, who)
        look = World(SIZES["small"], {}, {"SpiceDB and its caller": [peer.pid]}).cpu
        peer.say({"kind": kind, "consistency": consistency, "in_flight": in_flight, "seconds": seconds})
        peer.hear()  # warm
        before = look()
        peer.say("go")
        told: dict[str, float] = json.loads(peer.hear())
        return told, spent(before, look())

    def _ours(self, kind: str, in_flight: int, seconds: float) -> tuple[dict[str, float], dict[str, float]]:
        method, requests, answers = self.work[kind]
        plan = {
            "address": self.ours.address,
            "method": method,
            "requests": [
                {"body": encoded(body), "headers": dict(authorized(token)), "answer": encoded(answer)}
                for (body, token), answer in zip(requests, answers, strict=True)
            ],
            "in_flight": in_flight,
            "seconds": seconds,
        }
        told, before, after = load.run(plan, self.ours.world.cpu)
        return told, {**spent(before, after), "the caller": told["cpu"]}


def spent(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in after}


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def medians(rounds: list[Round]) -> Round:
    return Round(
        statistics.median(each.rate for each in rounds),
        statistics.median(each.p50 for each in rounds),
        statistics.median(each.p99 for each in rounds),
        {name: statistics.median(each.cpu[name] for each in rounds) for name in rounds[0].cpu},
    )
