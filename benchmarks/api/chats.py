"""Chat completions: the latency that the api adds to an engine, and the throughput that remains."""

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
from benchmarks.api.load import Request, interleaved_latencies, throughput
from benchmarks.api.processes import free_port, resident_megabytes, running, service

QUESTION = [{"role": "user", "content": "What is a library?"}]
"""Short, to keep the model's share of the time small. The stub answers it confidently, as most models do."""
DIRECT_BODY = {
    "model": "nightschool",
    "messages": QUESTION,
    "max_tokens": 16,
    "temperature": 0.0,
    "seed": 0,
    "logprobs": True,
    "top_logprobs": 20,
}
"""The request that the api sends to the engine."""
API_BODY = {"model": "nightschool", "messages": QUESTION, "max_tokens": 16}
TURNS = {
    "": "Write one sentence about libraries.",
    ", unsure question": "What is a library?",
}
"""Prompts for the throughput with a model, by the suffix of their figures.

The first is conversation, and takes one model call with the api as without it. The second is a question that
the default model is unsure of: the api then looks for sources and asks it in other words, which takes up to
four model calls.
"""
CLIENTS = 32
ROUNDS = 3
WARM_UP = 20
"""Unmeasured requests at the start."""
PATH = "/v1/chat/completions"


async def latency_and_memory(
    upstream: str, url: str, pid: int, *, single: int, many: int, growth: int
) -> dict[str, float]:
    """What one api process adds to the stub engine, and how its memory grows.

    Sends `single` sequential requests, `many` requests by 32 clients, and `growth` requests between the two
    memory readings.
    """
    figures: dict[str, float] = {}
    async with ClientSession(upstream) as engine, ClientSession(url) as api:
        for streamed in (False, True):
            direct, through_api = (
                completion(engine, DIRECT_BODY, streamed),
                completion(api, API_BODY, streamed),
            )
            await interleaved_latencies([direct, through_api], WARM_UP)
            direct_ms, api_ms = (
                np.percentile(seconds, (50, 95)) * 1000
                for seconds in await interleaved_latencies([direct, through_api], single)
            )
            suffix = ", streamed" if streamed else ""
            for percentile, without, added in zip((50, 95), direct_ms, api_ms - direct_ms, strict=True):
                figures[f"direct p{percentile} ms{suffix}"] = float(without)
                figures[f"added p{percentile} ms{suffix}"] = float(added)
            figures[f"requests a second, stub{suffix}"] = await throughput(through_api, CLIENTS, many)
            figures[f"requests a second, stub alone{suffix}"] = await throughput(direct, CLIENTS, many)
        before = resident_megabytes(pid)
        await throughput(completion(api, API_BODY, False), CLIENTS, growth)
        figures["memory growth MB, chats"] = resident_megabytes(pid) - before
        figures["memory MB"] = resident_megabytes(pid)
    return figures


async def rate(urls: Sequence[str], total: int) -> float:
    """Completions per second of several api processes, which get the requests in rotation."""
    sessions = [ClientSession(url) for url in urls]
    try:
        rotation = itertools.cycle([completion(session, API_BODY, False) for session in sessions])

        async def send() -> None:
            await next(rotation)()

        await throughput(send, CLIENTS, CLIENTS * len(urls))
        return await throughput(send, CLIENTS, total)
    finally:
        for session in sessions:
            await session.close()


def share_of_vllm(home: Path, model: AddedModel, requests: int) -> dict[str, float]:
    """Throughput of vLLM with 32 clients, directly and through one api process."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command, env = serving(model, port)
    home.mkdir(parents=True, exist_ok=True)
    with (
        running(command, home / "engine.log", ready=f"{url}/health", env=env),
        service(home / "service", url) as (api_url, _),
    ):
        return asyncio.run(_share_of_vllm(url, api_url, requests))


def serving(model: AddedModel, port: int) -> tuple[list[str], dict[str, str]]:
    """The command that `nightschool up` serves the model with on a CPU, and its environment."""
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


def completion(http: ClientSession, body: dict[str, Any], streamed: bool) -> Request:
    """A request for a chat completion."""
    sent = body | ({"stream": True} if streamed else {})

    async def send() -> None:
        async with http.post(PATH, json=sent) as reply:
            reply.raise_for_status()
            await reply.read()

    return send


async def _share_of_vllm(url: str, api_url: str, requests: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    async with ClientSession(url) as direct, ClientSession(api_url) as api:
        for suffix, prompt in TURNS.items():
            messages = [{"role": "user", "content": prompt}]
            ask_vllm = completion(direct, DIRECT_BODY | {"messages": messages}, False)
            ask_api = completion(api, API_BODY | {"messages": messages}, False)
            rates: dict[str, list[float]] = {"alone": [], "through": []}
            await throughput(ask_api, CLIENTS, CLIENTS)
            for _ in range(ROUNDS):  # alternating, so that conditions are equal
                rates["alone"].append(await throughput(ask_vllm, CLIENTS, requests))
                rates["through"].append(await throughput(ask_api, CLIENTS, requests))
            alone, through = (float(np.median(values)) for values in rates.values())
            figures[f"requests a second, vLLM alone{suffix}"] = alone
            figures[f"requests a second, vLLM through{suffix}"] = through
            figures[f"share of vLLM's own throughput{suffix}"] = through / alone
    return figures
