"""Reads LoCoMo: conversations over months, and questions about them (CC BY-NC 4.0, for measuring only)."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from agent.grading import is_correct
from memory.records.base import Record

MULTI_HOP, TIME, OPEN, SINGLE, UNANSWERABLE = 1, 2, 3, 4, 5
CATEGORIES = {
    MULTI_HOP: "several places",
    TIME: "time",
    OPEN: "open",
    SINGLE: "one fact",
    UNANSWERABLE: "unanswerable",
}
_DATE = "%I:%M %p on %d %B, %Y"
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip
_MONTH = "|".join(_MONTHS)
_DAY_FIRST = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_MONTH}),? (\d{{4}})\b", re.I)
_MONTH_FIRST = re.compile(rf"\b({_MONTH}) (\d{{1,2}})(?:st|nd|rd|th)?,? (\d{{4}})\b", re.I)
_MONTH_YEAR = re.compile(rf"\b({_MONTH}),? (?:of )?(\d{{4}})\b", re.I)
_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")


class Line(Record):
    """One message of a conversation."""

    id: str
    speaker: str
    text: str


class Session(Record):
    """What was said on one day."""

    number: int
    """From 1."""
    date: datetime
    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        """The session as text."""
        return "\n".join(f"{line.speaker}: {line.text}" for line in self.lines)


class LocomoQuestion(Record):
    """A question about a conversation."""

    text: str
    answer: str
    """Of unanswerable ones a wrong answer that is near at hand."""
    category: int
    sessions: tuple[int, ...]
    """Numbers of the sessions with the evidence."""

    @property
    def answerable(self) -> bool:
        """Whether the conversation says it."""
        return self.category != UNANSWERABLE

    def is_answered_by(self, text: str) -> bool:
        """Whether the text holds the answer; of an enumeration all parts, and dates in any notation."""
        text = with_plain_dates(text)
        if is_correct(text, [with_plain_dates(self.answer)]):
            return True
        parts = [part.strip() for part in re.split(r"[,;]| and ", self.answer) if part.strip()]
        return self.category == MULTI_HOP and len(parts) > 1 and all(is_correct(text, [p]) for p in parts)


class Conversation(Record):
    """Two people's conversation, with questions about it."""

    id: str
    speakers: tuple[str, ...]
    sessions: tuple[Session, ...]
    questions: tuple[LocomoQuestion, ...]


def conversation_ids(data: Path) -> tuple[str, ...]:
    """Ids of the conversations at hand. Raises OSError if there are none."""
    found = sorted(path.stem for path in (data / "locomo").glob("*.json"))
    if not found:
        raise FileNotFoundError(f"{data / 'locomo'} holds no conversations")
    return tuple(found)


def read_conversation(data: Path, id: str) -> Conversation:
    """The conversation with this id. Raises OSError if the file is missing."""
    document = json.loads((data / "locomo" / f"{id}.json").read_text(encoding="utf-8"))
    sessions = tuple(
        Session(
            number=number,
            date=datetime.strptime(session["date"], _DATE).replace(tzinfo=UTC),
            lines=tuple(Line.model_validate(line) for line in session["turns"]),
        )
        for number, session in enumerate(document["sessions"], 1)
    )
    of_line = {line.id: session.number for session in sessions for line in session.lines}
    speakers = dict.fromkeys(line.speaker for session in sessions for line in session.lines)
    return Conversation(
        id=id,
        speakers=tuple(speakers),
        sessions=sessions,
        questions=tuple(
            LocomoQuestion(
                text=question["question"],
                answer=str(question["answer"]),
                category=question["category"],
                sessions=tuple(sorted({of_line[each] for each in question["evidence"] if each in of_line})),
            )
            for question in document["questions"]
        ),
    )


def grouped(sessions: Sequence[Session], nights: int) -> list[tuple[Session, ...]]:
    """The sessions in `nights` groups of neighbours, as equal as possible; fewer if there are fewer."""
    count = min(nights, len(sessions))
    bounds = [round(n * len(sessions) / count) for n in range(count + 1)]
    return [tuple(sessions[start:end]) for start, end in pairwise(bounds)]


def with_plain_dates(text: str) -> str:
    """The text with its dates written as in `7 May 2023`."""

    def written(day: str, month: str, year: str) -> str:
        return f"{int(day)} {month.capitalize()} {year}"

    text = _ISO.sub(lambda m: written(m[3], _MONTHS[(int(m[2]) - 1) % 12], m[1]), text)
    text = _DAY_FIRST.sub(lambda m: written(m[1], m[2], m[3]), text)
    text = _MONTH_FIRST.sub(lambda m: written(m[2], m[1], m[3]), text)
    return _MONTH_YEAR.sub(lambda m: f"{m[1].capitalize()} {m[2]}", text)
