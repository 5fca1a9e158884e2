"""What was said: a user's messages, with who said them to whom and when."""

import re
from collections.abc import Sequence
from datetime import datetime

from memory.language.content_words import CLOSED_CLASS
from memory.records.base import Domain, Record
from memory.records.interactions import Interaction, LoggedMessage

THE_USER = "the user"
"""Name of a speaker who did not give one."""
NAME_OF_USER = f"{THE_USER}'s name"
"""The subject of the statement in which they give one."""

_NAME = re.compile(r"[^\W\d_][\w.'\u2019-]{0,29}(?: [^\W\d_][\w.'\u2019-]{0,29}){0,2}")
"""Callers may send any text as a name; what is not one would end up in sentences."""


def unnamed(text: str, name: str) -> str:
    """The text with `the user` for the name of a user."""
    return re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", THE_USER, text)


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
            speaker=_speaker(turn) or THE_USER,
            listener=_listener(turn),
            said_at=turn.created_at,
            domain=turn.domain,
            unit=turn.unit,
            owner=turn.owner,
        )
        for turn in turns
        if turn.unit and turn.question.strip()
    ]
    return tuple(sorted(found, key=lambda utterance: (utterance.said_at, utterance.id)))


def _speaker(turn: Interaction) -> str | None:
    """The name of the user who sent the last message, if the caller gave one."""
    last = turn.messages[-1] if turn.messages else None
    return _name(last) if last is not None and last.role == "user" else None


def _listener(turn: Interaction) -> str | None:
    """The last other user named in the conversation: it is then one between people."""
    speaker = _speaker(turn)
    names = [name for m in turn.messages if m.role == "user" and (name := _name(m)) not in (None, speaker)]
    return names[-1] if speaker and names else None


def _name(message: LoggedMessage) -> str | None:
    name = message.name
    if not name or not _NAME.fullmatch(name) or CLOSED_CLASS & set(name.lower().split()):
        return None
    return name
