"""The ways to answer questions about a conversation: from nothing, from parts of it, and from its nights."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from langchain_core.messages import HumanMessage

from agent.chat.gate import measure_uncertainty
from agent.errors import PromptTooLong
from agent.grading import admits_ignorance
from agent.nights.statements.facts import conversation_passages
from benchmarks.night.bench import Bench
from benchmarks.night.contexts import extractive_summary, latest_turns
from benchmarks.night.library import Library, add_documents, open_library
from benchmarks.night.lines import Lines
from benchmarks.night.locomo_data import Conversation, LocomoQuestion, Session
from benchmarks.night.service import NightService
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.ingest.documents import RawDocument
from memory.records.adapters import Adapter
from memory.records.base import Record
from memory.records.interactions import AnswerGate
from memory.records.knowledge import Citation

Arm = Literal[
    "nothing", "recent context", "compacted context", "full conversation", "retrieval", "statements",
    "nights", "last trained adapter", "both",
]  # fmt: skip
Moment = Literal["first", "last"]
"""After the first night, or after the last."""
AFTER_FIRST: tuple[Arm, ...] = ("nothing", "nights", "statements")
AFTER_LAST: tuple[Arm, ...] = (
    "nothing", "recent context", "compacted context", "full conversation", "retrieval", "statements",
    "nights", "last trained adapter", "both",
)  # fmt: skip
MAX_STATEMENTS = 100_000
AT_ONCE = 8
"""Questions that are answered together."""


class Answer(Record):
    """An answer, and whether it was given."""

    text: str
    quotes: str = ""
    declined: bool
    """By the gate, by the model's own words, or because no source answers."""


class Evaluated(Record):
    """One question answered in one way."""

    moment: Moment
    arm: Arm
    question: LocomoQuestion
    answer: Answer

    @property
    def contained(self) -> bool:
        """Whether the answer or its quotes hold the gold answer, whatever the gate says."""
        answered = self.question.is_answered_by
        return answered(self.answer.text) or answered(self.answer.quotes)

    @property
    def right(self) -> bool:
        """Whether an unanswerable question was declined, or the answer holds the gold answer."""
        return self.contained if self.question.answerable else self.answer.declined


@dataclass
class Arms:
    """What the ways of answering work with."""

    bench: Bench
    service: NightService
    sessions: Library
    """Each session as a document."""
    documents: tuple[RawDocument, ...]
    """The sessions."""
    domain: str
    """Also names the unit that the conversation belongs to."""
    live_adapter: Adapter | None = None
    trained: Adapter | None = None
    """The adapter that was trained last, whether or not its gates passed."""

    async def answerers(self, so_far: Sequence[Session]) -> Mapping[Arm, "Answerer"]:
        """The ways to answer, after a night; those without an adapter are the base model's."""
        registry, engine = self.service.runtime.registry, self.bench.engine
        self.live_adapter = await asyncio.to_thread(registry.live, self.domain)
        trained = await asyncio.to_thread(registry.list, self.domain)
        self.trained = trained[-1] if trained else None
        for adapter in (self.live_adapter, self.trained):
            if adapter is not None and adapter.name not in await engine.loaded():
                await engine.load(adapter.name, Path(adapter.path))
        statements = await self._statements()
        context = self.bench.card.context
        live, last = self.live_adapter, self.trained
        return {
            "nothing": lambda q: self._closed_book(q.text, None),
            "recent context": self._with_context(latest_turns(so_far[-1:], context)),
            "compacted context": self._with_context(extractive_summary(so_far, context)),
            "full conversation": self._with_context(latest_turns(so_far, context)),
            "retrieval": lambda q: _from_sources(self.sessions, q.text),
            "statements": lambda q: _from_sources(statements, q.text),
            "nights": lambda q: self._closed_book(q.text, live),
            "last trained adapter": lambda q: self._closed_book(q.text, last),
            "both": lambda q: self._chat(q.text),
        }

    async def _closed_book(self, prompt: str, adapter: Adapter | None) -> Answer:
        card = self.bench.card
        gate: AnswerGate = card.gate if adapter is None else adapter.gate
        reply = await self.sessions.closed_book(prompt, None if adapter is None else adapter.name)
        abstained = admits_ignorance(reply.text, card.declines)
        measured = measure_uncertainty(reply.tokens, gate, abstained=abstained)
        return Answer(text=reply.text, declined=measured.decision != "confident")

    def _with_context(self, text: str) -> "Answerer":
        async def answer(question: LocomoQuestion) -> Answer:
            lines = text.split("\n")
            while True:
                try:
                    return await self._closed_book("\n".join([*lines, "", question.text]), None)
                except PromptTooLong:  # the length was estimated
                    lines = lines[max(1, len(lines) // 10) :]

        return answer

    async def _chat(self, question: str) -> Answer:
        turn = await self.service.ask([HumanMessage(question)], unit=self.domain, store=False)
        return Answer(text=turn.answer, quotes=_quotes(turn.citations), declined=turn.outcome == "abstained")

    async def _statements(self) -> Library:
        """The statements that hold, each as a document, without anything trained."""
        nights = self.service.runtime.nights
        stated = await nights.statements(domain=self.domain, status="current", limit=MAX_STATEMENTS)
        episodic = VolatileEpisodicMemory(self.bench.embedder)
        await episodic.add(conversation_passages(stated))
        return self.sessions.with_passages(episodic)


Answerer = Callable[[LocomoQuestion], Awaitable[Answer]]


async def open_arms(
    bench: Bench,
    service: NightService,
    conversation: Conversation,
    home: Path,
    domain: str,
) -> Arms:
    """Ingests the sessions as documents into a library beside the service's, for retrieval."""
    documents = tuple(
        RawDocument(
            source=f"session-{session.number:02d}.txt",
            data=session.text.encode(),
            media_type="text/plain",
            title=f"{session.date.day} {session.date:%B %Y}",
        )
        for session in conversation.sessions
    )
    library = await open_library(bench, home / "sessions", documents, domain)
    return Arms(bench, service, library, documents, domain)


async def answer_all(
    arms: Arms,
    moment: Moment,
    questions: Sequence[LocomoQuestion],
    so_far: Sequence[Session],
    evaluated: Lines[Evaluated],
) -> None:
    """Answers the questions in every way; those that an earlier run has answered are not asked again."""
    done = {(each.moment, each.arm, each.question.text) for each in evaluated.all}
    chosen = AFTER_FIRST if moment == "first" else AFTER_LAST
    if all((moment, arm, q.text) in done for arm in chosen for q in questions):
        await arms.answerers(so_far)  # for the adapters
        return
    if moment == "last":
        memory = arms.service.runtime  # `both` answers from the sessions too, which the nights did not have
        await add_documents(arms.bench, arms.documents, arms.domain, memory.episodic, memory.semantic)
    answerers = await arms.answerers(so_far)
    progress = arms.bench.progress(f"questions after the {moment} night", len(questions) * len(chosen))
    for arm in chosen:
        for start in range(0, len(questions), AT_ONCE):
            part = questions[start : start + AT_ONCE]
            missing = [question for question in part if (moment, arm, question.text) not in done]
            answers = await asyncio.gather(*map(answerers[arm], missing))
            for question, answer in zip(missing, answers, strict=True):
                evaluated.add(Evaluated(moment=moment, arm=arm, question=question, answer=answer))
            progress.step(len(part))


async def _from_sources(library: Library, question: str) -> Answer:
    found = await library.from_sources(question)
    if found is None:
        return Answer(text="", declined=True)
    return Answer(text=found.text, quotes=_quotes(found.citations), declined=False)


def _quotes(citations: Sequence[Citation]) -> str:
    return " ".join(citation.quote for citation in citations)
