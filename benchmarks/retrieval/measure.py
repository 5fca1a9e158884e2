"""Measures each way of searching on one set: recall of gold passages, and time to index and search."""

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import numpy as np
import psutil  # type: ignore[import-untyped]

from benchmarks.retrieval.cached_embedder import CachedEmbedder
from benchmarks.retrieval.data import Question, Set
from memory.episodic.base import EpisodicMemory
from memory.episodic.lance import LanceEpisodicMemory
from memory.records.access import EVERYTHING
from memory.records.knowledge import Passage
from memory.retrieval.hybrid import find_candidates, retrieve
from memory.retrieval.signals import Signals, fitted_weights
from memory.semantic.volatile import VolatileSemanticMemory

RANKS = 50
"""Passages of each ranking that are read; ten documents are counted."""
BATCH = 1000
"""Passages per write."""
OURS = "ours"


def ways() -> Mapping[str, Signals]:
    """The weights of each way of searching."""
    ours = fitted_weights()
    return {
        "BM25": Signals(words=1.0),
        "vector": Signals(meaning=1.0),
        "vector + BM25": Signals(meaning=ours.meaning, words=ours.words),
        "graph": ours._replace(meaning=0.0, words=0.0),
        OURS: ours,
    }


class Milliseconds(NamedTuple):
    """The time that a search took."""

    wall: float
    cpu: float
    """Of all threads; says more where other programs use the machine."""


class Searches(NamedTuple):
    """The passages that each way finds for one question, best first."""

    question: Question
    ranked: Mapping[str, Sequence[Passage]]


class Measured(NamedTuple):
    """What was measured on one set."""

    searches: tuple[Searches, ...]
    passages: int
    index_seconds: float
    """Without embedding the passages."""
    embedded_per_second: float
    """Passages; 0 if all were in the cache."""
    times: tuple[Milliseconds, ...]
    """Of each question's search."""
    megabytes: float
    """Memory of this process, with the embedding model."""

    def recall(self, way: str, k: int, *, held_out: bool) -> float:
        """Mean recall of one half of the questions."""
        return mean(
            each.question.recall(each.ranked[way], k)
            for each in self.searches
            if each.question.held_out == held_out
        )


async def measure(set_: Set, home: Path) -> Measured:
    """Indexes the set below `home`, times the search for each of its questions, and ranks each way."""
    embedder = CachedEmbedder(home / f"{set_.name}.npz")
    folder = home / "lance" / set_.name
    shutil.rmtree(folder, ignore_errors=True)
    episodic = await LanceEpisodicMemory.open(folder, embedder)
    index_seconds = await index(episodic, embedder, set_.passages)
    times = await time_searches([question.text for question in set_.questions], episodic)
    searches = tuple([await _search(question, episodic) for question in set_.questions])
    return Measured(
        searches=searches,
        passages=len(set_.passages),
        index_seconds=index_seconds,
        embedded_per_second=embedder.embedded / embedder.seconds if embedder.seconds else 0.0,
        times=times,
        megabytes=psutil.Process().memory_info().rss / 2**20,
    )


async def index(episodic: EpisodicMemory, embedder: CachedEmbedder, passages: Sequence[Passage]) -> float:
    """Stores the passages and returns the seconds it took, without those of the embedder."""
    start, embedding = time.perf_counter(), embedder.seconds
    for first in range(0, len(passages), BATCH):
        await episodic.add(passages[first : first + BATCH])
    return time.perf_counter() - start - (embedder.seconds - embedding)


async def time_searches(questions: Sequence[str], episodic: EpisodicMemory) -> tuple[Milliseconds, ...]:
    """The time of each search, one after the other, after one that fills the caches."""
    times = []
    for question in (questions[0], *questions):
        start, cpu = time.perf_counter(), time.process_time()
        await retrieve(question, episodic=episodic, semantic=VolatileSemanticMemory(), access=EVERYTHING)
        times.append(Milliseconds(1000 * (time.perf_counter() - start), 1000 * (time.process_time() - cpu)))
    return tuple(times[1:])


def percentiles(times: Sequence[Milliseconds]) -> tuple[Milliseconds, Milliseconds]:
    """The 50th and the 95th."""
    p50, p95 = np.percentile(times, [50, 95], axis=0)
    return Milliseconds(*map(float, p50)), Milliseconds(*map(float, p95))


async def _search(question: Question, episodic: EpisodicMemory) -> Searches:
    found = await find_candidates(
        question.text, episodic=episodic, semantic=VolatileSemanticMemory(), access=EVERYTHING
    )
    best = {
        name: [each.id for each in found.ranked(weights)[:RANKS] if each.score > 0]
        for name, weights in ways().items()
    }
    passages = await episodic.get([id_ for ids in best.values() for id_ in ids], access=EVERYTHING)
    by_id = {passage.id: passage for passage in passages}
    return Searches(question, {name: [by_id[id_] for id_ in ids] for name, ids in best.items()})
