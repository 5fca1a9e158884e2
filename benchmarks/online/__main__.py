"""Benchmark of the online loop: `python -m benchmarks.online [--data ../shared/data]`.

A simulated population uses the running service for four weeks (or `--weeks`) and a poisoned one; then
baselines are trained on the first week's pairs, experiments are simulated, and what logging costs is
measured. Finished weeks are kept in the home folder, and a run that was broken off goes on from there.
"""

import argparse
import asyncio
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.models.card import GeneralQuestion
from agent.models.store import AddedModel, resolve_model
from agent.settings import read_settings
from benchmarks.online import baselines, month, steps
from benchmarks.online.client import connected
from benchmarks.online.overhead import overhead
from benchmarks.online.population import USERS, population
from benchmarks.online.questions import prompts
from benchmarks.online.records import Weeks
from benchmarks.online.report import (
    NAME,
    PARTS,
    baselines_table,
    month_figures,
    month_tables,
    result,
    unavailable_table,
)
from benchmarks.online.running_service import running_service
from benchmarks.online.statistics import simulate
from benchmarks.parts import PartResult, keep, kept
from memory.adapters.mlflow import MlflowAdapterRegistry
from memory.outbox import files as outbox
from memory.records.feedback import PreferenceSet
from memory.results import FOLDER, Table, commit, machine, write
from training.base_model import StudiedModel, evaluation_split, open_base_model
from training.recipes import standard

HOME = Path(".nightschool/bench-online")
EXPERIMENTS, QUICK_EXPERIMENTS = 2000, 200
REPETITIONS, QUICK_REPETITIONS = 2000, 200
SEED = 17


@dataclass
class Benchmark:
    """One run of the benchmark, in the folder `home`."""

    home: Path
    model: AddedModel
    data: Path | None
    quick: bool
    weeks: Weeks
    clean: int = month.WEEKS
    """Weeks before the poisoned one."""
    figures: dict[str, float] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    earlier: float = 0.0
    """Seconds that an earlier run spent on the part."""

    def month(self) -> None:
        """The weeks and a poisoned one, through the running service."""
        self.earlier = sum(sum(week.seconds.values()) for week in self.weeks.all)
        asyncio.run(self._month())
        self.figures, self.tables = month_figures(self.weeks.all), month_tables(self.weeks.all)

    async def _month(self) -> None:
        every, users = prompts(self.data), population(USERS // 10 if self.quick else USERS, seed=SEED)
        with running_service(self.home / "service", str(self.model.folder)) as url:
            async with connected(url) as client:
                await steps.add_library(client, every.passages)
                await month.Month(
                    client=client,
                    base=await steps.base_model(client),
                    users=users,
                    prompts=every,
                    known=self._known(open_base_model(self.model.folder)),
                    weeks=self.weeks,
                    scale=month.QUICK if self.quick else month.Scale(),
                    seed=SEED,
                ).run(1 if self.quick else self.clean, poisoned=not self.quick)

    def baselines(self) -> None:
        """The first week's pairs, learned in other ways."""
        first = next((week for week in self.weeks.all if week.digest and week.candidate), None)
        if first is None or first.digest is None or first.candidate is None:
            print("no week has trained an adapter: there is nothing to compare", flush=True)
            return
        base, home = open_base_model(self.model.folder), self.home / "service"
        adapter = MlflowAdapterRegistry(home, base=base.card.digest).get(first.candidate)
        scale = month.QUICK if self.quick else month.Scale()
        compared = baselines.compare(
            base,
            outbox.read(home / "outbox", first.digest, PreferenceSet).pairs,
            Path(adapter.path),
            population(seed=SEED),
            prompts(self.data).held_out(scale.held_out, SEED),
            self._known(base)[: scale.known],
            self.home / "baselines",
        )
        self.tables.append(baselines_table(compared))
        for row in compared:
            if row.win_rate is not None:
                self.figures[f"win rate over the base model, {row.name}"] = row.win_rate

    def statistics(self) -> None:
        """Simulated experiments, looked at 40 times."""
        self.figures |= simulate(QUICK_EXPERIMENTS if self.quick else EXPERIMENTS, seed=SEED)

    def overhead(self) -> None:
        """What logging and feedback cost, in this process."""
        figures, unavailable = overhead(QUICK_REPETITIONS if self.quick else REPETITIONS)
        self.figures |= figures
        if unavailable:
            self.tables.append(unavailable_table(unavailable))

    def measure(self, part: str) -> PartResult:
        """Measures a part by its name."""
        method: Callable[[], None] = getattr(self, part)
        print(f"measuring {part}: {method.__doc__}", flush=True)
        started = time.monotonic()
        self.figures, self.tables, self.earlier = {}, [], 0.0
        method()
        seconds = time.monotonic() - started + self.earlier
        return PartResult(part=part, figures=self.figures, tables=tuple(self.tables), seconds=seconds)

    def _known(self, base: StudiedModel) -> list[GeneralQuestion]:
        """Questions that the base model knows and that no training uses."""
        asked = evaluation_split(base.questions, standard(base.card).asked)
        return [question for question in asked if question.known]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and writes the page."""
    options = _options(arguments)
    model = resolve_model(read_settings(**({"model": options.model} if options.model else {})))
    home = options.home or HOME.with_name(f"{HOME.name}-quick" if options.quick else HOME.name)
    if options.fresh or options.quick:
        shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)
    parts = options.only or PARTS
    benchmark = Benchmark(
        home, model, options.data, options.quick, Weeks(home / "weeks.jsonl"), options.weeks
    )
    folder = home / NAME if options.quick else options.out / NAME
    for part in parts:
        measured = benchmark.measure(part)
        provenance = {"command": _command(options), "machine": machine(), "commit": commit()}
        keep(folder, measured.model_copy(update=provenance))
    page = result(kept(folder, PARTS), quick=options.quick, command=_command(options), model=model.name)
    write(page, options.out)
    print((options.out / f"{page.name}.md").read_text(encoding="utf-8"))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.online", description="Proves the online loop on a simulated population."
    )
    parser.add_argument(
        "--data", type=Path, help="folder with nq-open/ and squad/; without it our openers only"
    )
    parser.add_argument("--model", help="a model's name or folder; default: the one in use")
    parser.add_argument("--quick", action="store_true", help="one small week, few experiments")
    parser.add_argument(
        "--weeks", type=int, default=month.WEEKS, help=f"before the poisoned one (default: {month.WEEKS})"
    )
    parser.add_argument("--only", type=_parts, metavar="PARTS", help=f"by commas: {','.join(PARTS)}")
    parser.add_argument("--fresh", action="store_true", help="begin anew in place of going on")
    parser.add_argument("--home", type=Path, help=f"default: {HOME}, or {HOME}-quick")
    parser.add_argument("--out", type=Path, default=FOLDER, help=f"folder of the results (default: {FOLDER})")
    return parser.parse_args(arguments)


def _parts(text: str) -> tuple[str, ...]:
    chosen = tuple(text.split(","))
    if unknown := sorted(set(chosen) - set(PARTS)):
        raise argparse.ArgumentTypeError(f"no part {unknown[0]!r}: choose from {', '.join(PARTS)}")
    return chosen


def _command(options: argparse.Namespace) -> str:
    words = [
        "make bench-online",
        f"DATA={options.data}" if options.data else "",
        "QUICK=1" if options.quick else "",
        f"WEEKS={options.weeks}" if options.weeks != month.WEEKS else "",
        f"ONLY={','.join(options.only)}" if options.only else "",
        f"MODEL={options.model}" if options.model else "",
    ]
    return " ".join(word for word in words if word)


if __name__ == "__main__":
    sys.exit(main())
