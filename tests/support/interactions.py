"""Logged chat turns and feedback for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from memory.records.base import Interval
from memory.records.feedback import Feedback, FeedbackKind
from memory.records.interactions import Interaction, LoggedMessage, Uncertainty
from memory.records.knowledge import Citation

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def interaction(id: str, *, minutes: float = 0, **fields: Any) -> Interaction:
    """A turn that ended so many minutes after noon."""
    bounds = Interval(lower=0.5, upper=0.75)
    uncertainty = Uncertainty(
        first=bounds,
        maximum=bounds,
        mean=bounds,
        mean_logprob=-0.2,
        min_logprob=-0.5,
        tokens=3,
        form="short",
        abstained=False,
        confidence=0.9,
        threshold=0.8,
        decision="confident",
    )
    return Interaction.model_validate(
        {
            "id": id,
            "question": "What's a “move”? \x00 💥",
            "answer": "a transfer",
            "messages": (LoggedMessage(role="user", content="What's a “move”?"),),
            "domain": "rust",
            "adapter": None,
            "uncertainty": uncertainty,
            "outcome": "answered_from_sources",
            "citations": (Citation(source="a.md", title="A", start=0, end=3, quote="abc"),),
            "latency_ms": 12.5,
            "created_at": NOON + timedelta(minutes=minutes),
            **fields,
        }
    )


def follow_up(first: Interaction, id: str = "i2", **fields: Any) -> Interaction:
    """The next turn of the conversation, logged with what was said before."""
    said = ("user", first.question), ("assistant", first.answer), ("user", "And then?")
    messages = tuple(LoggedMessage.model_validate({"role": role, "content": text}) for role, text in said)
    who = {"unit": first.unit, "owner": first.owner, "messages": messages}
    return interaction(id, **{"question": "And then?", "answer": "It is over.", **who, **fields})


def feedback(id: str, kind: FeedbackKind, *, minutes: float = 0, **fields: Any) -> Feedback:
    """Feedback on interaction i1, given so many minutes after noon."""
    return Feedback.model_validate(
        {
            "id": id,
            "interaction_id": "i1",
            "kind": kind,
            "owner": None,
            "created_at": NOON + timedelta(minutes=minutes),
            **fields,
        }
    )
