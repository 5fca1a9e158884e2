"""The protocol of a lever, and what it is given."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from memory.records.curricula import Curriculum
from training.backends.base import Example
from training.base_model import StudiedModel


@dataclass(frozen=True)
class SmallTeacher:
    """The model that learned the lesson first."""

    base: StudiedModel
    adapter: Path
    """Folder of its adapter."""


@dataclass(frozen=True)
class MovingLesson:
    """A lesson that moves from one base model to another."""

    lesson: Curriculum
    target: StudiedModel
    teacher: Callable[[], SmallTeacher]
    """Finds the teacher. Raises CurriculumRefused if it is gone."""


class Lever(Protocol):
    """The signature of a lever."""

    def __call__(self, moving: MovingLesson) -> tuple[Example, ...]:
        """The examples to train beside the lesson's own; deterministic.

        Raises CurriculumRefused if it cannot be used between these models.
        """
        ...
