"""Records of nights for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from memory.records.attacks import Attack
from memory.records.knowledge import Citation
from memory.records.nights import AnswerScore, GoldenPair, Night, Revision, Statement, Surprise, Topic

WHEN = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
LATER = WHEN + timedelta(hours=2)
CITATION = Citation(source="a.md", title="A", start=0, end=13, quote="A is a value.")


def night(id: str = "n1", **fields: Any) -> Night:
    """A night of the domain rust, about the day before WHEN."""
    day = {"since": WHEN - timedelta(days=1), "until": WHEN, "began_at": WHEN}
    return Night.model_validate({"id": id, "domain": "rust", "status": "waiting", **day, **fields})


def score(interaction_id: str = "i1", value: float = 3, **fields: Any) -> AnswerScore:
    judged = {"value": value, "criteria": {"correctness": 0.2}, "scorer": "standard@1", "created_at": WHEN}
    return AnswerScore.model_validate({"interaction_id": interaction_id, **judged, **fields})


def revision(id: str = "r1", **fields: Any) -> Revision:
    """An improved answer of night n1 to the turn i1."""
    return Revision.model_validate(
        {
            "id": id,
            "night_id": "n1",
            "interaction_id": "i1",
            "domain": "rust",
            "question": "What is A?",
            "before": "I do not know.",
            "answer": "A value.",
            "strategy": "quote",
            "score_before": 2,
            "score_after": 9,
            "citations": (CITATION,),
            "attempts": 1,
            "status": "improved",
            "created_at": WHEN,
            **fields,
        }
    )


def statement(id: str = "s1", **fields: Any) -> Statement:
    return Statement.model_validate(
        {
            "id": id,
            "domain": "rust",
            "unit": "ann",
            "speaker": "Ann",
            "text": "Ann moved to Bern in May 2025.",
            "subject": "Ann",
            "relation": "moved to",
            "object": "Bern",
            "said_at": WHEN,
            "interaction_id": "i1",
            **fields,
        }
    )


def topic(id: str = "t1", **fields: Any) -> Topic:
    words = {"label": ("value",), "questions": ("What is A?",), "count": 3, "units": 2, "centre": (0.6, 0.8)}
    of_night = {"night_id": "n1", "domain": "rust", "created_at": WHEN}
    return Topic.model_validate({"id": id, **words, **of_night, **fields})


def golden(id: str = "g1", **fields: Any) -> GoldenPair:
    return GoldenPair.model_validate(
        {
            "id": id,
            "night_id": "n1",
            "domain": "rust",
            "form": "qa",
            "question": "What is A?",
            "answer": "A value.",
            "citations": (CITATION,),
            "source": "i1",
            "score": 9,
            "status": "approved",
            "created_at": WHEN,
            **fields,
        }
    )


def attack(id: str = "x1", **fields: Any) -> Attack:
    """An attack of night n1 on the turn i1, which the model fell for."""
    return Attack.model_validate(
        {
            "id": id,
            "night_id": "n1",
            "domain": "rust",
            "kind": "false_premise",
            "interaction_id": "i1",
            "fact_id": "f1",
            "question": "What is A?",
            "messages": ({"role": "user", "content": "I have read this: A is a town. So What is A?"},),
            "expected": "a value",
            "planted": "a town",
            "citation": CITATION,
            "adapter": None,
            "answer": "A town.",
            "result": "fell",
            "created_at": WHEN,
            **fields,
        }
    )


def surprise(item: str, **fields: Any) -> Surprise:
    measured = {"domain": "rust", "loss": 1, "momentum": 0.1, "nights": 1, "measured_at": WHEN}
    return Surprise.model_validate({"item": item, **measured, **fields})
