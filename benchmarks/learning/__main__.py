"""Learning from real prose, measured: `python -m benchmarks.learning --data ../shared/data`.

Each text goes through the product's own reading, learn graph, worker, gates and registry; then people's own
questions about it are asked: of the base model and of the adapter, without sources and with them, and of the
base model that reads the text. An answer is right if it holds the reference. What is measured is kept line by
line in the home folder, and a run that was broken off goes on from there.

Which texts there are is in `learning_parts`, what is changed for comparison in `learning_variants`, how a
text is taught in `learning_measure`, and what comes of it in `learning_report`.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from agent.models.store import resolve_model
from agent.settings import read_settings
from benchmarks.learning import reading as learning_reading
from benchmarks.learning.data import Text
from benchmarks.learning.isolated import IsolatedBench
from benchmarks.learning.parts import ABLATION, DEFAULT, READING, SMOKE, Lot, lots
from benchmarks.learning.records import Kept, Measured, asked_of, share
from benchmarks.learning.report import ablations, page
from benchmarks.learning.variants import VARIANTS
from memory.results import FOLDER, Result, write
from training.worker import sole_worker

HOME = Path(".nightschool/bench-learning")
BELIEVED = 300.0
"""Seconds of work that the plan weighs as much as, so that one quick part does not tell the pace of all."""

Job = tuple[Lot, Text | None]
"""A text to be taught, or None for what needs no lesson."""


class Clock:
    """How long what is left will take: about what is planned for it, by the pace so far."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._planned = sum(lot.seconds for lot, _ in jobs)
        self._done = self._took = 0.0

    def told(self) -> str:
        """The time left, in words."""
        pace = (self._took + BELIEVED) / (self._done + BELIEVED)
        return f"about {max(0.0, self._planned - self._done) * pace / 60:.0f} minutes left"

    def add(self, lot: Lot, seconds: float) -> None:
        """One more is done."""
        self._done += lot.seconds
        self._took += seconds


def jobs_of(found: Sequence[Lot], data: Path) -> list[Job]:
    """Every text of every lot. Raises OSError and ValueError where the data lack it."""
    return [
        (lot, text)
        for lot in found
        for text in ([None] if lot.part.name == READING else lot.part.texts(data))
    ]


def run(jobs: Sequence[Job], kept: Kept, bench: IsolatedBench, data: Path | None) -> None:
    """Measures what is not kept yet."""
    left = [(lot, text) for lot, text in jobs if kept.get(*_key(lot, text)) is None]
    clock = Clock(left)
    for number, (lot, text) in enumerate(left, 1):
        part, name, variant, seed = _key(lot, text)
        print(f"{number} of {len(left)}: {name}, {variant}, seed {seed}; {clock.told()}", flush=True)
        if text is None:
            started = time.monotonic()
            figures = learning_reading.measure(data)
            measured = Measured(
                part=part, text=name, seed=seed, seconds=time.monotonic() - started, figures=figures
            )
        else:
            measured = bench.measure(
                lot,
                text,
                product=kept.get(part, name, "product", seed),
                previous=_previous(jobs, kept, lot, text),
            )
        kept.add(measured)
        clock.add(lot, measured.seconds)
        print(f"  {_summary(measured)}, {measured.seconds:.0f} s", flush=True)


def _previous(jobs: Sequence[Job], kept: Kept, lot: Lot, text: Text) -> Measured | None:
    """The last lesson of the sequence before this text that is served."""
    before = None
    for other, each in jobs:
        if each is None or other != lot or not text.domain:
            continue
        if each.name == text.name:
            break
        found = kept.get(*_key(other, each))
        before = found if found and found.lesson and found.lesson.passed else before
    return before


def _summary(measured: Measured) -> str:
    if measured.failed:
        return f"could not be measured: {measured.failed}"
    if measured.lesson is None:
        return ", ".join(f"{name} {value:.1f}" for name, value in measured.figures.items())
    found = share(asked_of([measured], "own"), "adapter")
    gates = "passed" if measured.lesson.passed else "; ".join(measured.lesson.reasons)
    return f"closed-book {found.value:.2f} of {found.count}, gates: {gates}"


def _key(lot: Lot, text: Text | None) -> tuple[str, str, str, int]:
    return lot.part.name, text.name if text else lot.part.name, lot.variant, lot.seed


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(description="Measures learning from real prose.")
    found.add_argument("--data", type=Path, help="folder with squad/, manuals/ and rust-book/")
    found.add_argument("--model", help="a model's name or folder; default: the one in use")
    found.add_argument("--home", type=Path, help=f"default: {HOME}, or {HOME}-quick")
    found.add_argument(
        "--parts",
        help="comma-separated: reading, squad-N, squad-1, manual-httpx, manual-pihole, rust-book, sequence-N,"
        f" tollan-ferry; `:VARIANT` teaches it another way ({', '.join(VARIANTS)})",
    )
    found.add_argument("--seeds", default="0", help="comma-separated; most parts take the first one only")
    found.add_argument("--ablations", action="store_true", help="what the lessons' parts are worth")
    found.add_argument("--quick", action="store_true", help="our own text only, in under five minutes")
    found.add_argument("--report", action="store_true", help="measure nothing: write the pages anew")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes the page."""
    command_line = parser()
    options = command_line.parse_args(arguments)
    home: Path = options.home or (HOME.with_name(f"{HOME.name}-quick") if options.quick else HOME)
    if options.data is None and not options.quick:
        command_line.error("--data is needed: the folder with squad/, manuals/ and rust-book/; or --quick")
    standard = SMOKE if options.quick else ABLATION if options.ablations else DEFAULT
    names = [name for name in (options.parts or "").split(",") if name] or standard
    try:
        seeds = [int(seed) for seed in options.seeds.split(",")]
        jobs = jobs_of(lots(names, seeds), options.data or Path())
    except (OSError, ValueError) as error:
        command_line.error(f"{error}; --data is the folder with squad/, manuals/ and rust-book/")
    model = resolve_model(read_settings(**({"model": options.model} if options.model else {})))
    home /= model.name
    home.mkdir(parents=True, exist_ok=True)
    path = home / "measured.jsonl"
    if not options.report:
        with sole_worker(home / "worker.lock"):  # two runs at once would mix what they keep
            if options.quick and not options.parts:
                path.unlink(missing_ok=True)
            run(jobs, Kept(path), IsolatedBench(model, home), None if options.quick else options.data)
    kept = Kept(path)
    result = result_of(kept, options)
    write(result)
    print((FOLDER / f"{result.name}.md").read_text(encoding="utf-8"))


def result_of(kept: Kept, options: argparse.Namespace) -> Result:
    """The page that the options ask for, of everything that is kept."""
    target = "bench-ablations" if options.ablations else "bench-learning"
    end = "-quick" if options.quick else ""
    words = [
        f"make {target}",
        "QUICK=1" if options.quick else f"DATA={options.data}",
        f"SEEDS={options.seeds}" if options.seeds != "0" else "",
        f"MODEL={options.model}" if options.model else "",
        f"PARTS={options.parts}" if options.parts else "",
    ]
    command = " ".join(word for word in words if word)
    if options.ablations:
        return ablations(kept.all, name=f"learning-ablations{end}", command=command)
    return page(kept.all, name=f"learning{end}", command=command)


if __name__ == "__main__":
    main()
