"""Owns the ablations of the recipe: `python -m training.bench.ablations` changes one lever at a time.

Each is measured as the rivals are (`methods`), on the topics of development.
"""

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from agent.scoring import abstained

from agent.settings import SHIPPED_MODEL
from memory.results import FOLDER, Result, write
from training.bench.learning import FULL, lesson_of, say
from training.bench.learning_page import methods_figures, methods_table
from training.bench.methods import (
    OURS,
    Lesson,
    Method,
    Run,
    as_the_worker_does,
    side_by_side,
)
from training.bench.topics import topics
from training.dataset import NAMING
from training.recipes import Recipe, standard
from training.trainer import Example

SIZES = FULL.sizes.model_copy(update={"known": 300, "unknown": 200})
ALL_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def without_refusals(lesson: Lesson, recipe: Recipe) -> Sequence[Example]:
    """No unknown words are replayed."""
    return [example for example in as_the_worker_does(lesson, recipe) if not abstained(example.answer)]


def in_words(lesson: Lesson, recipe: Recipe) -> Sequence[Example]:
    """What is replayed is trained with its right answers; nothing is held to the base model."""
    return [example.model_copy(update={"held": False}) for example in as_the_worker_does(lesson, recipe)]


def a_third_of_the_wordings(lesson: Lesson, recipe: Recipe) -> Sequence[Example]:
    """Every third pair, so that each is taught three times as often."""
    told = lesson.curriculum.model_copy(update={"pairs": lesson.curriculum.pairs[::3]})
    return as_the_worker_does(replace(lesson, curriculum=told), recipe)


def forward_only(lesson: Lesson, recipe: Recipe) -> Sequence[Example]:
    """No pair that asks for the subject."""
    pairs = tuple(pair for pair in lesson.curriculum.pairs if pair.form not in NAMING)
    told = lesson.curriculum.model_copy(update={"pairs": pairs})
    return as_the_worker_does(replace(lesson, curriculum=told), recipe)


def changed(name: str, **changes: object) -> Method:
    """Ours with other numbers in its recipe."""
    return Method(name, as_the_worker_does, changes, equal_tokens=False)


ABLATIONS = (
    OURS,
    changed("taught questions not disturbed", disturbed=0.0),
    changed("hidden states free", features=0.0),
    changed("replay by hidden states alone", distillation=0.0),
    Method("known facts replayed in words, not held", in_words, equal_tokens=False),
    changed("no kinds replayed that are to be inferred", inference=0.0),
    Method("no refusals replayed", without_refusals, equal_tokens=False),
    Method("a third of the wordings, thrice as often", a_third_of_the_wordings, equal_tokens=False),
    Method("never asked for the subject", forward_only, equal_tokens=False),
    changed("rank 8", rank=8, alpha=16),
    changed("rank 64", rank=64, alpha=128),
    changed("all linear layers", modules=ALL_LINEAR),
    changed("half the learning rate", learning_rate=standard().learning_rate / 2),
    changed("twice the learning rate", learning_rate=standard().learning_rate * 2),
    changed("1.5 times the exposures", exposures=standard().exposures * 3 // 2),
)


def main() -> int:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(
        prog="python -m training.bench.ablations",
        description="Trains with one lever of the recipe changed at a time; progress goes to standard error.",
    )
    parser.add_argument("--seeds", type=int, default=2, help="lessons that each is trained on (default: 2)")
    parser.add_argument("--out", type=Path, default=FOLDER, help=f"folder of the results (default: {FOLDER})")
    options = parser.parse_args()
    if options.seeds < 1:
        parser.error("--seeds must be at least 1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    started = time.monotonic()
    lessons = [(topic, lesson_of(topic)) for topic in topics(options.seeds, FULL.short)]
    runs = side_by_side(str(SHIPPED_MODEL), lessons, ABLATIONS, standard(), SIZES, say)
    command = f"make bench-ablations SEEDS={options.seeds}"
    write(told(command, time.monotonic() - started, runs), options.out)
    print((options.out / "ablations.md").read_text(encoding="utf-8"))
    return 0


def told(command: str, seconds: float, runs: Sequence[Run]) -> Result:
    """The whole result; ablations have no goals."""
    return Result(
        name="ablations",
        title="What each lever of the recipe does",
        command=command,
        seconds=seconds,
        figures=methods_figures(runs),
        goals={},
        tables=(
            methods_table(
                runs,
                title="One lever at a time",
                text=(
                    f"One lesson of {FULL.short} facts from the base model for each seed, everything but what"
                    " is named as in `ours`: mean and standard deviation."
                ),
            ),
        ),
    )


if __name__ == "__main__":
    raise SystemExit(main())
