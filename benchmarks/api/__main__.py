"""Benchmark of the api: added latency, throughput, the cost of a run, and growth of memory and checkpoints.

Compares our service with raw vLLM, LangGraph's in-memory server and aegra on the same machine.
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
"""Number of api processes on PostgreSQL: one per core of the machine that the goals are set for."""


class Scale:
    """Number of requests per measurement."""

    def __init__(self, quick: bool) -> None:
        self.single = 50 if quick else 300
        self.many = 400 if quick else 3000
        self.vllm = 64 if quick else 200
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
    """URL of the stub engine."""
    figures: dict[str, float] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)

    def stub(self) -> None:
        """Chats with the stub engine, and the CPU time of their parts."""
        scale = self.scale
        with service(self.home / "chats", self.upstream) as (url, pid):
            self.figures |= asyncio.run(
                chats.latency_and_memory(
                    self.upstream, url, pid, single=scale.single, many=scale.many, growth=scale.chats
                )
            )
        self.figures |= self._turn_parts()

    def runs(self) -> None:
        """Runs of the no-op graph and a long conversation, on SQLite."""
        home, scale = self.home / "runs", self.scale
        with service(home, self.upstream, NOOP) as (url, pid):
            self._measure_runs("our {}", [url])
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
            self._measure_runs("our {}, on PostgreSQL", urls)

    def vllm(self) -> None:
        """Chats with vLLM, for the default model and for the model in use."""
        for model, suffix in _models():
            measured = chats.share_of_vllm(self.home / f"vllm-{model.name}", model, self.scale.vllm)
            self.figures |= {f"{name}{suffix}": figure for name, figure in measured.items()}

    def official(self) -> None:
        """The same runs in LangGraph's own in-memory server."""
        with official.server(self.home) as url:
            self._measure_runs("official {}", [url])

    def aegra(self) -> None:
        """The same runs in aegra on PostgreSQL."""
        with (
            postgresql.cluster() as cluster,
            aegra.server(self.home, cluster.create("aegra")) as url,
        ):
            self._measure_runs("aegra {}", [url])

    def measure(self, part: str) -> None:
        """Measures a part by name. A part with another server is skipped if that server is unavailable."""
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

    def _measure_runs(self, name: str, urls: Sequence[str]) -> None:
        speed = runs.run_speed(urls, noop.NAME, single=self.scale.runs, burst=self.scale.burst)
        self.figures |= {name.format(key): figure for key, figure in asyncio.run(speed).items()}

    def _turn_parts(self) -> dict[str, float]:
        """CPU time of the parts of a turn, measured in a new process."""
        home = self.home / "parts"
        env = settings(home, self.upstream)
        command = [sys.executable, "-m", "benchmarks.api.parts", chats.QUESTION[0]["content"]]
        command.append(str(self.scale.single))
        with running([sys.executable, "-m", "api.cli.main", "graph"], home / "graph.log", env=env):
            completed = subprocess.run(
                command, env=os.environ | env, check=True, capture_output=True, text=True
            )
        figures: dict[str, float] = json.loads(completed.stdout)
        return figures


OTHERS = ("official", "aegra")
QUICK = ("stub", "runs")
PARTS = (*QUICK, "postgresql", "vllm", *OTHERS)
"""Methods of Benchmark, in the order of the measurements."""


def main() -> int:
    """Runs the benchmark and writes the result."""
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
        complete=not quick,
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
        prog="python -m benchmarks.api", description="Measures the api and compares it with other servers."
    )
    parser.add_argument(
        "--quick", action="store_true", help=f"fewer requests, and only {' and '.join(QUICK)}"
    )
    parser.add_argument("--only", type=_parts, metavar="PARTS", help=f"comma-separated: {','.join(PARTS)}")
    parser.add_argument("--test", type=float, metavar="MINUTES", help="duration of `make test`, for its goal")
    parser.add_argument("--unit", type=float, metavar="SECONDS", help="duration of `make unit`, for its goal")
    parser.add_argument("--out", type=Path, default=FOLDER, help=f"folder of the results (default: {FOLDER})")
    return parser.parse_args()


def _parts(text: str) -> tuple[str, ...]:
    chosen = tuple(text.split(","))
    if unknown := sorted(set(chosen) - set(PARTS)):
        raise argparse.ArgumentTypeError(f"no part {unknown[0]!r}: choose from {', '.join(PARTS)}")
    return chosen


@contextmanager
def _stub(model: AddedModel) -> Iterator[str]:
    """Runs the stub engine; yields its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "benchmarks.api.upstream", str(port), str(model.folder)]
    with (
        tempfile.TemporaryDirectory() as folder,
        running(command, Path(folder) / "stub.log", ready=f"{url}/v1/models"),
    ):
        yield url


def _models() -> list[tuple[AddedModel, str]]:
    """The default model and the model in use, each with the suffix of its figures."""
    default = shipped_catalogue().default
    models = [(resolve_model(read_settings(model=default)), "")]
    in_use = resolve_model(read_settings())
    if in_use.name != models[0][0].name:
        models.append((in_use, f", {in_use.name}"))
    return models


if __name__ == "__main__":
    sys.exit(main())
