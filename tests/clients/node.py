"""Runs programs with the packages of docs/examples/node, as processes of their own."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "node"
HERE = Path(__file__).parent
SECONDS = 30.0


@dataclass
class Told:
    status: int
    lines: list[str]
    errors: str


@dataclass
class Program:
    """One under way; `line` is what it says next."""

    process: asyncio.subprocess.Process

    async def line(self) -> str:
        assert self.process.stdout is not None
        return (await asyncio.wait_for(self.process.stdout.readline(), SECONDS)).decode().rstrip("\n")

    async def ends(self, said: str = "") -> Told:
        """After it was told `said`."""
        out, errors = await asyncio.wait_for(self.process.communicate(said.encode()), SECONDS)
        assert self.process.returncode is not None
        return Told(self.process.returncode, out.decode().splitlines(), errors.decode())


@asynccontextmanager
async def running(program: Path, *arguments: str, **environment: str) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        "node",
        program,
        *arguments,
        env={"PATH": os.environ["PATH"], **environment},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def run(program: Path, *arguments: str, **environment: str) -> Told:
    async with running(program, *arguments, **environment) as started:
        return await started.ends()
