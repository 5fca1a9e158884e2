"""Benchmark of the api: what it adds to an engine, what a run costs, and what grows.

One run measures on one machine: our service, raw vLLM, LangGraph's in-memory server and aegra.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agent.models.catalogue import shipped_catalogue
from agent.models.store import AddedModel, resolve_model
from agent.settings import read_settings
from benchmarks.api import aegra, chats, noop, official, page, postgresql, runs
from benchmarks.api.environments import Unavailable
from benchmarks.api.processes import NotReady, free_port, running, service, services, settings
from memory.results import FOLDER, write

NOOP = ("benchmarks.api.noop",)
PROCESSES = 2
"""Api processes on PostgreSQL: one for each of the two cores that the goals are for."""


class Scale:
    """How many requests each measurement makes."""

    def __init__(self, quick: bool) -> None:
        self.single = 50 if quick else 300
        self.many = 400 if quick else 3000
        self.vllm = 64 if quick else 400
        self.runs = 20 if quick else 100
        self.burst = 100 if quick else 400
        self.chats = 1000 if quick else 20_000
        self.threads = 100 if quick else 2000
        self.turns = 30 if quick else 100


@dataclass
class Benchmark:
    """One run of the benchmark, in the folder `home`."""

    home: Path
    scale: Scale
    upstream: str
    """URL of the stub."""
    figures: dict[str, float] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)

    def stub(self) -> None:
        """Chats over an engine that answers at once, and the parts of their time."""
        scale = self.scale
        with service(self.home / "chats", self.upstream) as (url, pid):
            self.figures |= asyncio.run(
                chats.latency_and_memory(
                    self.upstream, url, pid, single=scale.single, many=scale.many, growth=scale.chats
                )
            )
        self.figures |= self._parts_of_a_turn()

    def runs(self) -> None:
        """Runs of a graph that does nothing, and a long conversation, on SQLite."""
        home, scale = self.home / "runs", self.scale
        with service(home, self.upstream, NOOP) as (url, pid):
            self._waits("our {}", [url])
            self.figures |= asyncio.run(runs.memory_growth(url, pid, count=scale.threads))
            self.figures |= asyncio.run(
                runs.long_conversation(url, home / "checkpoints.db", turns=scale.turns)
            )

    def postgresql(self) -> None:
        """Chats and runs of several api processes on one PostgreSQL."""
        home = self.home / "postgresql"
        with (
            postgresql.cluster() as cluster,
            services(
                home, self.upstream, count=PROCESSES, database_url=cluster.create("nightschool"), module=NOOP
            ) as processes,
        ):
            urls = [url for url, _ in processes]
            rate = asyncio.run(chats.rate(urls, self.scale.many))
            self.figures["requests a second, stub, on PostgreSQL"] = rate
            self._waits("our {}, on PostgreSQL", urls)

    def vllm(self) -> None:
        """Chats over vLLM with the default model, and with the chosen one if that is another."""
        for model, suffix in _models():
            measured = chats.share_of_vllm(self.home / f"vllm-{model.name}", model, self.scale.vllm)
            self.figures |= {f"{name}{suffix}": figure for name, figure in measured.items()}

    def official(self) -> None:
        """The same runs in LangGraph's own in-memory server."""
        with official.server(self.home) as url:
            self._waits("official {}", [url])

    def aegra(self) -> None:
        """The same runs in aegra on PostgreSQL."""
        with (
            postgresql.cluster() as cluster,
            aegra.server(self.home, cluster.create("aegra")) as url,
        ):
            self._waits("aegra {}", [url])

    def measure(self, part: str) -> None:
        """Measures a part by its name. What another server lacks is noted, and only that part left out."""
        method: Callable[[], None] = getattr(self, part)
        print(f"measuring {part}: {method.__doc__}", flush=True)
        try:
            method()
        except Unavailable as error:
            self.unavailable[part] = str(error)
        except NotReady as error:
            if part not in OTHERS:
                raise
            self.unavailable[part] = str(error)
        if part in self.unavailable:
            print(f"not measured: {self.unavailable[part]}", flush=True)

    def _waits(self, name: str, urls: Sequence[str]) -> None:
        waits = runs.waits(urls, noop.NAME, single=self.scale.runs, burst=self.scale.burst)
        self.figures |= {name.format(key): figure for key, figure in asyncio.run(waits).items()}

    def _parts_of_a_turn(self) -> dict[str, float]:
        """CPU time of the parts of a turn, in a process of their own."""
        home = self.home / "parts"
        env = settings(home, self.upstream)
        command = [sys.executable, "-m", "benchmarks.api.parts", chats.QUESTION[0]["content"]]
        command.append(str(self.scale.single))
        with running([sys.executable, "-m", "api.cli.main", "graph"], home / "graph.log", env=env):
            done = subprocess.run(command, env=os.environ | env, check=True, capture_output=True, text=True)
        figures: dict[str, float] = json.loads(done.stdout)
        return figures


OTHERS = ("official", "aegra")
QUICK = ("stub", "runs")
PARTS = (*QUICK, "postgresql", "vllm", *OTHERS)
"""Methods of Benchmark, in the order in which they are measured."""


def main() -> int:
    """Measures and writes the result."""
    options = _options()
    quick = options.quick or options.only is not None
    parts = options.only or (QUICK if options.quick else PARTS)
    default = resolve_model(read_settings(model=shipped_catalogue().default))
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="nightschool-bench-") as folder, _stub(default) as upstream:
        benchmark = Benchmark(Path(folder), Scale(options.quick), upstream)
        for part in parts:
            benchmark.measure(part)
    for name, figure in (("make test, minutes", options.test), ("make unit, seconds", options.unit)):
        if figure is not None:
            benchmark.figures[name] = figure
    result = page.result(
        benchmark.figures,
        benchmark.unavailable,
        whole=not quick,
        command="make bench-api"
        + (" QUICK=1" if options.quick else "")
        + (f" ONLY={','.join(parts)}" if options.only else ""),
        seconds=time.monotonic() - started,
        model=default.name,
        processes=PROCESSES,
    )
    write(result, options.out)
    print((options.out / f"{result.name}.md").read_text(encoding="utf-8"))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.api", description="Measures what the api adds, beside other servers."
    )
    parser.add_argument("--quick", action="store_true", help=f"a tenth of it, and only {' and '.join(QUICK)}")
    parser.add_argument(
        "--only", type=_parts, metavar="PARTS", help=f"some parts, by commas: {','.join(PARTS)}"
    )
    parser.add_argument("--test", type=float, metavar="MINUTES", help="what `make test` took, for its goal")
    parser.add_argument("--unit", type=float, metavar="SECONDS", help="what `make unit` took, for its goal")
    parser.add_argument("--out", type=Path, default=FOLDER, help=f"folder of the results (default: {FOLDER})")
    return parser.parse_args()


def _parts(text: str) -> tuple[str, ...]:
    chosen = tuple(text.split(","))
    if unknown := sorted(set(chosen) - set(PARTS)):
        raise argparse.ArgumentTypeError(f"no part {unknown[0]!r}: choose from {', '.join(PARTS)}")
    return chosen


@contextmanager
def _stub(model: AddedModel) -> Iterator[str]:
    """A stub of an engine; yields its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "benchmarks.api.upstream", str(port), str(model.folder)]
    with (
        tempfile.TemporaryDirectory() as folder,
        running(command, Path(folder) / "stub.log", ready=f"{url}/v1/models"),
    ):
        yield url


def _models() -> list[tuple[AddedModel, str]]:
    """The models to measure vLLM with, and the suffix of their figures."""
    default = shipped_catalogue().default
    models = [(resolve_model(read_settings(model=default)), "")]
    chosen = resolve_model(read_settings())
    if chosen.name != models[0][0].name:
        models.append((chosen, f", {chosen.name}"))
    return models


if __name__ == "__main__":
    sys.exit(main())
