"""Question and answer pairs as a teacher wrote them, not yet verified."""

from collections.abc import Sequence

from pydantic import Field

from agent.grading import normalise
from memory.records.base import Record
from memory.records.curricula import Form


class CandidatePair(Record):
    """One pair with its evidence: `quote` is a stretch of the passage's text, verbatim."""

    question: str = Field(min_length=1, max_length=500)
    answer: str = Field(min_length=1, max_length=300)
    form: Form
    """What kind of question it is, such as `who` or `definition`."""
    quote: str = Field(min_length=1, max_length=2000)
    passage_id: str
    subject: str = ""
    """What it is about, where the teacher can tell."""
    relation: str = ""
    """What it says of the subject, likewise."""


class WrittenPairs(Record):
    """What a teacher made of a set of passages."""

    candidates: tuple[CandidatePair, ...]
    failed: dict[str, int]
    """Reason -> number of passages that gave nothing."""


def group_by_answer(candidates: Sequence[CandidatePair]) -> list[list[CandidatePair]]:
    """The wordings of each question and its answer, in the order in which they were written."""
    groups: dict[tuple[str, str, str, str], list[CandidatePair]] = {}
    for candidate in candidates:
        key = (candidate.passage_id, candidate.quote, candidate.form, normalise(candidate.answer))
        groups.setdefault(key, []).append(candidate)
    return list(groups.values())
