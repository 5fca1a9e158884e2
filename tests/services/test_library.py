"""The example library through the real stores and the real embeddings."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from memory.embedding.embedder import SentenceEmbedder
from memory.episodic.lance import LanceEpisodicMemory
from memory.ingest.folders import read_target
from memory.ingest.pipeline import ingest
from memory.records.access import EVERYTHING
from memory.records.knowledge import Findings
from memory.retrieval.hybrid import retrieve
from memory.semantic.embedded import running, socket_path
from memory.semantic.falkor import FalkorSemanticMemory

pytestmark = pytest.mark.services

LIBRARY = Path(__file__).parents[2] / "examples" / "library"


@dataclass(frozen=True)
class Stores:
    """Both real memories."""

    episodic: LanceEpisodicMemory
    semantic: FalkorSemanticMemory

    async def find(self, query: str) -> Findings:
        return await retrieve(
            query, episodic=self.episodic, semantic=self.semantic, limit=4, access=EVERYTHING
        )


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    async with running(tmp_path / "graph"):
        episodic = await LanceEpisodicMemory.open(tmp_path / "episodic", SentenceEmbedder())
        semantic = await FalkorSemanticMemory.open(str(socket_path(tmp_path / "graph")))
        yield Stores(episodic, semantic)
        await semantic.aclose()


async def test_the_library_is_read_once_and_found_by_meaning_and_by_name(stores: Stores) -> None:
    reports = [
        await ingest(
            read_target(str(LIBRARY / topic.name)),
            domain=topic.name,
            episodic=stores.episodic,
            semantic=stores.semantic,
        )
        for topic in sorted(LIBRARY.iterdir()) * 2
    ]
    first, second = reports[: len(reports) // 2], reports[len(reports) // 2 :]
    assert all(r.failed == () for r in reports)
    assert sum(r.facts for r in first) >= 60
    assert sum(r.documents + r.passages + r.facts for r in second) == 0

    named = await stores.find("What does the borrow checker prevent?")
    assert named.evidence[0].found_by == ("vector", "text", "graph")
    assert ("the borrow checker", "prevents") in {(f.subject, f.relation) for f in named.facts}

    meant = await stores.find("How do I keep rising bread in shape?")
    assert meant.evidence[0].passage.domain == "sourdough"

    strange = await stores.find("Who painted the ceiling of a chapel in Rome?")
    assert strange.facts == ()
    # The closest passage has 0.3 for being that, whatever the question.
    assert max(hit.score for hit in strange.evidence) < 0.4 < named.evidence[0].score
