"""Answered questions about an invented pump, with the evidence that golden pairs are judged by."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np

from agent.nights.scoring.evidence import TurnEvidence
from agent.nights.topics.clusters import centre_of
from memory.embedding.embedder import Embedder
from memory.records.base import digest_of
from memory.records.feedback import Feedback
from memory.records.interactions import Interaction, LoggedMessage
from memory.records.knowledge import Citation, Evidence, Findings, Passage
from memory.records.nights import AnswerScore, GoldenPair, Night, Revision, Topic
from tests.support.interactions import NOON, interaction

NIGHT = Night(
    id="night-2",
    domain="rust",
    status="running",
    since=NOON,
    until=NOON + timedelta(days=1),
    began_at=NOON + timedelta(days=1),
)
MANUAL = {
    "pressure": "The pressure limit of the Zephyr pump is 40 bar.",
    "maker": "The Zephyr pump is made by Halvorsen in Bergen.",
    "oil": "The Zephyr pump needs no oil.",
    "stop": "The red lever stops the Zephyr pump.",
}
QUESTIONS = {
    "pressure": "What is the pressure limit of the Zephyr pump?",
    "maker": "Who makes the Zephyr pump?",
    "oil": "Does the Zephyr pump need oil?",
    "stop": "What stops the Zephyr pump?",
}


def passage(text: str, *, source: str = "zephyr.md", title: str = "Zephyr manual") -> Passage:
    return Passage(
        id=digest_of([source, text])[:16],
        source=source,
        title=title,
        domain="rust",
        text=text,
        start=0,
        end=len(text),
        digest=digest_of(text),
    )


def citation(name: str, *, source: str = "zephyr.md", title: str = "Zephyr manual") -> Citation:
    """A citation of the manual's sentence of this name, or of this text, in a passage of nothing else."""
    quote = MANUAL.get(name, name)
    return Citation(source=source, title=title, start=0, end=len(quote), quote=quote)


class Answered(NamedTuple):
    """A logged turn with its score and evidence."""

    turn: Interaction
    score: AnswerScore
    evidence: TurnEvidence

    def scored(self, value: float) -> "Answered":
        return self._replace(score=self.score.model_copy(update={"value": value}))

    def asking(self, question: str, *, messages: Sequence[LoggedMessage] = ()) -> "Answered":
        logged = tuple(messages) or (LoggedMessage(role="user", content=question),)
        return self._replace(turn=self.turn.model_copy(update={"question": question, "messages": logged}))

    def saying(self, answer: str, **fields: Any) -> "Answered":
        return self._replace(turn=self.turn.model_copy(update={"answer": answer, **fields}))

    def citing(self, *citations: Citation) -> "Answered":
        return self._replace(turn=self.turn.model_copy(update={"citations": citations}))

    def reading(self, *passages: Passage) -> "Answered":
        evidence = tuple(Evidence(passage=each, score=1.0, found_by=("text",)) for each in passages)
        findings = Findings(query=self.turn.question, evidence=evidence)
        return self._replace(evidence=self.evidence.model_copy(update={"findings": findings}))

    def with_feedback(self, *feedback: Feedback) -> "Answered":
        return self._replace(evidence=self.evidence.model_copy(update={"feedback": feedback}))


def answered(id: str, question: str, answer: str, cited: str) -> Answered:
    """A turn with a score of 9, whose answer cites a sentence of the manual."""
    cites = citation(cited)
    turn = interaction(
        id,
        question=question,
        answer=answer,
        messages=(LoggedMessage(role="user", content=question),),
        citations=(cites,),
        unit=f"unit {id}",
    )
    score = AnswerScore(interaction_id=id, value=9.0, criteria={}, scorer="test", created_at=NOON)
    empty = TurnEvidence(question=question, findings=Findings(query=question))
    return Answered(turn, score, empty).reading(passage(cites.quote))


def improved(before: Answered, answer: str, cited: str) -> Revision:
    return Revision(
        id=f"{NIGHT.id}-{before.turn.id}",
        night_id=NIGHT.id,
        interaction_id=before.turn.id,
        domain="rust",
        question=before.turn.question,
        before=before.turn.answer,
        answer=answer,
        strategy="quote",
        score_before=before.score.value,
        score_after=8.5,
        citations=(citation(cited),),
        attempts=1,
        status="improved",
        created_at=NOON,
    )


def known(question: str, answer: str, **fields: Any) -> GoldenPair:
    """A pair of an earlier night."""
    return GoldenPair.model_validate(
        {
            "id": digest_of([question, answer])[:32],
            "night_id": "night-1",
            "domain": "rust",
            "form": "qa",
            "question": question,
            "answer": answer,
            "source": "i0",
            "score": 9.0,
            "status": "approved",
            "created_at": NOON - timedelta(days=1),
            **fields,
        }
    )


def topic_of(questions: Sequence[str], embedder: Embedder) -> Topic:
    """A topic of all these questions."""
    centre: np.ndarray[Any, Any] = centre_of(embedder.embed(questions))
    return Topic(
        id="topic-1",
        night_id=NIGHT.id,
        domain="rust",
        label=("zephyr", "pump"),
        questions=tuple(questions[:5]),
        count=len(questions),
        units=1,
        centre=tuple(centre.tolist()),
        created_at=NOON,
    )
