"""The wordings of one question about a clause: which arguments it repeats, and in which order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from agent.learning.questions.interrogatives import Asked
from agent.learning.questions.items import Item, Style, Wording
from agent.learning.questions.verbs import VerbGroup, active, inverted, passive
from memory.ingest.propositions.grammar import Argument, Clause, Phrase
from memory.ingest.propositions.verbs import stated
from memory.records import Form

MOST_WORDS = 26
"""A longer question is a paragraph; adjuncts are left out, from the last one, until it is shorter."""
MOST_ANSWER_WORDS = 14
MOST_ADJUNCT_WORDS = 14
CENTRAL = frozenset({"object", "complement", "adjective", "receiver", "infinitive", "clause"})
_TRAILING = frozenset({"adverb", "adverbial"})
ANYONE = frozenset(["you", "one", "people", "someone", "somebody", "anyone", "everyone", "users"])
"""Subjects that nobody asks for."""


def wordings_of(argument: Argument, clause: Clause, forms: Sequence[Asked]) -> Iterator[tuple[Style, str]]:
    subject = clause.subject
    assert subject is not None
    group = inverted(clause)
    around = [a for a in ordered(clause.arguments) if a is not argument]
    before = [a.text for a in around if _before(a, argument)]
    after = [a.text for a in around if not _before(a, argument)]
    condition = condition_of(clause) if argument is not clause.condition else ""
    for asked in forms:
        tail = (
            [*before, asked.stranded, *after, condition] if asked.stranded else [*before, *after, condition]
        )
        yield "plain", sentence(asked.word, group.front, subject.text, group.rest, *tail) + "?"
    first = forms[0]
    if argument.role == "object" and (other := passive(clause)) is not None:
        by = [] if subject.text in ANYONE else ["by", subject.text]
        singular = VerbGroup(
            {"were": "was", "are": "is", "have": "has"}.get(other.front, other.front), other.rest
        )
        yield (
            "passive",
            sentence(first.word, singular.front, singular.rest, *by, *before, *after, condition) + "?",
        )
    if argument.role == "agent" and (verb := active(clause)) is not None:
        yield "passive", sentence(first.word, verb, subject.text, *before, *after, condition) + "?"
    central = [a.text for a in around if a.role in CENTRAL][:1]
    if len(around) > len(central):
        yield (
            "short",
            sentence(first.word, group.front, subject.text, group.rest, *central, first.stranded, condition)
            + "?",
        )
    verb = stated(clause)
    stranded = [first.stranded] if first.stranded and first.stranded != "to do" else []
    if first.stranded == "to do":
        yield "embedded", f"Tell me {sentence(first.word, subject.text, verb, 'to do', condition)}."
        return
    yield (
        "embedded",
        f"Tell me {sentence(first.word, subject.text, verb, *before, *stranded, *after, condition)}.",
    )
    marker = argument.marker if first.stranded or not _replaces_marker(first) else ""
    place = f"{marker} {first.word}".strip()
    yield "echo", sentence(subject.text, verb, *before, place, *after, condition) + "?"
    yield (
        "cloze",
        sentence(subject.text, verb, *before, f"{argument.marker} ____".strip(), *after, condition) + ".",
    )


def _replaces_marker(asked: Asked) -> bool:
    return asked.word in ("when", "where", "why", "how", "how long", "how often") or " " in asked.word


def _before(one: Argument, other: Argument) -> bool:
    """Whether it stands between the verb and the other one."""
    return not one.fronted and (other.fronted or one.phrase.start < other.phrase.start)


def ordered(arguments: Sequence[Argument]) -> list[Argument]:
    """What stood before the subject comes last; adjuncts only as far as there is room for them."""
    kept = [a for a in arguments if not (a.role in _TRAILING and (a.fronted or len(a.text.split()) > 9))]
    room = MOST_ADJUNCT_WORDS
    found: list[Argument] = []
    for argument in [a for a in kept if not a.fronted] + [a for a in kept if a.fronted]:
        words = len(argument.text.split())
        if argument.role not in CENTRAL and argument.role != "agent":
            if words > room:
                continue
            room -= words
        found.append(argument)
    return found


def texts(arguments: Sequence[Argument]) -> list[str]:
    """The arguments as text."""
    return [a.text for a in arguments]


def condition_of(clause: Clause) -> str:
    """It belongs in the question, unless it only tells when something once happened and is long."""
    if clause.condition is None or (clause.past and len(clause.condition.text.split()) > 6):
        return ""
    return clause.condition.text


def sentence(*parts: str) -> str:
    """The parts as one text, with its marks set right."""
    text = " ".join(" ".join(part for part in parts if part).split())
    return re.sub(r"\s+([,.;:?])(?=[\s,.;:?]|$)", r"\1", text).strip(" ,;:")


def item(form: Form, phrase: Phrase, wordings: Sequence[tuple[Style, str]]) -> Item:
    """An item with different wordings of at most MOST_WORDS words."""
    found: dict[str, Wording] = {}
    for style, text in wordings:
        capital = text[:1].upper() + text[1:]
        if len(capital.split()) <= MOST_WORDS:
            found.setdefault(capital.lower(), Wording(style, capital))
    return Item(form, phrase.text, phrase.start, phrase.end, tuple(found.values()))
