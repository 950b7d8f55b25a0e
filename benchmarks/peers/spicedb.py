"""SpiceDB in a process of its own: it is a library here, so who asks it sits in the same process, in threads.

Reads lines of JSON from stdin. The first is {"schema", "relationships", "checks", "pages"} and is answered "ready".
Each that follows is {"kind": "checks" or "pages", "consistency": "fully_consistent" or "minimize_latency"}, answered
with what is allowed; with "in_flight" and "seconds" too it measures as benchmarks.generator does: it warms up, writes
"warm", waits for a line and writes the result. A wrong or failed answer ends it.
"""

import gc
import json
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from authzed.api.v1 import (
    CheckBulkPermissionsRequest,
    CheckBulkPermissionsRequestItem,
    CheckBulkPermissionsResponse,
    CheckPermissionRequest,
    CheckPermissionResponse,
    Consistency,
    ObjectReference,
    Relationship,
    RelationshipUpdate,
    SubjectReference,
    WriteRelationshipsRequest,
)
from spicedb_embedded import EmbeddedSpiceDB, ffi

AT_ONCE = 1000  # relationships that SpiceDB takes in one call
HAS_PERMISSION = CheckPermissionResponse.PERMISSIONSHIP_HAS_PERMISSION


class Peer:
    """The running server, and the requests by kind and consistency, each with what its answer must end with."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._server = EmbeddedSpiceDB.start(given["schema"])
        updates = [touch(*each) for each in given["relationships"]]
        for n in range(0, len(updates), AT_ONCE):
            self._server.permissions().WriteRelationships(
                WriteRelationshipsRequest(updates=updates[n : n + AT_ONCE]),
            )
        self._given = given
        self._endings: dict[tuple[str, str], list[bytes]] = {}

    def answers(self, plan: dict[str, Any]) -> list[Any]:
        call, requests = self._call(plan["kind"]), self._requests(plan)
        with ThreadPoolExecutor(32) as pool:
            found = [*pool.map(call, requests)]
        self._endings[plan["kind"], plan["consistency"]] = [ending(each) for each in found]
        if plan["kind"] == "checks":
            return [CheckPermissionResponse.FromString(each).permissionship == HAS_PERMISSION for each in found]
        pages = [CheckBulkPermissionsResponse.FromString(each).pairs for each in found]
        return [[pair.item.permissionship == HAS_PERMISSION for pair in pairs] for pairs in pages]

    def measure(self, plan: dict[str, Any]) -> dict[str, float]:
        call, in_flight = self._call(plan["kind"]), plan["in_flight"]
        work = [*zip(self._requests(plan), self._endings[plan["kind"], plan["consistency"]], strict=True)]
        latencies: list[list[float]] = []
        wrong: list[object] = []

        def caller(at: int, end: float, mine: list[float]) -> None:
            began = time.perf_counter()
            while began < end and not wrong:
                request, right = work[at]
                try:
                    answer = call(request)
                except Exception as error:  # a thread's error would end that thread alone
                    wrong.append(error)
                    break
                now = time.perf_counter()
                mine.append(now - began)
                if ending(answer) != right:
                    wrong.append(answer)
                began, at = now, (at + 1) % len(work)

        def run(seconds: float) -> float:
            latencies[:] = [[] for _ in range(in_flight)]
            began = time.perf_counter()
            starts = [n * len(work) // in_flight for n in range(in_flight)]
            threads = [
                threading.Thread(target=caller, args=(at, began + seconds, mine))
                for at, mine in zip(starts, latencies, strict=True)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return time.perf_counter() - began

        run(1.0)
        print("warm", flush=True)
        sys.stdin.readline()
        took = run(plan["seconds"])
        if wrong:
            sys.exit(f"SpiceDB: a wrong or failed answer: {wrong[0]!r:.300}")
        ascending = sorted(each for mine in latencies for each in mine)
        return {
            "calls": len(ascending),
            "seconds": took,
            "p50": ascending[len(ascending) // 2],
            "p99": ascending[int(len(ascending) * 0.99)],
        }

    def _call(self, kind: str) -> Callable[[bytes], bytes]:
        handle = self._server._handle
        if kind == "checks":
            return lambda request: ffi.spicedb_permissions_check_permission(handle, request)
        return lambda request: ffi.spicedb_permissions_check_bulk_permissions(handle, request)

    def _requests(self, plan: dict[str, Any]) -> list[bytes]:
        consistency = Consistency(**{plan["consistency"]: True})
        if plan["kind"] == "checks":
            return [
                CheckPermissionRequest(consistency=consistency, **parts(*each)).SerializeToString()
                for each in self._given["checks"]
            ]
        return [
            CheckBulkPermissionsRequest(
                consistency=consistency, items=[CheckBulkPermissionsRequestItem(**parts(*each)) for each in page]
            ).SerializeToString()
            for page in self._given["pages"]
        ]


def parts(kind: str, resource_id: str, permission: str, user_id: str) -> dict[str, Any]:
    return {"resource": reference(kind, resource_id), "permission": permission, "subject": subject("user", user_id)}


def touch(kind: str, resource_id: str, relation: str, subject_kind: str, subject_id: str) -> RelationshipUpdate:
    return RelationshipUpdate(
        operation=RelationshipUpdate.OPERATION_TOUCH,
        relationship=Relationship(
            resource=reference(kind, resource_id), relation=relation, subject=subject(subject_kind, subject_id)
        ),
    )


def reference(kind: str, object_id: str) -> ObjectReference:
    return ObjectReference(object_type=kind, object_id=object_id)


def subject(kind: str, object_id: str) -> SubjectReference:
    return SubjectReference(object=reference(kind, object_id))


def ending(answer: bytes) -> bytes:
    """What follows the first field, checked_at, which differs from answer to answer."""
    return answer[2 + answer[1] :]


def main() -> None:
    peer = Peer(json.loads(sys.stdin.readline()))
    gc.freeze()
    print("ready", flush=True)
    for line in iter(sys.stdin.readline, ""):
        plan = json.loads(line)
        print(json.dumps(peer.measure(plan) if "in_flight" in plan else peer.answers(plan)), flush=True)


if __name__ == "__main__":
    main()
