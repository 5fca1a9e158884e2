"""Revision tasks, dependencies and models for tests of revision."""

from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.messages import BaseMessage

from agent.chat.answer_from_sources import AskModel
from agent.chat.sentence_candidates import rerank, shortlist
from agent.engines.base import Reply, Sampling
from agent.engines.scripted import Line, ScriptedEngine
from agent.grading import DECLINE_PHRASES, is_correct
from agent.nights.revision.lessons import Lessons
from agent.nights.revision.revise import RevisionDeps
from agent.nights.revision.task import RevisionTask
from memory.embedding.embedder import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.records.access import EVERYTHING
from memory.records.interactions import Interaction, LoggedMessage
from memory.records.knowledge import Evidence, Findings
from memory.records.nights import AnswerScore
from memory.semantic.volatile import VolatileSemanticMemory
from tests.support.cards import card
from tests.support.facts import passage
from tests.support.interactions import NOON, interaction

EMBEDDER = HashingEmbedder()
QUESTION = "What is the maximum load of the Quorbin?"
LOAD = "The maximum load of the Quorbin is 40 kilograms."
PAGE = f"The Quorbin is a crane in the harbour of Lerwick. {LOAD} It was built in 1974."
SCORES = {True: 8.0, False: 2.0}
"""Of right and wrong answers."""


class Model:
    """A model with a script, which remembers its prompts."""

    def __init__(self, script: str | Callable[[str], str]) -> None:
        self.prompts: list[str] = []
        self.samplings: list[Sampling] = []
        self._script = script
        self._engine = ScriptedEngine(self._line)

    async def ask(self, messages: Sequence[BaseMessage], sampling: Sampling) -> Reply:
        self.prompts.append(messages[-1].text)
        self.samplings.append(sampling)
        return await self._engine.chat(messages, sampling=sampling)

    def _line(self, messages: Sequence[BaseMessage]) -> Line:
        text = self._script(messages[-1].text) if callable(self._script) else self._script
        return Line(text=text)


async def no_model(messages: Sequence[BaseMessage], sampling: Sampling) -> Reply:
    """A model that must not be asked."""
    raise AssertionError("the model was asked")


def task(question: str = QUESTION, *texts: str, **fields: Any) -> RevisionTask:
    """A task whose sources are the sentences of documents with these texts."""
    pages = [passage(text, source=f"{n}.md", title="Cranes") for n, text in enumerate(texts or (PAGE,))]
    evidence = tuple(Evidence(passage=page, score=0.8, found_by=("vector",)) for page in pages)
    candidates = shortlist(question, Findings(query=question, evidence=evidence))
    return RevisionTask(
        **{
            "question": question,
            "before": "It is 95 kilograms.",
            "critique": "The text does not say it.",
            "sources": rerank(question, candidates, EMBEDDER),
            "language": "en",
            "context": 2048,
            "declines": DECLINE_PHRASES,
            **fields,
        }
    )


def turn(answer: str, question: str = QUESTION, **fields: Any) -> Interaction:
    """A logged turn without citations."""
    defaults: dict[str, Any] = {
        "question": question,
        "answer": answer,
        "messages": (LoggedMessage(role="user", content=question),),
        "outcome": "answered",
        "citations": (),
    }
    return interaction("i1", **defaults | fields)


def scored(turn: Interaction, value: float = 2.0) -> AnswerScore:
    return AnswerScore(interaction_id=turn.id, value=value, criteria={}, scorer="test-1", created_at=NOON)


def graded(*references: str) -> Callable[[Interaction], Any]:
    """Scores answers that contain a reference 8, and others 2."""

    async def score(turn: Interaction) -> AnswerScore:
        return scored(turn, SCORES[is_correct(turn.answer, references)])

    return score


async def deps(ask: AskModel, *texts: str, **parts: Any) -> RevisionDeps:
    """Dependencies over a library of documents with these texts; 40 kilograms is right."""
    episodic = VolatileEpisodicMemory(EMBEDDER)
    await episodic.add([passage(text, source=f"{n}.md", title="Cranes") for n, text in enumerate(texts)])
    defaults: dict[str, Any] = {
        "score": graded("40 kilograms"),
        "semantic": VolatileSemanticMemory(),
        "access": EVERYTHING,
        "embedder": EMBEDDER,
        "card": card(),
        "lessons": Lessons(EMBEDDER),
    }
    return RevisionDeps(ask=ask, episodic=episodic, **defaults | parts)
