"""Runs each measurement in its own process to free its memory: three texts in one process took 18 GB."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from agent.models.store import AddedModel
from benchmarks.learning.data import Text
from benchmarks.learning.measure import Bench
from benchmarks.learning.parts import Trial, find_part
from benchmarks.learning.records import Measurement


class IsolatedBench:
    """A Bench that measures in a new process each time."""

    def __init__(self, model: AddedModel, home: Path) -> None:
        self._model, self._home = model, home

    def measure(
        self,
        trial: Trial,
        text: Text,
        *,
        product: Measurement | None = None,
        previous: Measurement | None = None,
    ) -> Measurement:
        """See Bench.measure."""
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            arguments = (self._model, self._home, trial.part.name, trial.variant, trial.seed, text)
            return pool.submit(_measure, *arguments, product, previous).result()


def _measure(
    model: AddedModel,
    home: Path,
    part: str,
    variant: str,
    seed: int,
    text: Text,
    product: Measurement | None,
    previous: Measurement | None,
) -> Measurement:
    trial = Trial(find_part(part), variant, seed)  # parts contain functions, which cannot be pickled
    return Bench(model, home).measure(trial, text, product=product, previous=previous)
