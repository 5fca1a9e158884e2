"""Benchmark of learning from real text: `python -m benchmarks.learning --data ../shared/data`.

The product itself ingests, learns and promotes each text. Questions that people wrote about it are then asked
of the base model and of the adapter, with and without sources, and of the base model with the passage in its
prompt. An answer is correct if it contains the reference. Measurements are stored in the home folder, so an
interrupted run can be resumed.

`parts` lists the texts, `variants` the training variants; `measure` runs one measurement, `report` makes the
page.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from agent.models.store import resolve_model
from agent.settings import read_settings
from benchmarks.learning.data import Text
from benchmarks.learning.extraction import measure_extraction
from benchmarks.learning.isolated import IsolatedBench
from benchmarks.learning.parts import ABLATION, DEFAULT, EXTRACTION, SMOKE, Trial, trials
from benchmarks.learning.records import (
    Measurement,
    MeasurementLog,
    proportion_correct,
    results_of_kind,
)
from benchmarks.learning.report import ablations, page
from benchmarks.learning.variants import VARIANTS
from memory.results import FOLDER, Result, write
from training.worker import sole_worker

HOME = Path(".nightschool/bench-learning")
PRIOR_SECONDS = 300.0
"""Weight of the plan in the estimated pace, in seconds of work; keeps one short job from dominating it."""

Job = tuple[Trial, Text | None]
"""A trial and its text; None for the extraction figures, which need no lesson."""


class TimeEstimate:
    """Estimates the remaining time from the plan and the pace so far."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._planned = sum(trial.seconds for trial, _ in jobs)
        self._planned_done = self._elapsed = 0.0

    def __str__(self) -> str:
        pace = (self._elapsed + PRIOR_SECONDS) / (self._planned_done + PRIOR_SECONDS)
        return f"about {max(0.0, self._planned - self._planned_done) * pace / 60:.0f} minutes left"

    def add(self, trial: Trial, seconds: float) -> None:
        """Records a finished job and the time it took."""
        self._planned_done += trial.seconds
        self._elapsed += seconds


def jobs_of(listed: Sequence[Trial], data: Path) -> list[Job]:
    """A job for each text of each trial. Raises OSError or ValueError if the data is missing."""
    return [
        (trial, text)
        for trial in listed
        for text in ([None] if trial.part.name == EXTRACTION else trial.part.texts(data))
    ]


def run(jobs: Sequence[Job], log: MeasurementLog, bench: IsolatedBench, data: Path | None) -> None:
    """Runs the jobs that are not in the log yet."""
    remaining = [(trial, text) for trial, text in jobs if log.get(*_key(trial, text)) is None]
    estimate = TimeEstimate(remaining)
    for number, (trial, text) in enumerate(remaining, 1):
        part, name, variant, seed = _key(trial, text)
        print(f"{number} of {len(remaining)}: {name}, {variant}, seed {seed}; {estimate}", flush=True)
        if text is None:
            started = time.monotonic()
            figures = measure_extraction(data)
            seconds = time.monotonic() - started
            measurement = Measurement(part=part, text=name, seed=seed, seconds=seconds, figures=figures)
        else:
            measurement = bench.measure(
                trial,
                text,
                product=log.get(part, name, "product", seed),
                previous=_previous_lesson(jobs, log, trial, text),
            )
        log.add(measurement)
        estimate.add(trial, measurement.seconds)
        print(f"  {_summary(measurement)}, {measurement.seconds:.0f} s", flush=True)


def _previous_lesson(
    jobs: Sequence[Job], log: MeasurementLog, trial: Trial, text: Text
) -> Measurement | None:
    """The last lesson before this text in its sequence that passed the gates."""
    previous = None
    for other_trial, other_text in jobs:
        if other_text is None or other_trial != trial or not text.domain:
            continue
        if other_text.name == text.name:
            break
        measurement = log.get(*_key(other_trial, other_text))
        if measurement and measurement.lesson and measurement.lesson.passed:
            previous = measurement
    return previous


def _summary(measurement: Measurement) -> str:
    if measurement.failed:
        return f"failed: {measurement.failed}"
    if measurement.lesson is None:
        return ", ".join(f"{name} {value:.1f}" for name, value in measurement.figures.items())
    correct = proportion_correct(results_of_kind([measurement], "own"), "adapter")
    gates = "passed" if measurement.lesson.passed else "; ".join(measurement.lesson.reasons)
    return f"closed-book {correct.value:.2f} of {correct.count}, gates: {gates}"


def _key(trial: Trial, text: Text | None) -> tuple[str, str, str, int]:
    return trial.part.name, text.name if text else trial.part.name, trial.variant, trial.seed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measures learning from real text.")
    parser.add_argument("--data", type=Path, help="folder with squad/, manuals/ and rust-book/")
    parser.add_argument("--model", help="a model's name or folder; default: the one in use")
    parser.add_argument("--home", type=Path, help=f"default: {HOME}, or {HOME}-quick")
    parser.add_argument(
        "--parts",
        help="comma-separated: reading, squad-N, squad-1, manual-httpx, manual-pihole, rust-book, sequence-N,"
        f" tollan-ferry; append :VARIANT for another way of training ({', '.join(VARIANTS)})",
    )
    parser.add_argument("--seeds", default="0", help="comma-separated; most parts use only the first one")
    parser.add_argument("--ablations", action="store_true", help="run the ablations of the recipe")
    parser.add_argument("--quick", action="store_true", help="the sample library only; under five minutes")
    parser.add_argument("--report", action="store_true", help="rewrite the pages without measuring")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark and writes the page."""
    parser = _parser()
    options = parser.parse_args(arguments)
    home: Path = options.home or (HOME.with_name(f"{HOME.name}-quick") if options.quick else HOME)
    if options.data is None and not options.quick:
        parser.error("--data is needed: the folder with squad/, manuals/ and rust-book/; or --quick")
    default = SMOKE if options.quick else ABLATION if options.ablations else DEFAULT
    names = [name for name in (options.parts or "").split(",") if name] or default
    try:
        seeds = [int(seed) for seed in options.seeds.split(",")]
        jobs = jobs_of(trials(names, seeds), options.data or Path())
    except (OSError, ValueError) as error:
        parser.error(f"{error}; --data is the folder with squad/, manuals/ and rust-book/")
    model = resolve_model(read_settings(**({"model": options.model} if options.model else {})))
    home /= model.name
    home.mkdir(parents=True, exist_ok=True)
    path = home / "measured.jsonl"
    if not options.report:
        with sole_worker(home / "worker.lock"):  # two runs would overwrite each other's library
            if options.quick and not options.parts:
                path.unlink(missing_ok=True)
            data = None if options.quick else options.data
            run(jobs, MeasurementLog(path), IsolatedBench(model, home), data)
    result = result_of(MeasurementLog(path), options)
    write(result)
    print((FOLDER / f"{result.name}.md").read_text(encoding="utf-8"))


def result_of(log: MeasurementLog, options: argparse.Namespace) -> Result:
    """The page for these options, from all measurements in the log."""
    target = "bench-ablations" if options.ablations else "bench-learning"
    suffix = "-quick" if options.quick else ""
    words = [
        f"make {target}",
        "QUICK=1" if options.quick else f"DATA={options.data}",
        f"SEEDS={options.seeds}" if options.seeds != "0" else "",
        f"MODEL={options.model}" if options.model else "",
        f"PARTS={options.parts}" if options.parts else "",
    ]
    command = " ".join(word for word in words if word)
    if options.ablations:
        return ablations(log.all, name=f"learning-ablations{suffix}", command=command)
    return page(log.all, name=f"learning{suffix}", command=command)


if __name__ == "__main__":
    main()
