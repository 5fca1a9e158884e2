"""Measures each text in a process of its own, because memory adds up: three texts took 18 GB in one."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from agent.models.store import AddedModel
from benchmarks.learning.data import Text
from benchmarks.learning.measure import Bench
from benchmarks.learning.parts import Lot, part_of
from benchmarks.learning.records import Measured


class IsolatedBench:
    """A Bench whose memory is freed after each text."""

    def __init__(self, model: AddedModel, home: Path) -> None:
        self._model, self._home = model, home

    def measure(
        self, lot: Lot, text: Text, *, product: Measured | None = None, previous: Measured | None = None
    ) -> Measured:
        """See Bench.measure."""
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            arguments = (self._model, self._home, lot.part.name, lot.variant, lot.seed, text)
            return pool.submit(_measure, *arguments, product, previous).result()


def _measure(
    model: AddedModel,
    home: Path,
    part: str,
    variant: str,
    seed: int,
    text: Text,
    product: Measured | None,
    previous: Measured | None,
) -> Measured:
    lot = Lot(part_of(part), variant, seed)  # by name: a part holds functions, which cannot be pickled
    return Bench(model, home).measure(lot, text, product=product, previous=previous)
