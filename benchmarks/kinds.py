"""The kinds of calls that are measured: what is sent, and how the right answer is told from a wrong one."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from google.protobuf.message import Message

from benchmarks import crowd, people
from benchmarks.fixtures import PASSWORD
from benchmarks.world import AS_OPERATOR, World
from protos.identity.v1.sessions_pb2 import CreateSessionRequest, ValidateSessionRequest
from protos.tenancy.v1 import access_pb2 as access
from protos.tenancy.v1.projects_pb2 import CreateProjectRequest

IN_BATCH, BATCHES = 100, 200
PAGE = 50
Headers = dict[str, str]


@dataclass
class Question:
    """`part`, bytes that the answer must hold, where it is not the same each time; else it is asked once beforehand."""

    request: Message
    headers: Headers
    is_right: Callable[[bytes], bool] = lambda _answer: True
    part: bytes | None = None


@dataclass
class Kind:
    """`server` is one of the world's; `costs` are the processes that work for it, besides PostgreSQL. `in_flight` of
    those that would be refused in larger numbers at once: they wait for a core to hash on, or for a connection."""

    name: str
    label: str
    server: str
    method: str
    ask: Callable[[World], list[Question]]
    costs: dict[str, str]
    in_flight: int = 128
    checks: int = 1


def nothing(world: World) -> list[Question]:
    """What CheckAccess is asked, sent to who does not look at it."""
    return [Question(each.check(), each.bearer, lambda got: got == b"\x08\x01") for each in people.some(world)]


def checks(world: World) -> list[Question]:
    return [Question(each.check(), each.bearer, partial(is_answer, each.answer())) for each in people.some(world)]


def batches(world: World) -> list[Question]:
    """A service asks for the sessions of 100 people at a time."""
    everybody, order = people.some(world), random.Random(1)
    questions = []
    for _ in range(BATCHES):
        asked = order.sample(everybody, IN_BATCH)
        request = access.BatchCheckAccessRequest(requests=[each.check(by_service=True) for each in asked])
        right = [each.answer() for each in asked]
        questions.append(Question(request, AS_OPERATOR, partial(are_answers, right)))
    return questions


def own_batches(world: World) -> list[Question]:
    """A person's own session asks for 100 projects of the large organization."""
    projects = [str(crowd.identifier("project", number)) for number in world.size.projects_of(0)]
    questions = []
    for each in people.some_in_large(world):
        if crowd.role_of(each.turn) != "MEMBER" or crowd.has_override(each.turn):
            continue
        asked = [projects[(each.number + n) % len(projects)] for n in range(IN_BATCH)]
        request = access.BatchCheckAccessRequest(
            requests=[
                access.CheckAccessRequest(
                    organization_id=each.organization_id, project_id=project, permission=people.PERMISSION
                )
                for project in asked
            ]
        )
        questions.append(Question(request, each.bearer, partial(are_answers, [each.answer()] * IN_BATCH)))
    return questions


def validations(world: World) -> list[Question]:
    """The times in it move, so what is compared is whose session it is."""
    return [
        Question(
            ValidateSessionRequest(token=each.token),
            AS_OPERATOR,
            part=b"\x12\x24" + each.user_id.encode(),
        )
        for each in people.some(world)
    ]


def accessible_projects(world: World) -> list[Question]:
    """The first page of the large organization's."""
    first = [str(crowd.identifier("project", number)) for number in world.size.projects_of(0)[:PAGE]]

    def is_right(got: bytes) -> bool:
        answer = access.ListAccessibleProjectsResponse.FromString(got)
        return [each.project_id for each in answer.projects] == first and answer.next_page_token != ""

    return [
        Question(access.ListAccessibleProjectsRequest(page_size=PAGE), each.bearer, is_right)
        for each in people.some_in_large(world)
        if crowd.role_of(each.turn) != "GUEST"
    ]


def sign_ins(world: World) -> list[Question]:
    """Everybody from an address of their own, as from home."""
    return [
        Question(
            CreateSessionRequest(email=each.email, password=PASSWORD),
            {"x-forwarded-for": f"2001:db8:{n:x}::1"},
            part=b"\x12\x24" + each.user_id.encode(),
        )
        for n, each in enumerate(people.some(world), 1)
    ]


def new_projects(world: World) -> list[Question]:
    """The generator puts the number of the call into the slug."""
    return [
        Question(
            CreateProjectRequest(organization_id=each.organization_id, slug="made-{number}"),
            each.bearer,
            part=b"\x12\x24" + each.organization_id.encode(),
        )
        for each in people.owners(world)
    ]


CHECK = "/tenancy.v1.AccessService/CheckAccess"
BATCH = "/tenancy.v1.AccessService/BatchCheckAccess"
LIST = "/tenancy.v1.AccessService/ListAccessibleProjects"
PAIR = {"tenancy": "tenancy", "identity": "identity"}
NAIVE = {"tenancy": "naive tenancy", "identity": "naive identity"}
ALONE = {"identity": "identity"}
KINDS = [
    Kind("floor", "no-op RPC (the floor)", "floor", "/floor.v1.Floor/Nothing", nothing, {"tenancy": "floor"}),
    Kind("bare", "no-op RPC, one listener", "bare", "/floor.v1.Floor/Nothing", nothing, {"tenancy": "bare"}),
    Kind("check", "CheckAccess", "tenancy", CHECK, checks, PAIR),
    Kind("naive", "CheckAccess, BATCHING=off", "naive tenancy", CHECK, checks, NAIVE),
    Kind("validate", "ValidateSession", "identity", "/identity.v1.SessionService/ValidateSession", validations, ALONE),
    Kind("batch", "BatchCheckAccess, 100 sessions", "tenancy", BATCH, batches, PAIR, checks=IN_BATCH, in_flight=32),
    Kind(
        "own-batch", "BatchCheckAccess, 1 session", "tenancy", BATCH, own_batches, PAIR, checks=IN_BATCH, in_flight=32
    ),
    Kind("list", "ListAccessibleProjects, 50", "tenancy", LIST, accessible_projects, PAIR, in_flight=32),
    Kind(
        "sign-in",
        "CreateSession",
        "identity",
        "/identity.v1.SessionService/CreateSession",
        sign_ins,
        ALONE,
        in_flight=16,
    ),
    Kind(
        "create",
        "CreateProject",
        "tenancy",
        "/tenancy.v1.ProjectService/CreateProject",
        new_projects,
        PAIR,
        in_flight=16,
    ),
]


def is_answer(right: access.CheckAccessResponse, got: bytes) -> bool:
    answer = access.CheckAccessResponse.FromString(got)
    answer.reason = ""
    return answer == right


def are_answers(right: list[access.CheckAccessResponse], got: bytes) -> bool:
    results = access.BatchCheckAccessResponse.FromString(got).results
    for each in results:
        each.answer.reason = ""
    return [each.answer for each in results] == right
