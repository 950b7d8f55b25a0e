"""One call at a time on 1,000 and on 1,000,000 memberships side by side: CheckAccess, and every list's ends.

`make bench-growth`. Writes benchmarks/out/growth.json.
"""

import argparse
import asyncio
import json
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc
from google.protobuf.message import Message

from benchmarks import load, people, questions, report
from benchmarks.__main__ import OUT, machine
from benchmarks.crowd import SIZES
from benchmarks.kinds import KINDS, PAGE, Headers
from benchmarks.world import AS_OPERATOR, World, world
from protos.identity.v1 import users_pb2 as users
from protos.tenancy.v1 import access_pb2 as access
from protos.tenancy.v1 import organization_members_pb2 as members
from protos.tenancy.v1 import organizations_pb2 as organizations
from protos.tenancy.v1 import projects_pb2 as projects

MOST = 1_000  # in a page
GIVE_UP = 60  # seconds for a page


@dataclass
class List:
    """A list of one caller's, and how long it is."""

    label: str
    server: str
    method: str
    request: Message
    answer: type[Message]
    headers: Headers
    length: int


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement")
    chosen = parser.parse_args()
    try:
        with ExitStack() as stack:
            worlds = {name: stack.enter_context(world(size, naive=False)) for name, size in SIZES.items()}
            result = measure(worlds, chosen.rounds, chosen.seconds)
    except load.LoadFailed as failed:
        sys.exit(f"the run does not count: {failed}")
    OUT.mkdir(exist_ok=True)
    (OUT / "growth.json").write_text(json.dumps(result, indent=1) + "\n")
    print(report.of_growth(result))


def measure(worlds: dict[str, World], rounds: int, seconds: float) -> dict[str, Any]:
    """Both sizes alternate, so that what the machine does beside it meets both."""
    plans = {name: dict(all_plans(found)) for name, found in worlds.items()}
    calls: list[dict[str, Any]] = [{"label": label, "small": [], "large": []} for label in plans["small"]]
    for _ in range(rounds):
        for call in calls:
            for name, found in worlds.items():
                plan = {**plans[name][call["label"]], "in_flight": 1, "seconds": seconds, "warm": 0.3}
                told, _, _ = load.run(plan, found.cpu)
                call[name].append({share: told[share] for share in ("p50", "p99")})
    for call in calls:
        for name in worlds:
            measured = call[name]
            call[name] = {key: statistics.median(each[key] for each in measured) for key in measured[0]}
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "memberships": [found.size.memberships for found in worlds.values()],
        "rounds": rounds,
        "seconds": seconds,
        "calls": calls,
    }


def all_plans(found: World) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "CheckAccess", questions.plan(found, next(kind for kind in KINDS if kind.name == "check"))
    for each in lists(found):
        yield f"{each.label}, first page", asyncio.run(page_plan(found, each, last=False))
        yield f"{each.label}, last page", asyncio.run(page_plan(found, each, last=True))


def lists(found: World) -> list[List]:
    size = found.size
    busy, owner = people.person(found, size.busy_user), people.person(found, 0)
    place = owner.organization_id
    return [
        List(
            "ListOrganizations of one in many", "tenancy", "/tenancy.v1.OrganizationService/ListOrganizations",
            organizations.ListOrganizationsRequest(), organizations.ListOrganizationsResponse, busy.bearer, size.busy,
        ),
        List(
            "ListAccessibleProjects of one in many", "tenancy", "/tenancy.v1.AccessService/ListAccessibleProjects",
            access.ListAccessibleProjectsRequest(), access.ListAccessibleProjectsResponse, busy.bearer,
            sum(len(size.projects_of(organization)) for organization in range(1, size.busy + 1)),
        ),
        List(
            "ListOrganizationMembers", "tenancy", "/tenancy.v1.OrganizationMemberService/ListOrganizationMembers",
            members.ListOrganizationMembersRequest(organization_id=place), members.ListOrganizationMembersResponse,
            owner.bearer, size.large_members,
        ),
        List(
            "ListProjects", "tenancy", "/tenancy.v1.ProjectService/ListProjects",
            projects.ListProjectsRequest(organization_id=place), projects.ListProjectsResponse,
            owner.bearer, size.large_projects,
        ),
        List(
            "ListUsers", "identity", "/identity.v1.UserService/ListUsers",
            users.ListUsersRequest(), users.ListUsersResponse, AS_OPERATOR, size.users,
        ),
    ]  # fmt: skip


async def page_plan(found: World, asked: List, *, last: bool) -> dict[str, Any]:
    """Of one page of 50; the last is found by walking there in pages of 1,000, then of 50."""
    async with grpc.aio.insecure_channel(found.addresses[asked.server]) as channel:
        call: Any = channel.unary_unary(asked.method)

        async def page(length: int, token: str) -> tuple[bytes, bytes, Any]:
            request: Any = type(asked.request)()
            request.CopyFrom(asked.request)
            request.page_size, request.page_token = length, token
            sent = request.SerializeToString()
            got: bytes = await call(sent, metadata=tuple(asked.headers.items()), timeout=GIVE_UP)
            return sent, got, asked.answer.FromString(got)

        token, come = "", 0
        while last and come < asked.length - PAGE:
            # The list is the first field of each.
            _, _, answer = await page(MOST if come + MOST < asked.length else PAGE, token)
            token, come = answer.next_page_token, come + len(answer.ListFields()[0][1])
        sent, got, answer = await page(PAGE, token)
    length = len(answer.ListFields()[0][1])
    if length != PAGE or bool(answer.next_page_token) == last:
        raise load.LoadFailed(f"{asked.label}: {length} of {asked.length} on the {'last' if last else 'first'} page")
    request = {"body": questions.text(sent), "headers": asked.headers, "answer": questions.text(got)}
    return {"address": found.addresses[asked.server], "method": asked.method, "requests": [request]}


if __name__ == "__main__":
    main()
