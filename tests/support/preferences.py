"""Builds preference pairs and sets for tests."""

from typing import Any

from memory.records.feedback import PreferencePair, PreferenceSet
from memory.records.interactions import LoggedMessage


def prompt(question: str) -> tuple[LoggedMessage, ...]:
    """A conversation of one question."""
    return (LoggedMessage(role="user", content=question),)


def preference(
    question: str = "How are you?",
    chosen: str | None = "Fine, thanks!",
    rejected: str | None = "What is it to you",
    **fields: Any,
) -> PreferencePair:
    """A pair from annotation, unless told otherwise."""
    values = {"origin": "annotation", "source": "i1"} | fields
    return PreferencePair(messages=prompt(question), chosen=chosen, rejected=rejected, **values)


def preference_set(domain: str = "lamps", count: int = 6, **fields: Any) -> PreferenceSet:
    """A set of `count` pairs on different prompts, and two more that are held out."""
    made = [preference(f"How are you, number {i}?") for i in range(count + 2)]
    values = {"pairs": made[:count], "held_out": made[count:]} | fields
    return PreferenceSet(domain=domain, **values)
