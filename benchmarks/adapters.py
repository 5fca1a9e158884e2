"""Overhead of LoRA adapters in vLLM on a CPU: `python -m benchmarks.adapters`.

Serves the default model like `nightschool up`, and requests answers of fixed length with 1, 8 and 32 clients:
from the base model, from one adapter, from two adapters alternately, and from an adapter and the base model
alternately. The adapters have random weights, and the shapes that the product trains.
"""

import argparse
import asyncio
import itertools
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple

import aiohttp
import httpx
import psutil  # type: ignore[import-untyped]  # ships no types
import torch
from peft import get_peft_model
from transformers import AutoModelForCausalLM

from agent.engines.vllm.engine import VllmEngine
from agent.engines.vllm.server import fast_dtype, serve_command, serve_environment
from agent.models.store import AddedModel, resolve_model
from agent.settings import read_settings
from benchmarks.api.load import throughput
from benchmarks.api.processes import free_port, running
from memory.results import FOLDER, Goal, Result, Table, rows, write
from training.backends.peft import lora_config
from training.recipes import standard

BASE = "nightschool"
ADAPTERS = ("bench-v1-00000001", "bench-v2-00000002")
ARMS: dict[str, tuple[str, ...]] = {
    "no adapter": (BASE,),
    "one adapter": (ADAPTERS[0],),
    "two adapters": ADAPTERS,
    "adapter and base": (ADAPTERS[0], BASE),
}
"""Model names that the requests use in rotation."""
CLIENTS = {1: 2, 8: 8, 32: 32}
"""Number of concurrent clients, and of answers per measurement."""
TOKENS = 64
REPEATS = 5
START_SECONDS = 600
"""Starting takes 40 seconds, but much longer on a busy machine."""
B_SCALE = 0.02
"""Scale of the random B matrices; larger ones would make the model unusable."""
WORDS = ("lamp", "river", "copper", "winter", "signal", "garden", "engine", "letter", "harbour", "violin")
GOALS = {
    f"overhead, {arm}, clients {clients}": Goal(at="<=", bound=0.15)
    for arm in ARMS
    if arm != "no adapter"
    for clients in CLIENTS
}


class Speed(NamedTuple):
    """One measurement."""

    tokens_per_second: float
    cpu_ms_per_token: float
    """Of the server."""


Speeds = dict[tuple[str, int], list[Speed]]
"""The measurements of all repeats, by arm and number of clients."""


def make_adapter(model: AddedModel, folder: Path, seed: int, *, scale: float = B_SCALE) -> None:
    """Saves an adapter with random weights and the shapes of the standard recipe in `folder`."""
    torch.manual_seed(seed)
    base = AutoModelForCausalLM.from_pretrained(model.folder, dtype=torch.float32)
    adapted = get_peft_model(base, lora_config(standard(model.card)))
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=scale / weight.shape[1] ** 0.5)
    adapted.save_pretrained(str(folder))


def await_ready(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    """Waits until the server answers. Raises RuntimeError if it exits or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/health", trust_env=False).is_success:
                return
        time.sleep(1)
    raise RuntimeError(f"vLLM does not answer: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}")


async def measure(url: str, pid: int, model: AddedModel, home: Path, repeats: int) -> Speeds:
    """Loads the adapters and measures all arms, in a new random order each time."""
    async with VllmEngine(url, BASE, model.card.template) as engine:
        for name in ADAPTERS:
            await engine.load(name, home / name)
    speeds: Speeds = {}
    rng = random.Random(0)
    async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=600)) as http:
        for arm in ARMS:  # warm-up: allocates buffers and selects kernels
            await measure_speed(http, pid, ARMS[arm], 8, 8)
        for repeat in range(repeats):
            for clients, answers in CLIENTS.items():
                for arm in rng.sample(list(ARMS), len(ARMS)):
                    speed = await measure_speed(http, pid, ARMS[arm], clients, answers)
                    speeds.setdefault((arm, clients), []).append(speed)
            print(f"{repeat + 1} of {repeats}", flush=True)
    return speeds


async def measure_speed(
    http: aiohttp.ClientSession, pid: int, names: Sequence[str], clients: int, answers: int
) -> Speed:
    """Speed of the server with concurrent clients that use the model names in rotation."""
    rotation = itertools.cycle(names)

    async def ask() -> None:
        words = " ".join(random.choices(WORDS, k=12))  # a new prompt, which is in no prefix cache
        body = {
            "model": next(rotation),
            "messages": [{"role": "user", "content": f"Tell a story with these words: {words}"}],
            "max_tokens": TOKENS,
            "ignore_eos": True,
            "temperature": 0,
        }
        async with http.post("/v1/chat/completions", json=body) as response:
            response.raise_for_status()
            answer = await response.json()
        if (count := answer["usage"]["completion_tokens"]) != TOKENS:
            raise RuntimeError(f"an answer has {count} tokens instead of {TOKENS}")

    before = cpu_seconds(pid)
    rate = await throughput(ask, clients, answers)
    used = cpu_seconds(pid) - before
    return Speed(tokens_per_second=TOKENS * rate, cpu_ms_per_token=1000 * used / (TOKENS * answers))


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and all its descendants so far."""
    server = psutil.Process(pid)
    times = [process.cpu_times() for process in (server, *server.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def overheads(speeds: Speeds, arm: str, clients: int) -> tuple[float, float]:
    """The share of the base model's throughput that is lost, in wall-clock and in CPU time.

    Both are medians over the repeats, each compared with the base model in the same repeat.
    """
    pairs = list(zip(speeds[arm, clients], speeds["no adapter", clients], strict=True))
    return (
        1 - median(adapted.tokens_per_second / base.tokens_per_second for adapted, base in pairs),
        1 - median(base.cpu_ms_per_token / adapted.cpu_ms_per_token for adapted, base in pairs),
    )


def figures_of(speeds: Speeds) -> dict[str, float]:
    """All figures of the page."""
    figures: dict[str, float] = {}
    for (arm, clients), measured in sorted(speeds.items()):
        name = f"{arm}, clients {clients}"
        figures[f"tokens a second, {name}"] = median(speed.tokens_per_second for speed in measured)
        figures[f"processor ms a token, {name}"] = median(speed.cpu_ms_per_token for speed in measured)
        if arm != "no adapter":
            wall, cpu = overheads(speeds, arm, clients)
            figures[f"overhead, {name}"] = wall
            figures[f"processor overhead, {name}"] = cpu
    return figures


def page(speeds: Speeds, model: AddedModel, seconds: float, command: str) -> Result:
    """The result, with tables by number of clients."""
    recipe, figures = standard(model.card), figures_of(speeds)

    def table(title: str, figure: str, overhead: str, decimals: int) -> Table:
        def cell(arm: str, clients: int) -> str:
            text = f"{figures[f'{figure}, {arm}, clients {clients}']:.{decimals}f}"
            share = figures.get(f"{overhead}, {arm}, clients {clients}")
            return text if share is None else f"{text} ({100 * share:.0f}%)"

        return Table(
            title=title,
            text=f"{model.name} on a CPU, adapters of rank {recipe.rank} on {len(recipe.modules)} layers per"
            f" block, answers of {TOKENS} tokens. Medians, with the overhead in brackets.",
            head=("clients", *ARMS),
            rows=rows([(clients, *(cell(arm, clients) for arm in ARMS)) for clients in CLIENTS]),
        )

    return Result(
        name="adapters",
        title="Overhead of adapters",
        command=command,
        seconds=seconds,
        figures=figures,
        goals=GOALS,
        tables=(
            table("Tokens per second", "tokens a second", "overhead", 0),
            table("CPU milliseconds per token", "processor ms a token", "processor overhead", 2),
        ),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--results", type=Path, default=FOLDER, help="folder for the result")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    model = resolve_model(read_settings())
    card, folder, port = model.card, str(model.folder), free_port()
    environment = serve_environment(folder, context=card.context, cores=len(os.sched_getaffinity(0)))
    command = serve_command(
        folder, port, context=card.context, name=BASE, dtype=fast_dtype(card.dtype, gpu=False),
        modules=card.lessons.modules, tool_parser=card.template.tool_parser,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as temporary:
        home, log = Path(temporary), Path(temporary) / "engine.log"
        for seed, name in enumerate(ADAPTERS):
            make_adapter(model, home / name, seed)
        with running(command, log, env=environment) as server:
            await_ready(url, server, log)
            speeds = asyncio.run(measure(url, server.pid, model, home, options.repeats))
    result = page(speeds, model, time.monotonic() - started, "make bench-adapters")
    write(result, options.results)
    print("\n".join(f"{name}: {figure:.3f}" for name, figure in result.figures.items()))


if __name__ == "__main__":
    main()
