"""Question and answer pairs as a teacher wrote them, not yet verified."""

from collections.abc import Sequence

from pydantic import Field

from agent.grading import normalise
from memory.records.base import Record
from memory.records.curricula import Form, View


class CandidatePair(Record):
    """A question and answer with evidence: `quote` is copied verbatim from the passage."""

    question: str = Field(min_length=1, max_length=500)
    answer: str = Field(min_length=1, max_length=300)
    form: Form
    """Kind of question, such as `who` or `definition`."""
    quote: str = Field(min_length=1, max_length=2000)
    passage_id: str
    subject: str = ""
    """What the fact is about, if the teacher knows."""
    relation: str = ""
    """What the fact says about the subject, if the teacher knows."""
    held_by: str = ""
    """The perspective whose view this is, see `perspectives`, which alone sets it and `views` for documents;
    or the user who stated it, see `nights.curriculum`."""
    views: tuple[View, ...] = ()
    """Of an answer that tells several views."""


class WrittenPairs(Record):
    """A teacher's output for a set of passages."""

    candidates: tuple[CandidatePair, ...]
    failed: dict[str, int]
    """Reason -> number of passages without pairs."""


def group_by_answer(candidates: Sequence[CandidatePair]) -> list[list[CandidatePair]]:
    """Groups the wordings of the same question (passage, quote, form and answer), in order."""
    groups: dict[tuple[str, str, str, str], list[CandidatePair]] = {}
    for candidate in candidates:
        key = (candidate.passage_id, candidate.quote, candidate.form, normalise(candidate.answer))
        groups.setdefault(key, []).append(candidate)
    return list(groups.values())
