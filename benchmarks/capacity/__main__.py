"""What a service of a given size needs: `python -m benchmarks.capacity --users 1000000`.

The coefficients come from the results of the other benchmarks in docs/results, on whatever machine these ran;
what things take on disk is measured here. Nothing is simulated: the plan is arithmetic over these figures.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.models.store import resolve_model
from agent.settings import read_settings
from benchmarks.capacity import storage
from benchmarks.capacity.plan import Coefficients, Load, Need, plan
from memory.results import FOLDER, Result, Table, rows, write

SOURCES = {
    "api_turns": ("api", "CPU ms of a turn in the process", "make bench-api"),
    "model_tokens": ("adapters", "tokens a second, one adapter, clients 32", "make bench-adapters"),
    "search_seconds": ("retrieval", "p50 CPU ms at 100000 passages", "make bench-retrieval"),
    "teach_seconds": ("learning", "seconds per passage", "make bench-learning"),
}
"""The result, the figure in it and the command behind each coefficient."""
CONVERTED = {"api_turns": lambda ms: 1000 / ms, "search_seconds": lambda ms: ms / 1000}
TEXTS = Path("docs")
ON_WHAT = (
    "On cores and engines like those that were measured: an engine and a trainer have two cores of a CPU. A"
    " GPU serves and trains many times as fast: run `make bench-adapters` on yours, and plan again."
)
QUESTION = "How do I keep the adapters of two services apart?"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, plans, and writes docs/results/capacity.md and .json."""
    options = _options(arguments)
    load = Load(
        users=options.users,
        active=options.active,
        turns=options.turns,
        tokens=options.tokens,
        passages=options.passages,
        taught=options.taught,
    )
    started = time.monotonic()
    try:
        measured = asyncio.run(_measured(options.results))
    except (FileNotFoundError, KeyError) as error:
        print(f"a figure is missing: {error}; run the benchmark that measures it first", file=sys.stderr)
        return 1
    result = _result(load, measured, plan(load, measured), time.monotonic() - started)
    write(result, options.results)
    print((options.results / f"{result.name}.md").read_text(encoding="utf-8"))
    return 0


async def _measured(results: Path) -> Coefficients:
    read = {name: _figure(results, name) for name in SOURCES}
    texts = await asyncio.to_thread(_texts)
    model = resolve_model(read_settings())
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        return Coefficients(
            **read,
            ingest=await storage.ingest_rate(home / "ingest", texts),
            passage_bytes=await storage.passage_bytes(home / "passages", texts),
            turn_bytes=await storage.turn_bytes(home / "turns", QUESTION, texts[0][:500]),
            adapter_bytes=storage.adapter_bytes(model.folder),
        )


def _texts() -> list[str]:
    """Our own documentation, as a library."""
    return [file.read_text(encoding="utf-8") for file in sorted(TEXTS.rglob("*.md"))]


def _figure(results: Path, name: str) -> float:
    """A coefficient from another benchmark's result. Raises FileNotFoundError and KeyError."""
    benchmark, figure, _ = SOURCES[name]
    document: dict[str, Any] = json.loads((results / f"{benchmark}.json").read_text(encoding="utf-8"))
    value = float(document["figures"][figure])
    return CONVERTED[name](value) if name in CONVERTED else value


def _result(load: Load, measured: Coefficients, needs: Sequence[Need], seconds: float) -> Result:
    figures = measured.model_dump()
    commands = {name: f"`{command}`" for name, (_, _, command) in SOURCES.items()}
    lines = [(_words(name), value, commands.get(name, "here")) for name, value in figures.items()]
    return Result(
        name="capacity",
        title="What a service of a given size needs",
        command=f"make bench-capacity USERS={load.users}",
        seconds=seconds,
        figures={_words(name): value for name, value in figures.items()},
        goals={},
        tables=(
            Table(
                title="Needs",
                text=f"{_in_words(load)} {ON_WHAT}",
                head=("part", "needed", "because of"),
                rows=rows([(need.part, need.amount, need.because) for need in needs]),
            ),
            Table(
                title="Coefficients",
                text="Each as measured by the command beside it; docs/results names the machine.",
                head=("coefficient", "measured", "by"),
                rows=rows(lines),
            ),
        ),
    )


def _in_words(load: Load) -> str:
    return (
        f"{load.users:,} users, of whom {load.active:.0%} are active on a day with {load.turns:g} turns each,"
        f" {load.busiest:.0%} of these in the busiest hour; {load.unsure:.0%} of the turns are answered from"
        f" sources; an answer has {load.tokens} tokens; the library has {load.passages:,} passages, of which"
        f" {load.taught:,} are taught in a night."
    )


def _words(name: str) -> str:
    """What the coefficient of this name is."""
    return {
        "api_turns": "turns a second on one core of an api process",
        "model_tokens": "tokens a second of an engine with an adapter, 32 clients",
        "search_seconds": "processor seconds of a search among 100,000 passages",
        "ingest": "passages a second that one process reads, with facts and vectors",
        "teach_seconds": "seconds of training for a passage",
        "passage_bytes": "bytes of a passage on disk",
        "turn_bytes": "bytes of a logged turn with feedback",
        "adapter_bytes": "bytes of an adapter of rank 32",
    }[name]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    default = Load()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--users", type=int, default=default.users)
    parser.add_argument("--active", type=float, default=default.active, help="share of them active on a day")
    parser.add_argument("--turns", type=float, default=default.turns, help="turns of an active user a day")
    parser.add_argument("--tokens", type=int, default=default.tokens, help="tokens of an answer")
    parser.add_argument("--passages", type=int, default=default.passages, help="passages in the library")
    parser.add_argument("--taught", type=int, default=default.taught, help="passages taught in a night")
    parser.add_argument("--results", type=Path, default=FOLDER, help="folder of the results")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
