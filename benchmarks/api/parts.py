"""CPU time of the parts of a chat turn, measured in-process by leaving out one part after the other.

    python -m benchmarks.api.parts QUESTION TIMES      (settings as for `nightschool api`; prints JSON)

HTTP is not included; it accounts for the rest of the service's time.
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

WARM_UP = 20
"""Unmeasured turns at the start."""


class _ReadyEngine:
    """An engine with a ready-made reply."""

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


class _NoLog:
    """An interaction log that keeps nothing."""

    async def save(self, interaction: Interaction) -> None:
        pass


async def parts(question: str, times: int) -> dict[str, float]:
    """CPU milliseconds per turn in this process, in total and by part."""
    async with open_service(read_settings()) as service:
        start = initial_state([HumanMessage(question)], requested=service.runtime.base_name)
        reply = await service.runtime.engine.chat(start["messages"])
        ready = replace(service.runtime, engine=cast(Engine, _ReadyEngine(reply)))
        unlogged = replace(ready, interactions=cast(InteractionLog, _NoLog()))

        def turn(runtime: Runtime) -> Callable[[], Awaitable[Any]]:
            return lambda: chat(service.chat, runtime, start)

        total = await _cpu_milliseconds(turn(service.runtime), times)
        without_engine = await _cpu_milliseconds(turn(ready), times)
        without_log = await _cpu_milliseconds(turn(unlogged), times)
    return {
        "CPU ms of a turn in the process": total,
        "of it: asking the engine and reading its answer": total - without_engine,
        "of it: keeping the interaction": without_engine - without_log,
        "of it: LangGraph and our steps": without_log,
    }


async def _cpu_milliseconds(turn: Callable[[], Awaitable[Any]], times: int) -> float:
    for _ in range(WARM_UP):
        await turn()
    started = time.process_time()
    for _ in range(times):
        await turn()
    return (time.process_time() - started) / times * 1000


if __name__ == "__main__":
    print(json.dumps(asyncio.run(parts(sys.argv[1], int(sys.argv[2])))))
