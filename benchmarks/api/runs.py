"""Runs measured with LangGraph's own client: of a graph that does nothing, and of a long conversation."""

import itertools
import sqlite3
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from langgraph_sdk import get_client

from benchmarks.api import noop
from benchmarks.api.chats import CLIENTS, QUESTION
from benchmarks.api.load import in_turn, together
from benchmarks.api.processes import resident_megabytes

AT_ONCE = 100


async def waits(urls: Sequence[str], assistant: str, *, single: int, burst: int) -> dict[str, float]:
    """`runs.wait`, each on a new thread: `single` one by one, then `burst` by 100 clients at once.

    Of several processes, the clients turn to each in rotation.
    """
    async with AsyncExitStack() as stack:
        clients = itertools.cycle([await stack.enter_async_context(get_client(url=url)) for url in urls])

        async def ask() -> None:
            await _run(next(clients), assistant)

        await in_turn([ask], 5 * len(urls))
        (took,) = await in_turn([ask], single)
        await together(ask, AT_ONCE, AT_ONCE)  # opens the clients' connections
        rate = await together(ask, AT_ONCE, burst)
    return {
        "runs.wait p50 ms": float(np.percentile(took, 50) * 1000),
        "runs.wait p95 ms": float(np.percentile(took, 95) * 1000),
        "runs a second": rate,
    }


async def memory_growth(url: str, pid: int, *, count: int) -> dict[str, float]:
    """How the memory of an api process grows by so many runs."""
    before = resident_megabytes(pid)
    async with get_client(url=url) as sdk:
        await together(partial(_run, sdk, noop.NAME), CLIENTS, count)
    return {"memory growth MB, runs": resident_megabytes(pid) - before}


async def long_conversation(url: str, checkpoints: Path, *, turns: int) -> dict[str, float]:
    """How many bytes of checkpoints one turn of a long conversation leaves in the SQLite file."""
    figures: dict[str, float] = {}
    async with get_client(url=url) as sdk:
        thread = (await sdk.threads.create())["thread_id"]
        question: Any = {"messages": QUESTION}
        stored = [_bytes(checkpoints, thread)]
        took = []
        for _ in range(turns):
            started = time.perf_counter()
            await sdk.runs.wait(thread, "chat", input=question)
            took.append(time.perf_counter() - started)
            stored.append(_bytes(checkpoints, thread))
    added = np.diff(stored)
    figures["chat turn on a thread p50 ms"] = float(np.percentile(took, 50) * 1000)
    figures["checkpoint bytes of turn 10"] = float(added[9])
    figures[f"checkpoint bytes of turn {turns}"] = float(added[-1])
    figures["bytes of turn 100 over turn 10"] = float(added[-1] / added[9])
    return figures


async def _run(sdk: Any, assistant: str) -> None:
    thread = await sdk.threads.create()
    await sdk.runs.wait(thread["thread_id"], assistant, input={"said": "nothing"})


def _bytes(path: Path, thread: str) -> int:
    with sqlite3.connect(path) as database:
        (checkpoints,) = database.execute(
            "SELECT coalesce(sum(length(checkpoint)), 0) FROM checkpoints WHERE thread_id = ?", (thread,)
        ).fetchone()
        (writes,) = database.execute(
            "SELECT coalesce(sum(length(value)), 0) FROM writes WHERE thread_id = ?", (thread,)
        ).fetchone()
        (messages,) = database.execute(
            "SELECT coalesce(sum(length(message)), 0) FROM message_links WHERE thread_id = ?", (thread,)
        ).fetchone()
    return int(checkpoints) + int(writes) + int(messages)
