"""Messages of users for tests."""

from datetime import UTC, datetime

from agent.nights.statements.utterances import THE_USER, Utterance
from memory.records.interactions import Interaction
from tests.support.interactions import interaction

NOON = datetime(2023, 6, 9, 12, tzinfo=UTC)


def said(
    text: str,
    *,
    at: datetime = NOON,
    id: str = "1",
    unit: str = "u",
    speaker: str = THE_USER,
    listener: str | None = None,
) -> Utterance:
    """A message to the assistant, or to the `listener`."""
    return Utterance(
        id=id, text=text, speaker=speaker, listener=listener, said_at=at, domain="general", unit=unit
    )


def turn(text: str, *, at: datetime = NOON, id: str = "1", unit: str | None = "u") -> Interaction:
    """A logged turn in which the user said this."""
    return interaction(id, question=text, unit=unit, created_at=at, domain="general")
