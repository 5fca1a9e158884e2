"""Chat completions measured: what the api adds to an engine, and how much of its throughput is left."""

import asyncio
import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import ClientSession

from agent.engines.vllm.server import fast_dtype, serve_command, serve_environment
from agent.models.store import AddedModel
from benchmarks.api.load import Ask, in_turn, together
from benchmarks.api.processes import free_port, resident_megabytes, running, service

QUESTION = [{"role": "user", "content": "What is a library?"}]
"""Short, so that most of the time goes into what is measured. The stub answers it confidently, as most models
do."""
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
ROUNDS = 3
PATH = "/v1/chat/completions"


async def latency_and_memory(
    upstream: str, url: str, pid: int, *, single: int, many: int, growth: int
) -> dict[str, float]:
    """What one api process adds to an engine that answers at once, and how its memory grows.

    `single` requests one by one, `many` by 32 clients, `growth` requests for the memory.
    """
    figures: dict[str, float] = {}
    async with ClientSession(upstream) as direct, ClientSession(url) as through:
        for streamed in (False, True):
            asks = [completion(direct, DIRECT, streamed), completion(through, THROUGH, streamed)]
            await in_turn(asks, 20)
            alone, ours = (np.percentile(took, (50, 95)) * 1000 for took in await in_turn(asks, single))
            suffix = ", streamed" if streamed else ""
            for which, without, added in zip((50, 95), alone, ours - alone, strict=True):
                figures[f"direct p{which} ms{suffix}"] = float(without)
                figures[f"added p{which} ms{suffix}"] = float(added)
            figures[f"requests a second, stub{suffix}"] = await together(asks[1], CLIENTS, many)
            figures[f"requests a second, stub alone{suffix}"] = await together(asks[0], CLIENTS, many)
        before = resident_megabytes(pid)
        await together(completion(through, THROUGH, False), CLIENTS, growth)
        figures["memory growth MB, chats"] = resident_megabytes(pid) - before
        figures["memory MB"] = resident_megabytes(pid)
    return figures


async def rate(urls: Sequence[str], total: int) -> float:
    """Completions per second of several api processes together, to which the clients turn in rotation."""
    sessions = [ClientSession(url) for url in urls]
    try:
        asks = itertools.cycle([completion(session, THROUGH, False) for session in sessions])

        async def ask() -> None:
            await next(asks)()

        await together(ask, CLIENTS, CLIENTS * len(urls))
        return await together(ask, CLIENTS, total)
    finally:
        for session in sessions:
            await session.close()


def share_of_vllm(home: Path, model: AddedModel, requests: int) -> dict[str, float]:
    """Throughput of vLLM at 32 clients, directly and through one api process."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command, env = serving(model, port)
    home.mkdir(parents=True, exist_ok=True)
    with (
        running(command, home / "engine.log", ready=f"{url}/health", env=env),
        service(home / "service", url) as (ours, _),
    ):
        return asyncio.run(_share(url, ours, requests))


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


def completion(http: ClientSession, body: dict[str, Any], streamed: bool) -> Ask:
    """A request for a completion, whose reply is read to its end."""
    request = body | ({"stream": True} if streamed else {})

    async def ask() -> None:
        async with http.post(PATH, json=request) as reply:
            reply.raise_for_status()
            await reply.read()

    return ask


async def _share(url: str, ours: str, requests: int) -> dict[str, float]:
    async with ClientSession(url) as direct, ClientSession(ours) as through:
        alone, with_us = completion(direct, DIRECT, False), completion(through, THROUGH, False)
        rates: dict[str, list[float]] = {"alone": [], "through": []}
        await together(with_us, CLIENTS, CLIENTS)
        for _ in range(ROUNDS):  # in turns, so that both see the same machine
            rates["alone"].append(await together(alone, CLIENTS, requests))
            rates["through"].append(await together(with_us, CLIENTS, requests))
    figures = {f"requests a second, vLLM {name}": float(np.median(values)) for name, values in rates.items()}
    share = figures["requests a second, vLLM through"] / figures["requests a second, vLLM alone"]
    return figures | {"share of vLLM's own throughput": share}
