"""Search times at 6,000 and 100,000 passages: copies of a set's passages with other names and vectors."""

import itertools
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.retrieval.cached_embedder import CachedEmbedder
from benchmarks.retrieval.data import Set
from benchmarks.retrieval.measure import BATCH, Milliseconds, percentiles, time_searches
from memory.embedding.embedder import Vectors
from memory.episodic.lance import LanceEpisodicMemory
from memory.records.base import digest_of
from memory.records.knowledge import Passage

SIZES = (6_000, 100_000)
NOISE = 0.05
"""Standard deviation of what is added to each component of a copy's vector, which is about 0.05 itself."""
_NAME = re.compile(r"\b[A-Z][a-z]{3,}")


class NoisyEmbedder(CachedEmbedder):
    """Gives passages the cached vectors with noise, instead of embedding a hundred thousand copies."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._rng = np.random.default_rng(0)
        self._base = np.stack(list(self._vectors.values()))

    def embed(self, texts: Sequence[str]) -> Vectors:
        if len(texts) == 1:
            return super().embed(texts)
        rows = self._base[self._rng.integers(len(self._base), size=len(texts))]
        noisy = rows + self._rng.normal(0.0, NOISE, rows.shape).astype(np.float32)
        unit: Vectors = noisy / np.linalg.norm(noisy, axis=1, keepdims=True)
        return unit


async def measure_scale(
    set_: Set, home: Path, sizes: Sequence[int] = SIZES
) -> dict[int, tuple[Milliseconds, Milliseconds]]:
    """The median and 95th percentile of a search's time, by number of passages."""
    folder = home / "lance" / "scale"
    shutil.rmtree(folder, ignore_errors=True)
    episodic = await LanceEpisodicMemory.open(folder, NoisyEmbedder(home / f"{set_.name}.npz"))
    copied = copies(set_.passages)
    stored = 0
    figures = {}
    for size in sizes:
        while stored < size:
            batch = [next(copied) for _ in range(min(BATCH, size - stored))]
            stored += await episodic.add(batch)
            print(f"scale: {stored} passages", flush=True)
        figures[size] = percentiles(await time_searches([q.text for q in set_.questions], episodic))
    return figures


def copies(passages: Sequence[Passage]) -> Iterator[Passage]:
    """The passages, then copies of them without end, each with other names."""
    for copy in itertools.count():
        for passage in passages:
            yield passage.model_copy(
                update={
                    "id": digest_of([passage.id, copy])[:32],
                    "source": f"{copy}/{passage.source}",
                    "title": _renamed(passage.title, copy),
                    "text": _renamed(passage.text, copy),
                }
            )


def _renamed(text: str, copy: int) -> str:
    return _NAME.sub(rf"\g<0>{'o' * copy}", text)
