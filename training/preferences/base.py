"""The protocol of preference trainers: pairs and a recipe in, an adapter folder out."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from memory.records.feedback import PreferencePair
from training.backends.base import Example, OnProgress, TrainingSummary
from training.base_model import StudiedModel
from training.preferences.recipes import PreferenceRecipe


class Beside(NamedTuple):
    """What is held while preferences are trained."""

    replay: Sequence[Example]
    """The base model's own answers."""
    lessons: Sequence[Example]
    """Questions and answers of the lessons that the start knows; it has to keep its own distribution on
    them."""


class PreferenceTrainer(Protocol):
    """The signature of a function that trains preferences."""

    def __call__(
        self,
        base: StudiedModel,
        pairs: Sequence[PreferencePair],
        beside: Beside,
        recipe: PreferenceRecipe,
        out: Path,
        on_progress: OnProgress,
        *,
        start: Path | None = None,
    ) -> TrainingSummary:
        """Writes exactly `adapter_config.json` and `adapter_model.safetensors` to the folder `out`.

        `start` is the folder of the adapter to go on from; it is not changed. Raises PreferencesRefused
        without a pair that fits, BaseModelUnusable, TrainingDiverged.
        """
        ...
