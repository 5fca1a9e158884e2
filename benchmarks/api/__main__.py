"""Benchmark of the api: what it adds to an engine, what a run costs, and what grows.

Everything is measured in one run on one machine, beside a direct call or another server.
"""

import argparse
import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import ClientSession
from langgraph_sdk import get_client

from agent.engines.vllm.server import fast_dtype, serve_command, serve_environment
from agent.models.store import AddedModel, resolve_model
from agent.settings import read_settings
from benchmarks.api import noop, official
from benchmarks.api.load import Ask, in_turn, together
from benchmarks.api.processes import free_port, resident_megabytes, running, service, settings
from memory.results import FOLDER, Goal, Result, Table, rows, write

QUESTION = [{"role": "user", "content": "What is a library?"}]
"""Short, so that most of the time goes into what is measured. The stub answers it surely, as most are."""
DIRECT = {
    "model": "nightschool",
    "messages": QUESTION,
    "max_tokens": 16,
    "temperature": 0.0,
    "seed": 0,
    "logprobs": True,
    "top_logprobs": 20,
}
THROUGH = {"model": "nightschool", "messages": QUESTION, "max_tokens": 16}
CLIENTS = 32
AT_ONCE = 100
PATH = "/v1/chat/completions"
GOALS = {
    "added p50 ms": Goal(at="<=", bound=10),
    "added p95 ms": Goal(at="<=", bound=30),
    "added p50 ms, streamed": Goal(at="<=", bound=10),
    "added p95 ms, streamed": Goal(at="<=", bound=30),
    "requests a second, stub": Goal(at=">=", bound=300),
    "share of vLLM's own throughput": Goal(at=">=", bound=0.95),
    "official p50 over ours": Goal(at=">=", bound=20),
    "our runs a second over official": Goal(at=">=", bound=5),
    "memory growth MB, chats": Goal(at="<=", bound=20),
    "memory growth MB, runs": Goal(at="<=", bound=20),
    "bytes of turn 100 over turn 10": Goal(at="<=", bound=1.1),
}


class Scale:
    """How much one run of the benchmark does."""

    def __init__(self, quick: bool) -> None:
        self.single = 50 if quick else 300
        self.many = 400 if quick else 3000
        self.vllm = 64 if quick else 400
        self.runs = 20 if quick else 100
        self.burst = 100 if quick else 400
        self.chats = 1000 if quick else 20_000
        self.threads = 100 if quick else 2000
        self.turns = 30 if quick else 100


def main() -> int:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.api", description="Measures what the api adds."
    )
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of it, without vLLM and without LangGraph's"
    )
    parser.add_argument("--out", type=Path, default=FOLDER, help=f"folder of the results (default: {FOLDER})")
    options = parser.parse_args()
    model = resolve_model(read_settings())
    started = time.monotonic()
    figures: dict[str, float] = {}
    scale = Scale(options.quick)
    with tempfile.TemporaryDirectory(prefix="nightschool-bench-") as name:
        home = Path(name)
        port = free_port()
        stub = [sys.executable, "-m", "benchmarks.api.upstream", str(port), str(model.folder)]
        upstream = f"http://127.0.0.1:{port}"
        with running(stub, home / "stub.log", ready=f"{upstream}/v1/models"):
            say("chats over an engine that answers at once")
            with service(home / "chats", upstream) as (url, pid):
                figures |= asyncio.run(chats(upstream, url, pid, scale))
            say("where their time goes")
            figures |= dissected(home / "parts", upstream, scale)
            say("runs of a graph that does nothing, and a long conversation")
            with service(home / "runs", upstream, ("benchmarks.api.noop",)) as (url, pid):
                figures |= asyncio.run(runs(url, pid, scale))
                figures |= asyncio.run(turns(url, home / "runs" / "checkpoints.db", scale))
        if not options.quick:
            say("chats over vLLM")
            figures |= engine(home, model, scale)
            say("the same runs in LangGraph's own server")
            figures |= official.compared(home, partial(waits, scale=scale), figures)
    name = "api-quick" if options.quick else "api"
    command = "make bench-api" + (" QUICK=1" if options.quick else "")
    result = told(name, command, time.monotonic() - started, figures, model=model.name)
    write(result, options.out)
    print((options.out / f"{name}.md").read_text(encoding="utf-8"))
    return 0


def say(what: str) -> None:
    """Shows what is measured next."""
    print(f"measuring {what}", flush=True)


def dissected(home: Path, upstream: str, scale: Scale) -> dict[str, float]:
    """What the parts of a turn take, in a process of their own."""
    env = settings(home, upstream)
    command = [sys.executable, "-m", "benchmarks.api.parts", QUESTION[0]["content"], str(scale.single)]
    with running([sys.executable, "-m", "api.cli.main", "graph"], home / "graph.log", env=env):
        done = subprocess.run(command, env=os.environ | env, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


async def chats(upstream: str, url: str, pid: int, scale: Scale) -> dict[str, float]:
    """What stands between a client and an engine that answers at once; then memory."""
    figures: dict[str, float] = {}
    async with ClientSession(upstream) as direct, ClientSession(url) as through:
        for streamed in (False, True):
            asks = [whole(direct, DIRECT, streamed), whole(through, THROUGH, streamed)]
            await in_turn(asks, 20)
            ours = [np.percentile(took, (50, 95)) * 1000 for took in await in_turn(asks, scale.single)]
            suffix = ", streamed" if streamed else ""
            for which, alone, added in zip((50, 95), ours[0], ours[1] - ours[0], strict=True):
                figures[f"direct p{which} ms{suffix}"] = float(alone)
                figures[f"added p{which} ms{suffix}"] = float(added)
            figures[f"requests a second, stub{suffix}"] = await together(asks[1], CLIENTS, scale.many)
            figures[f"requests a second, stub alone{suffix}"] = await together(asks[0], CLIENTS, scale.many)
        before = resident_megabytes(pid)
        await together(whole(through, THROUGH, False), CLIENTS, scale.chats)
        figures["memory growth MB, chats"] = resident_megabytes(pid) - before
        figures["memory MB"] = resident_megabytes(pid)
    return figures


async def runs(url: str, pid: int, scale: Scale) -> dict[str, float]:
    """What a run of a graph that does nothing costs with us."""
    figures = {f"our {name}": figure for name, figure in (await waits(url, noop.NAME, scale=scale)).items()}
    before = resident_megabytes(pid)
    async with get_client(url=url) as sdk:
        await together(partial(_run, sdk, noop.NAME), CLIENTS, scale.threads)
    figures["memory growth MB, runs"] = resident_megabytes(pid) - before
    return figures


async def waits(url: str, assistant: str, *, scale: Scale) -> dict[str, float]:
    """`runs.wait` of LangGraph's own client, each on a new thread: one by one, and many at once."""
    async with get_client(url=url) as sdk:
        ask = partial(_run, sdk, assistant)
        await in_turn([ask], 5)
        (took,) = await in_turn([ask], scale.runs)
        rate = await together(ask, AT_ONCE, scale.burst)
    return {
        "runs.wait p50 ms": float(np.percentile(took, 50) * 1000),
        "runs.wait p95 ms": float(np.percentile(took, 95) * 1000),
        "runs a second": rate,
    }


async def turns(url: str, checkpoints: Path, scale: Scale) -> dict[str, float]:
    """How many bytes of checkpoints one turn of a long conversation leaves."""
    figures: dict[str, float] = {}
    async with get_client(url=url) as sdk:
        thread = (await sdk.threads.create())["thread_id"]
        asked: Any = {"messages": QUESTION}
        kept = [_bytes(checkpoints, thread)]
        took = []
        for _ in range(scale.turns):
            started = time.perf_counter()
            await sdk.runs.wait(thread, "chat", input=asked)
            took.append(time.perf_counter() - started)
            kept.append(_bytes(checkpoints, thread))
    left = np.diff(kept)
    figures["chat turn on a thread p50 ms"] = float(np.percentile(took, 50) * 1000)
    figures["checkpoint bytes of turn 10"] = float(left[9])
    figures[f"checkpoint bytes of turn {scale.turns}"] = float(left[-1])
    figures["bytes of turn 100 over turn 10"] = float(left[-1] / left[9])
    return figures


def engine(home: Path, model: AddedModel, scale: Scale) -> dict[str, float]:
    """Throughput towards vLLM itself, with and without us."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command, env = serving(model, port)
    with (
        running(command, home / "engine.log", ready=f"{url}/health", env=env),
        service(home / "engine", url) as (ours, _),
    ):
        return asyncio.run(_shared(url, ours, scale))


def serving(model: AddedModel, port: int) -> tuple[list[str], dict[str, str]]:
    """The command that serves the model as `nightschool up` does on a CPU, and its environment."""
    card, folder = model.card, str(model.folder)
    command = serve_command(
        folder,
        port,
        context=card.context,
        dtype=fast_dtype(card.dtype, gpu=False),
        modules=card.lessons.modules,
        tool_parser=card.template.tool_parser,
    )
    return command, serve_environment(folder, context=card.context, cores=len(os.sched_getaffinity(0)))


async def _shared(url: str, ours: str, scale: Scale) -> dict[str, float]:
    async with ClientSession(url) as direct, ClientSession(ours) as through:
        alone, with_us = whole(direct, DIRECT, False), whole(through, THROUGH, False)
        rates: dict[str, list[float]] = {"alone": [], "through": []}
        await together(with_us, CLIENTS, CLIENTS)
        for _ in range(3):  # by turns, so that both see the same machine
            rates["alone"].append(await together(alone, CLIENTS, scale.vllm))
            rates["through"].append(await together(with_us, CLIENTS, scale.vllm))
    figures = {f"requests a second, vLLM {name}": float(np.median(found)) for name, found in rates.items()}
    share = figures["requests a second, vLLM through"] / figures["requests a second, vLLM alone"]
    return figures | {"share of vLLM's own throughput": share}


def whole(http: ClientSession, body: dict[str, Any], streamed: bool) -> Ask:
    """Asks and reads the reply to its end."""
    asked = body | ({"stream": True} if streamed else {})

    async def ask() -> None:
        async with http.post(PATH, json=asked) as reply:
            reply.raise_for_status()
            await reply.read()

    return ask


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


def told(name: str, command: str, seconds: float, figures: dict[str, float], *, model: str) -> Result:
    """The result with its goals and all figures."""
    measured = Table(
        title="All figures",
        text="`alone`: the engine asked directly, with the same prompt; `added`: what we take on top of it."
        f" The model is {model}.",
        head=("figure", "measured"),
        rows=rows(list(figures.items())),
    )
    return Result(
        name=name,
        title="What the api adds",
        command=command,
        seconds=seconds,
        figures=figures,
        goals=GOALS if name == "api" else {key: GOALS[key] for key in GOALS if key in figures},
        tables=(measured,),
    )


if __name__ == "__main__":
    sys.exit(main())
