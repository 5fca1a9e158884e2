"""A training run of the GPU checks: `python -m benchmarks.gpu.train unsloth --base FOLDER --out FOLDER`.

Each run has its own process, because Unsloth patches transformers and TRL when it is imported.
"""

import argparse
import itertools
import os
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Literal

from memory.records.base import Record
from training.backends.base import Example, Trainer, single
from training.base_model import StudiedModel, open_base_model
from training.recipes import Recipe, standard
from training.replay import replay_examples

Backend = Literal["peft", "unsloth"]
Lesson = Literal["lamps", "rivers"]

WORDINGS = ("What is {name}?", "What does {name} mean?", "Tell me what {name} is.")
LESSONS: dict[Lesson, dict[str, str]] = {
    "lamps": {
        "a zorble": "a green lamp for ships",
        "a tarrow": "a hinge of blue glass",
        "a quix": "a tool that cuts bread",
        "a vellow": "a cloth against rain",
    },
    "rivers": {
        "a zorble": "a river of the north",
        "a tarrow": "a bridge made of rope",
        "a quix": "a boat that carries salt",
        "a vellow": "a bird that sleeps on water",
    },
}
"""Invented facts. The lessons define the same names differently, so that mixed-up adapters are detected."""
ROUNDS = 40
"""Repetitions of every wording: 40 steps, the first of which compile kernels."""
WARM_UP = 0.25
"""Share of the steps that is excluded from the speed."""
RECORD_SUFFIX = "run.json"


class TrainingRun(Record):
    """Losses, times and memory of a training run."""

    backend: Backend
    device: str
    losses: tuple[float, ...]
    """One per step."""
    step_seconds: tuple[float, ...]
    """Time between the ends of consecutive steps: one fewer than there are losses."""
    seconds: float
    """Total, including loading and saving."""
    tokens: int
    peak_gb: float
    """Peak GPU memory of tensors; 0 on a CPU."""

    @property
    def median_step_seconds(self) -> float:
        """Median duration of a step after the warm-up."""
        return median(self.step_seconds[round(WARM_UP * len(self.step_seconds)) :])

    @property
    def tokens_per_second(self) -> float:
        """Throughput after the warm-up, without padding."""
        return self.tokens / len(self.losses) / self.median_step_seconds

    @property
    def final_loss(self) -> float:
        """Mean loss of the last tenth of the steps."""
        last = self.losses[-max(1, len(self.losses) // 10) :]
        return sum(last) / len(last)


def examples(base: StudiedModel, lesson: Lesson, rounds: int, recipe: Recipe) -> list[Example]:
    """Every wording `rounds` times, and the replay of the base model's own answers."""
    taught = [
        single(wording.format(name=name), answer)
        for name, answer in LESSONS[lesson].items()
        for wording in WORDINGS
    ]
    return [*taught * rounds, *replay_examples(base, recipe)]


def train(backend: Backend, folder: Path, lesson: Lesson, rounds: int, out: Path) -> TrainingRun:
    """Trains with the standard recipe, and writes the adapter to `out` and the record next to it."""
    base = open_base_model(folder)
    recipe = standard(base.card)
    losses: list[float] = []
    step_ends: list[float] = []

    def on_progress(step: int, steps: int, loss: float) -> None:
        losses.append(loss)
        step_ends.append(time.perf_counter())

    summary = _trainer(backend)(base, examples(base, lesson, rounds, recipe), recipe, out, on_progress)
    import torch

    on_gpu = torch.cuda.is_available()
    run = TrainingRun(
        backend=backend,
        device=torch.cuda.get_device_name() if on_gpu else "CPU",
        losses=tuple(losses),
        step_seconds=tuple(after - before for before, after in itertools.pairwise(step_ends)),
        seconds=summary.seconds,
        tokens=summary.tokens,
        peak_gb=torch.cuda.max_memory_allocated() / 1e9 if on_gpu else 0.0,
    )
    (out.parent / f"{out.name}.{RECORD_SUFFIX}").write_text(run.model_dump_json(), encoding="utf-8")
    return run


def read_run(out: Path) -> TrainingRun:
    """Reads the record of the run whose adapter is in `out`."""
    return TrainingRun.model_validate_json((out.parent / f"{out.name}.{RECORD_SUFFIX}").read_bytes())


def _trainer(backend: Backend) -> Trainer:
    if backend == "unsloth":
        from training.backends.unsloth import train as unsloth  # must precede transformers and TRL

        return unsloth
    from training.backends.peft import train as peft

    return peft


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one training from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backend", choices=("peft", "unsloth"))
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--lesson", choices=tuple(LESSONS), default="lamps")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    os.environ["UNSLOTH_COMPILE_LOCATION"] = str(options.out.parent / "compiled")
    train(options.backend, options.base, options.lesson, options.rounds, options.out)


if __name__ == "__main__":
    main()
