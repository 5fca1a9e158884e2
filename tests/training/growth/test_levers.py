"""Levers: what is trained beside a lesson that moves, and when a lever cannot be used."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from memory.adapters.mlflow import MlflowAdapterRegistry
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.records.runs import Growth, Job
from tests.support.lessons import BASE, LESSON
from training.errors import CurriculumRefused
from training.growth.base import MovingLesson, SmallTeacher
from training.growth.levers import LEVERS, curriculum, growth_examples

GROWTH = Growth(onto=BASE.card.digest, source="cd" * 32)


def no_teacher() -> SmallTeacher:
    raise AssertionError("this lever needs no teacher")


def test_the_curriculum_lever_teaches_nothing_beside_the_lesson() -> None:
    assert curriculum(MovingLesson(LESSON, BASE, no_teacher)) == ()


def test_a_lesson_that_does_not_move_has_no_lever() -> None:
    job = Job(digest=LESSON.digest, domain="lamps", run_id="r1")
    registry = cast(MlflowAdapterRegistry, VolatileAdapterRegistry())
    assert growth_examples(job, LESSON, BASE, registry=registry, models=None) == ()
    moving = job.model_copy(update={"growth": GROWTH})
    assert growth_examples(moving, LESSON, BASE, registry=registry, models=None) == ()


def test_a_job_is_named_by_what_it_trains_and_by_the_base_that_it_moves_to() -> None:
    job = Job(digest=LESSON.digest, domain="lamps", run_id="r1")
    moving = job.model_copy(update={"growth": GROWTH})
    assert job.id == LESSON.digest
    assert moving.id == f"{LESSON.digest}.{BASE.card.digest[:16]}"


def test_log_probabilities_are_no_lever_between_different_tokenizers(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("small", "large")]
    for folder, token in zip(folders, ("a", "b"), strict=True):
        folder.mkdir()
        (folder / "tokenizer.json").write_text(f'{{"model": {{"vocab": {{"{token}": 0}}}}}}')
    small, large = (replace(BASE, folder=folder) for folder in folders)
    moving = MovingLesson(LESSON, large, lambda: SmallTeacher(small, tmp_path))
    with pytest.raises(CurriculumRefused, match="small and large have different tokenizers"):
        LEVERS["distillation"](moving)
