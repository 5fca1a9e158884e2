"""Runs through LangGraph's own client: of the no-op graph, and of a long conversation."""

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
from benchmarks.api.load import interleaved_latencies, throughput
from benchmarks.api.processes import resident_megabytes

BURST_CLIENTS = 100
WARM_UP = 5
"""Unmeasured runs per process at the start."""


async def run_speed(urls: Sequence[str], assistant: str, *, single: int, burst: int) -> dict[str, float]:
    """Latency of `single` sequential `runs.wait`, then throughput of `burst` by 100 clients.

    Each run has a new thread. Several processes get the runs in rotation.
    """
    async with AsyncExitStack() as stack:
        clients = itertools.cycle([await stack.enter_async_context(get_client(url=url)) for url in urls])

        async def start_and_wait() -> None:
            await _run(next(clients), assistant)

        await interleaved_latencies([start_and_wait], WARM_UP * len(urls))
        (seconds,) = await interleaved_latencies([start_and_wait], single)
        await throughput(start_and_wait, BURST_CLIENTS, BURST_CLIENTS)  # opens the clients' connections
        rate = await throughput(start_and_wait, BURST_CLIENTS, burst)
    return {
        "runs.wait p50 ms": float(np.percentile(seconds, 50) * 1000),
        "runs.wait p95 ms": float(np.percentile(seconds, 95) * 1000),
        "runs a second": rate,
    }


async def memory_growth(url: str, pid: int, *, count: int) -> dict[str, float]:
    """Growth of an api process's memory over `count` runs, in MB."""
    before = resident_megabytes(pid)
    async with get_client(url=url) as sdk:
        await throughput(partial(_run, sdk, noop.NAME), CLIENTS, count)
    return {"memory growth MB, runs": resident_megabytes(pid) - before}


async def long_conversation(url: str, checkpoints: Path, *, turns: int) -> dict[str, float]:
    """Time and checkpoint bytes per turn of a long conversation, read from the SQLite file `checkpoints`."""
    figures: dict[str, float] = {}
    async with get_client(url=url) as sdk:
        thread = (await sdk.threads.create())["thread_id"]
        question: Any = {"messages": QUESTION}
        stored = [_stored_bytes(checkpoints, thread)]
        seconds = []
        for _ in range(turns):
            started = time.perf_counter()
            await sdk.runs.wait(thread, "chat", input=question)
            seconds.append(time.perf_counter() - started)
            stored.append(_stored_bytes(checkpoints, thread))
    added = np.diff(stored)
    figures["chat turn on a thread p50 ms"] = float(np.percentile(seconds, 50) * 1000)
    figures["checkpoint bytes of turn 10"] = float(added[9])
    figures[f"checkpoint bytes of turn {turns}"] = float(added[-1])
    figures["bytes of turn 100 over turn 10"] = float(added[-1] / added[9])
    return figures


async def _run(sdk: Any, assistant: str) -> None:
    thread = await sdk.threads.create()
    await sdk.runs.wait(thread["thread_id"], assistant, input={"value": "unused"})


def _stored_bytes(path: Path, thread: str) -> int:
    """Bytes of checkpoints, writes and messages of a thread."""
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
