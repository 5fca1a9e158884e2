"""What was said: a user's messages, with who said them to whom and when."""

from collections.abc import Sequence
from datetime import datetime

from memory.records.base import Domain, Record
from memory.records.interactions import Interaction

THE_USER = "the user"
"""Name of a speaker who did not give one."""


class Utterance(Record):
    """One message of a person."""

    id: str
    """Id of the turn, or of the line of a conversation."""
    text: str
    speaker: str = THE_USER
    listener: str | None = None
    """Name of the other person in the conversation; None if it is the assistant."""
    said_at: datetime
    domain: Domain
    unit: str
    """Pseudonym of the user or conversation."""
    owner: str | None = None


def utterances_of(turns: Sequence[Interaction]) -> tuple[Utterance, ...]:
    """The users' messages of the turns, oldest first.

    A turn without a unit has none: nobody's later questions could be answered from it.
    """
    found = [
        Utterance(
            id=turn.id,
            text=turn.question,
            said_at=turn.created_at,
            domain=turn.domain,
            unit=turn.unit,
            owner=turn.owner,
        )
        for turn in turns
        if turn.unit and turn.question.strip()
    ]
    return tuple(sorted(found, key=lambda utterance: (utterance.said_at, utterance.id)))
