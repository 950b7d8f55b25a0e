"""Ask both the same, compare the answers one by one, then measure in alternating rounds: `make bench-peers`."""

import argparse
import json
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from benchmarks.__main__ import machine
from benchmarks.peers import ours, places
from benchmarks.peers.places import Question
from benchmarks.peers.rounds import FEWER, FULLY, OURS, QUICKLY, Measured, Round
from benchmarks.peers.table import of_peers
from benchmarks.peers.theirs import Theirs, theirs
from tenancy_service.permissions import LeastRole
from tenancy_service.permissions_file import read_permissions

ROOT = Path(__file__).parents[2]
OUT = ROOT / "benchmarks" / "out" / "peers.json"
# A container dashboard's, as no built-in permission needs an EDITOR.
PERMISSIONS_FILE = ROOT / "docs" / "examples" / "permissions.toml"
# What is asked, calls in flight, of whom. In memory SpiceDB walks through all relationships of a kind, hence FEWER.
CASES = [
    ("checks", 128, [OURS, FULLY, QUICKLY, FEWER]),
    ("checks", 1, [OURS, FULLY, QUICKLY, FEWER]),
    ("pages", 8, [OURS, FULLY, QUICKLY]),
]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=3)
    chosen = arguments.parse_args()
    with ExitStack() as stack:
        measured = ready(stack)
        rounds: dict[str, list[Round]] = {}
        for _ in range(chosen.rounds):
            for kind, in_flight, asked_of in CASES:
                for who in asked_of:
                    found = measured.once(who, kind, in_flight, chosen.seconds)
                    rounds.setdefault(f"{who} | {kind} | {in_flight}", []).append(found)
    print(f"\n{machine()}\n\n{of_peers(rounds)}")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(
        json.dumps({name: [vars(each) for each in found] for name, found in rounds.items()}, indent=1) + "\n"
    )
    print(f"\nevery round is in {OUT.relative_to(ROOT)}")


def ready(stack: ExitStack) -> Measured:
    """All started and filled, and every answer compared."""
    permissions = read_permissions(PERMISSIONS_FILE)
    made, fewer = places.organizations(), places.organizations(people=80, projects=80)
    asked, asked_fewer = places.questions(made, permissions), places.questions(fewer, permissions)
    pages = places.pages(made, "project:read")[::23]  # of 44 people in all roles
    flat = [*asked, *(question for page in pages for question in page)]
    pair = stack.enter_context(ours.pair(made, PERMISSIONS_FILE))
    checks, batches = [pair.check(each) for each in asked], [pair.page(each) for each in pages]
    work = {
        "checks": (ours.CHECK, checks, pair.ask(ours.CHECK, checks)),
        "pages": (ours.BATCH, batches, pair.ask(ours.BATCH, batches)),
    }
    told = [ours.allowed(each) for each in work["checks"][2]]
    compare(OURS, flat, permissions, told + [each for page in work["pages"][2] for each in ours.page_allowed(page)])
    peer = stack.enter_context(theirs(made, permissions, asked, pages))
    for consistency in (FULLY, QUICKLY):
        compare(f"SpiceDB, {consistency}", flat, permissions, answers(peer, consistency))
    small = stack.enter_context(theirs(fewer, permissions, asked_fewer, []))
    compare(f"SpiceDB, {FEWER}", asked_fewer, permissions, answers(small, FULLY))
    return Measured(pair, peer, small, work)


def answers(peer: Theirs, consistency: str) -> list[bool]:
    """To the single questions, then to those of pages."""
    return peer.answers("checks", consistency) + [each for page in peer.answers("pages", consistency) for each in page]


def compare(who: str, asked: list[Question], permissions: Mapping[str, LeastRole], told: list[bool]) -> None:
    """With what the role table says, which the same questions are put to; ends the run at a difference."""
    right = [places.expected(question, permissions) for question in asked]
    different = [n for n, (one, other) in enumerate(zip(told, right, strict=True)) if one is not other]
    for n in different[:10]:
        roles = [role.name if role else "no role" for role in places.roles(asked[n])]
        print(f"{who} says {told[n]}: {asked[n].permission} as {', '.join(roles)}", file=sys.stderr)
    if different:
        sys.exit(f"{who}: {len(different):,} of {len(asked):,} answers differ from the role table's")
    print(f"{who}: {len(asked):,} answers, each as the role table's; {sum(right):,} allowed", flush=True)


if __name__ == "__main__":
    main()
