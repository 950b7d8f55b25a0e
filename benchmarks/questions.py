"""Questions as the generator sends them: each is asked once beforehand, and its answer looked at as a message."""

import asyncio
import base64
from typing import Any

import grpc

from benchmarks.kinds import Kind, Question
from benchmarks.load import LoadFailed
from benchmarks.world import World

AT_ONCE = 16


def plan(world: World, kind: Kind) -> dict[str, Any]:
    """Of benchmarks/generator.py, but for how much and how long."""
    questions = kind.ask(world)
    holds = questions[0].part is not None
    answers = [each.part for each in questions] if holds else asyncio.run(asked(world, kind, questions))
    return {
        "address": world.addresses[kind.server],
        "method": kind.method,
        "holds": holds,
        "requests": [
            {"body": text(each.request.SerializeToString()), "headers": each.headers, "answer": text(answer or b"")}
            for each, answer in zip(questions, answers, strict=True)
        ],
    }


async def asked(world: World, kind: Kind, questions: list[Question]) -> list[bytes]:
    """The right answers; LoadFailed if one is not."""
    turns = asyncio.Semaphore(AT_ONCE)
    async with grpc.aio.insecure_channel(world.addresses[kind.server]) as channel:
        call: Any = channel.unary_unary(kind.method)

        async def ask(question: Question) -> bytes:
            async with turns:
                answer: bytes = await call(
                    question.request.SerializeToString(), metadata=tuple(question.headers.items()), timeout=10
                )
            if not question.is_right(answer):
                raise LoadFailed(f"{kind.label}: a wrong answer to {question.request}: {answer!r:.300}")
            return answer

        return await asyncio.gather(*map(ask, questions))


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()
