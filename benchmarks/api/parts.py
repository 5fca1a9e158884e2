"""Where a turn's time goes: the same turn in one process, with one part after the other left out.

    python -m benchmarks.api.parts QUESTION TIMES      (settings as for `nightschool api`; prints JSON)

What HTTP adds is not among them; it is the rest of what the service takes.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from langchain_core.messages import BaseMessage, HumanMessage

from agent.engines.base import GREEDY, Engine, Reply, Sampling, Token
from agent.settings import read_settings
from api.compose import open_service
from graphs.chat import chat, initial_state
from graphs.state import Runtime
from memory.feedback.interactions import InteractionLog
from memory.records.interactions import Interaction

WARM = 20


class _Answered:
    """An engine that has its answer ready."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    async def chat(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> Reply:
        return self._reply

    async def stream(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> AsyncGenerator[Token | Reply, None]:
        yield self._reply


class _Forgetful:
    """An interaction log that keeps nothing."""

    async def save(self, interaction: Interaction) -> None:
        pass


async def parts(question: str, times: int) -> dict[str, float]:
    """Milliseconds of this process's CPU time that the parts of a turn take, by the settings."""
    async with open_service(read_settings()) as service:
        start = initial_state([HumanMessage(question)], requested=service.runtime.base_name)
        reply = await service.runtime.engine.chat(start["messages"])
        answered = replace(service.runtime, engine=cast(Engine, _Answered(reply)))
        alone = replace(answered, interactions=cast(InteractionLog, _Forgetful()))

        def turn(runtime: Runtime) -> Callable[[], Awaitable[Any]]:
            return lambda: chat(service.chat, runtime, start)

        all_of_it = await _milliseconds(turn(service.runtime), times)
        without_engine = await _milliseconds(turn(answered), times)
        graph = await _milliseconds(turn(alone), times)
    return {
        "CPU ms of a turn in the process": all_of_it,
        "of it: asking the engine and reading its answer": all_of_it - without_engine,
        "of it: keeping the interaction": without_engine - graph,
        "of it: LangGraph and our steps": graph,
    }


async def _milliseconds(ask: Callable[[], Awaitable[Any]], times: int) -> float:
    for _ in range(WARM):
        await ask()
    started = time.process_time()
    for _ in range(times):
        await ask()
    return (time.process_time() - started) / times * 1000


if __name__ == "__main__":
    print(json.dumps(asyncio.run(parts(sys.argv[1], int(sys.argv[2])))))
