"""What an adapter costs vLLM on a CPU: `python -m benchmarks.adapters`.

The default model is served as `nightschool up` serves it, and asked for answers of one length by 1, 8 and 32
clients at once: of the base model, of an adapter, of two adapters by turns, and of an adapter and the base by
turns. The adapters have the size that the product trains and random weights, which take as long as others.
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
from benchmarks.api.load import together
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
"""What is asked, by turns."""
CLIENTS = {1: 2, 8: 8, 32: 32}
"""Clients at once, and answers in one measurement."""
TOKENS = 64
REPEATS = 5
START_SECONDS = 600
"""On a machine with much else to do; 40 without."""
DELTA = 0.02
"""Scale of the random B: as drawn they would change the weights beyond recognition."""
WORDS = ("lamp", "river", "copper", "winter", "signal", "garden", "engine", "letter", "harbour", "violin")
GOALS = {
    f"overhead, {arm}, clients {clients}": Goal(at="<=", bound=0.15)
    for arm in ARMS
    if arm != "no adapter"
    for clients in CLIENTS
}


class Speed(NamedTuple):
    """One measurement."""

    tokens: float
    """A second."""
    milliseconds: float
    """Of the server's processor time for each token."""


Speeds = dict[tuple[str, int], list[Speed]]
"""Those of all repeats, by arm and clients."""


def make_adapter(model: AddedModel, folder: Path, seed: int, *, delta: float = DELTA) -> None:
    """Saves an adapter with random weights and the shapes of the standard recipe."""
    torch.manual_seed(seed)
    base = AutoModelForCausalLM.from_pretrained(model.folder, dtype=torch.float32)
    adapted = get_peft_model(base, lora_config(standard(model.card)))
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=delta / weight.shape[1] ** 0.5)
    adapted.save_pretrained(str(folder))


def await_ready(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    """Returns once the server answers. Raises RuntimeError if it ends, or takes too long."""
    ends = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < ends:
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/health", trust_env=False).is_success:
                return
        time.sleep(1)
    raise RuntimeError(f"vLLM does not answer: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}")


async def measure(url: str, pid: int, model: AddedModel, home: Path, repeats: int) -> Speeds:
    """Loads the adapters and times all arms, by turns and in another order each time."""
    async with VllmEngine(url, BASE, model.card.template) as engine:
        for name in ADAPTERS:
            await engine.load(name, home / name)
    speeds: Speeds = {}
    order = random.Random(0)
    async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=600)) as http:
        for arm in ARMS:  # once unmeasured: buffers grow, kernels are chosen
            await speed(http, pid, ARMS[arm], 8, 8)
        for repeat in range(repeats):
            for clients, answers in CLIENTS.items():
                for arm in order.sample(list(ARMS), len(ARMS)):
                    measured = await speed(http, pid, ARMS[arm], clients, answers)
                    speeds.setdefault((arm, clients), []).append(measured)
            print(f"{repeat + 1} of {repeats}", flush=True)
    return speeds


async def speed(
    http: aiohttp.ClientSession, pid: int, names: Sequence[str], clients: int, answers: int
) -> Speed:
    """How fast so many clients, who ask the names by turns, get their answers."""
    turns = itertools.cycle(names)

    async def ask() -> None:
        words = " ".join(random.choices(WORDS, k=12))  # a prompt of its own, that no cache knows
        body = {
            "model": next(turns),
            "messages": [{"role": "user", "content": f"Tell a story with these words: {words}"}],
            "max_tokens": TOKENS,
            "ignore_eos": True,
            "temperature": 0,
        }
        async with http.post("/v1/chat/completions", json=body) as response:
            response.raise_for_status()
            answer = await response.json()
        if (count := answer["usage"]["completion_tokens"]) != TOKENS:
            raise RuntimeError(f"an answer of {count} tokens, not of {TOKENS}")

    before = processor_seconds(pid)
    rate = await together(ask, clients, answers)
    used = processor_seconds(pid) - before
    return Speed(tokens=TOKENS * rate, milliseconds=1000 * used / (TOKENS * answers))


def processor_seconds(pid: int) -> float:
    """Those of a process and all its descendants."""
    server = psutil.Process(pid)
    times = [process.cpu_times() for process in (server, *server.children(recursive=True))]
    return float(sum(used.user + used.system for used in times))


def lost(speeds: Speeds, arm: str, clients: int) -> tuple[float, float]:
    """Shares of the base model's tokens a second and of its tokens per processor time that are lost: the
    medians of the repeats' own shares."""
    pairs = list(zip(speeds[arm, clients], speeds["no adapter", clients], strict=True))
    return (
        1 - median(adapted.tokens / base.tokens for adapted, base in pairs),
        1 - median(base.milliseconds / adapted.milliseconds for adapted, base in pairs),
    )


def figures_of(speeds: Speeds) -> dict[str, float]:
    """Every figure of the page."""
    figures: dict[str, float] = {}
    for (arm, clients), measured in sorted(speeds.items()):
        name = f"{arm}, clients {clients}"
        figures[f"tokens a second, {name}"] = median(one.tokens for one in measured)
        figures[f"processor ms a token, {name}"] = median(one.milliseconds for one in measured)
        if arm != "no adapter":
            overhead, processor = lost(speeds, arm, clients)
            figures[f"overhead, {name}"] = overhead
            figures[f"processor overhead, {name}"] = processor
    return figures


def page(speeds: Speeds, model: AddedModel, seconds: float, command: str) -> Result:
    """The result with its tables: a row for each number of clients."""
    recipe, figures = standard(model.card), figures_of(speeds)

    def table(title: str, figure: str, overhead: str, decimals: int) -> Table:
        def cell(arm: str, clients: int) -> str:
            told = f"{figures[f'{figure}, {arm}, clients {clients}']:.{decimals}f}"
            share = figures.get(f"{overhead}, {arm}, clients {clients}")
            return told if share is None else f"{told} ({100 * share:.0f}%)"

        return Table(
            title=title,
            text=f"{model.name} on a CPU, adapters of rank {recipe.rank} on {len(recipe.modules)} layers of a"
            f" block, answers of {TOKENS} tokens. Medians; in brackets what an adapter costs.",
            head=("clients", *ARMS),
            rows=rows([(clients, *(cell(arm, clients) for arm in ARMS)) for clients in CLIENTS]),
        )

    return Result(
        name="adapters",
        title="What an adapter costs",
        command=command,
        seconds=seconds,
        figures=figures,
        goals=GOALS,
        tables=(
            table("Tokens a second", "tokens a second", "overhead", 0),
            table("Processor milliseconds a token", "processor ms a token", "processor overhead", 2),
        ),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--results", type=Path, default=FOLDER, help="folder that the result is written to")
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
