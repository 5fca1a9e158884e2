"""One training run of `gpu_check`: `python -m benchmarks.gpu.train unsloth --base FOLDER --out FOLDER`.

Each run has a process of its own, because Unsloth changes transformers and TRL when it is imported.
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
"""Invented things. The two lessons say different things of the same names, so mixed-up adapters show."""
ROUNDS = 40
"""Times that every wording is taught: 40 steps, of which the first compile kernels."""
WARM_UP = 0.25
"""Share of the steps that are left out where speed is measured."""
RUN = "run.json"


class TrainingRun(Record):
    """What one run did."""

    backend: Backend
    device: str
    losses: tuple[float, ...]
    """Of every step."""
    step_seconds: tuple[float, ...]
    """Between the ends of two steps: one fewer than there are losses."""
    seconds: float
    """The whole run with loading and saving."""
    tokens: int
    peak_gb: float
    """Most GPU memory that tensors held; 0 on a CPU."""

    @property
    def steady_step(self) -> float:
        """Median seconds of a step after the warm-up."""
        return median(self.step_seconds[round(WARM_UP * len(self.step_seconds)) :])

    @property
    def tokens_per_second(self) -> float:
        """Tokens, without padding, that a steady step gets through."""
        return self.tokens / len(self.losses) / self.steady_step

    @property
    def last_loss(self) -> float:
        """Mean over the last tenth of the steps."""
        last = self.losses[-max(1, len(self.losses) // 10) :]
        return sum(last) / len(last)


def examples(base: StudiedModel, lesson: Lesson, rounds: int, recipe: Recipe) -> list[Example]:
    """Every wording `rounds` times, and the base model's own answers beside them."""
    taught = [
        single(wording.format(name=name), answer)
        for name, answer in LESSONS[lesson].items()
        for wording in WORDINGS
    ]
    return [*taught * rounds, *replay_examples(base, recipe)]


def train(backend: Backend, folder: Path, lesson: Lesson, rounds: int, out: Path) -> TrainingRun:
    """Trains with the standard recipe; the adapter and the record are written to `out`."""
    base = open_base_model(folder)
    recipe = standard(base.card)
    losses: list[float] = []
    ends: list[float] = []

    def on_progress(step: int, steps: int, loss: float) -> None:
        losses.append(loss)
        ends.append(time.perf_counter())

    summary = _trainer(backend)(base, examples(base, lesson, rounds, recipe), recipe, out, on_progress)
    import torch

    on_gpu = torch.cuda.is_available()
    run = TrainingRun(
        backend=backend,
        device=torch.cuda.get_device_name() if on_gpu else "CPU",
        losses=tuple(losses),
        step_seconds=tuple(after - before for before, after in itertools.pairwise(ends)),
        seconds=summary.seconds,
        tokens=summary.tokens,
        peak_gb=torch.cuda.max_memory_allocated() / 1e9 if on_gpu else 0.0,
    )
    (out.parent / f"{out.name}.{RUN}").write_text(run.model_dump_json(), encoding="utf-8")
    return run


def read_run(out: Path) -> TrainingRun:
    """The record of the run whose adapter is in `out`."""
    return TrainingRun.model_validate_json((out.parent / f"{out.name}.{RUN}").read_bytes())


def _trainer(backend: Backend) -> Trainer:
    if backend == "unsloth":
        from training.backends.unsloth import train as unsloth  # before anything imports transformers or TRL

        return unsloth
    from training.backends.peft import train as peft

    return peft


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
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
