"""What every part of the night benchmark works with, and the lines by which it reports progress."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.engines.base import Engine
from agent.models.card import ModelCard
from memory.embedding.embedder import Embedder


@dataclass(frozen=True)
class Bench:
    """The model, the data, the home folder, and how much is measured."""

    home: Path
    data: Path
    card: ModelCard
    engine: Engine
    embedder: Embedder
    model_folder: Path | None = None
    """Folder of the base model; without it nothing is trained."""
    quick: bool = False
    conversations: tuple[str, ...] = ()
    """Conversations of LoCoMo by id; empty for all."""
    nights: int = 6
    """Nights per conversation."""
    questions: int | None = None
    """Questions per kind at most; None for each part's own number."""
    ray: str | None = None
    """Address of a Ray cluster; None starts one of two workers on this machine."""
    say: Callable[[str], None] = lambda line: print(line, flush=True)

    def most(self, whole: int, quick: int) -> int:
        """The number of questions of a kind: what was asked for, or the part's own."""
        return self.questions or (quick if self.quick else whole)

    def progress(self, what: str, total: int) -> "Progress":
        """Progress of `total` equal pieces of work."""
        return Progress(self.say, what, total)


class Progress:
    """Prints what is done, and estimates how long the rest takes from the time per piece so far."""

    def __init__(
        self,
        say: Callable[[str], None],
        what: str,
        total: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say, self._what, self._total, self._clock = say, what, total, clock
        self._started = self._said = clock()
        self._done = 0

    def step(self, count: int = 1) -> None:
        """Counts finished pieces; prints at most every ten seconds, and at the end."""
        self._done += count
        now = self._clock()
        if now - self._said < 10 and self._done < self._total:
            return
        self._said = now
        left = (now - self._started) / self._done * (self._total - self._done)
        self._say(f"{self._what}: {self._done} of {self._total}, {left / 60:.1f} minutes left")
