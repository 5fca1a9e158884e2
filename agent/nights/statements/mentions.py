"""Resolves he, she, it and they in a message to what it mentioned before, if only one thing fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agent.nights.statements.words import OWN_PEOPLE, words_of
from memory.ingest.propositions.coreference import MANY, PEOPLE, THINGS, kind

if TYPE_CHECKING:
    from spacy.tokens import Token

PRONOUNS = PEOPLE | THINGS | MANY | {"himself", "herself", "itself", "themselves"}
POSSESSIVE = frozenset({"his", "her", "its", "their"})
_FITTING = {"person": ("person", "name"), "thing": ("thing", "name"), "many": ("many",)}
_REMEMBERED = 3
"""Sentences in which a pronoun may be resolved: its own, and two before."""
_FEMALE, _MALE = frozenset({"she", "her", "hers", "herself"}), frozenset({"he", "him", "his", "himself"})


class Mention(NamedTuple):
    """A person or thing that a message mentioned."""

    sentence: int
    position: int
    kind: str
    gender: str
    """`female`, `male` or ''."""
    text: str
    """How to name it in another sentence; '' if it cannot be named there, though pronouns may mean it."""
    subject: bool


class Mentions:
    """What one message has mentioned so far."""

    def __init__(self) -> None:
        self._found: list[Mention] = []

    def add(self, noun: Token, sentence: int, text: str) -> None:
        """Remembers a noun under the `text` by which others can understand it."""
        human = noun.lemma_.lower() in OWN_PEOPLE
        kind_of = kind(noun)
        if kind_of == "thing" and human:
            kind_of = "person"
        subject = noun.dep_ in ("nsubj", "nsubjpass")
        self._found.append(Mention(sentence, noun.i, kind_of, _gender(noun), text, subject))

    def referent(self, pronoun: Token, sentence: int) -> str | None:
        """What the pronoun means; None if nothing or more than one thing fits."""
        word = pronoun.lower_
        wanted = (
            "many" if word in MANY | {"themselves"} else "thing" if word in THINGS | {"itself"} else "person"
        )
        gender = "female" if word in _FEMALE else "male" if word in _MALE else ""
        for back in range(_REMEMBERED):
            fitting = [
                m
                for m in self._found
                if m.sentence == sentence - back
                and m.kind in _FITTING[wanted]
                and (not gender or m.gender in (gender, ""))
                and (back or m.position < pronoun.i)
            ]
            known = [m for m in fitting if gender and m.gender == gender] or fitting
            subjects = [m for m in known if m.subject]
            for candidates in (known,) if wanted == "person" else (known, subjects):
                texts = {m.text for m in candidates}
                if len(texts) == 1:
                    return texts.pop() or None
            if known:
                return None
        return None


def _gender(noun: Token) -> str:
    words = {
        noun.lemma_.lower(),
        *(c.lemma_.lower() for c in noun.children if c.dep_ in ("appos", "compound")),
    }
    if noun.dep_ == "appos":
        words.add(noun.head.lemma_.lower())
    if words & words_of("female"):
        return "female"
    return "male" if words & words_of("male") else ""
