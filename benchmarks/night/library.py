"""The library of people's questions: passages of SQuAD and two manuals, and how a model answers from it."""

import asyncio
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from langchain_core.messages import BaseMessage, HumanMessage

from agent.chat.answer_from_sources import SourcedAnswer, answer_from_sources
from agent.chat.model_calls import with_length_limit
from agent.engines.base import GREEDY, Engine, Reply, Sampling
from agent.learning.exploration import FIRST_PASSAGES
from agent.models.card import ModelCard
from benchmarks.night.bench import Bench
from memory.embedding.embedder import Embedder
from memory.episodic.base import EpisodicMemory
from memory.episodic.lance import LanceEpisodicMemory
from memory.ingest.documents import RawDocument
from memory.ingest.pipeline import ingest, read
from memory.records.access import EVERYTHING
from memory.retrieval.hybrid import retrieve
from memory.semantic.base import SemanticMemory
from memory.semantic.volatile import VolatileSemanticMemory

ANSWER_TOKENS = 48
"""Of an answer without sources: two sentences, so that small models do not ramble at our expense."""


@dataclass(frozen=True)
class Library:
    """Documents to answer from, and the model that answers."""

    engine: Engine
    card: ModelCard
    embedder: Embedder
    episodic: EpisodicMemory
    semantic: SemanticMemory

    async def ask(
        self, messages: Sequence[BaseMessage], sampling: Sampling = GREEDY, *, adapter: str | None = None
    ) -> Reply:
        """Calls the model like the chat graph."""
        limited = with_length_limit(sampling, self.card)
        return await self.engine.chat(messages, adapter=adapter, sampling=limited)

    async def from_sources(self, question: str) -> SourcedAnswer | None:
        """The answer from the documents; None if it is declined."""
        found = await retrieve(
            question, episodic=self.episodic, semantic=self.semantic, limit=FIRST_PASSAGES, access=EVERYTHING
        )
        return await answer_from_sources(
            question,
            [HumanMessage(question)],
            found,
            ask=self.ask,
            embedder=self.embedder,
            card=self.card,
        )

    async def closed_book(self, prompt: str, adapter: str | None = None) -> Reply:
        """The model's short answer to a prompt alone."""
        sampling = Sampling(max_tokens=ANSWER_TOKENS)
        return await self.ask([HumanMessage(prompt)], sampling, adapter=adapter)

    def with_passages(self, episodic: EpisodicMemory) -> "Library":
        """The same model with other documents, and no facts."""
        return dataclasses.replace(self, episodic=episodic, semantic=VolatileSemanticMemory())


async def open_library(bench: Bench, folder: Path, documents: Sequence[RawDocument], domain: str) -> Library:
    """Ingests the documents like the service; passages that are in `folder` already are not stored again."""
    episodic = await LanceEpisodicMemory.open(folder, bench.embedder)
    semantic = VolatileSemanticMemory()
    await add_documents(bench, documents, domain, episodic, semantic)
    return Library(bench.engine, bench.card, bench.embedder, episodic, semantic)


async def add_documents(
    bench: Bench,
    documents: Sequence[RawDocument],
    domain: str,
    episodic: EpisodicMemory,
    semantic: SemanticMemory,
) -> None:
    """Ingests documents whose passages may be stored, but whose facts are in memory only."""
    progress = bench.progress("documents", len(documents))
    for document in documents:
        await semantic.add((await asyncio.to_thread(read, document, domain))[1])
        await ingest([document], domain=domain, episodic=episodic, semantic=semantic)
        progress.step()
