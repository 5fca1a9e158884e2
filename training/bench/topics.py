"""Owns the topics of the learning benchmark: documents about words that the base model was never taught.

Which words are reserved follows from their hashes (`training.seed.facts`); here they only become documents.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice

from agent.scoring import normalise

from memory.documents import RawDocument
from memory.extraction import statements
from memory.library import read
from memory.records import Fact, Form, Passage
from training.seed import bank
from training.seed.bank import BankFact
from training.seed.facts import share
from training.seed.material import capital

DOMAIN = "words"
SIZE = 20
"""Facts of one topic."""
DEVELOPMENT = 21
"""Topics on which recipes are chosen and ablated; what is reported comes after them."""
_SENTENCES: dict[Form, str] = {
    "definition": "{S} is {O}.",
    "part_of": "{S} is part of {O}.",
    "used_for": "{S} is used for {O}.",
    "made_of": "{S} is made of {O}.",
    "contains": "{S} contains {O}.",
    "causes": "{S} causes {O}.",
    "prevents": "{S} prevents {O}.",
    "requires": "{S} requires {O}.",
}


@dataclass(frozen=True)
class Topic:
    """One lesson: what the product reads in a document that states its facts."""

    name: str
    passages: tuple[Passage, ...]
    facts: tuple[Fact, ...]


def topics(count: int, size: int = SIZE, *, after: int = 0) -> tuple[Topic, ...]:
    """Disjoint topics of `size` facts each, the same every time; `after` so many topics of SIZE.

    Raises ValueError when the reserved words that ship give fewer.
    """
    words = stated_words()
    before = list(islice(_readable(words, SIZE, first=1), after))
    made = tuple(islice(_readable(words, size, first=1 + after), count))
    if len(before) + len(made) < after + count:
        raise ValueError(f"the reserved words give fewer than {count} topics of {size} facts")
    return made


def stated_words() -> Iterator[tuple[BankFact, ...]]:
    """The reserved words in the order of their hashes, each with those of its facts that a sentence states so
    that the product reads them from it."""
    facts = sorted(bank.reserved(), key=lambda fact: (share(f"topic|{fact.subject}"), fact.subject))
    for _, found in groupby(facts, key=lambda fact: fact.subject):
        told = tuple(fact for fact in found if _is_read(fact))
        if told and told[0].form == "definition":
            yield told


def sentence(fact: BankFact) -> str:
    """The fact as a plain sentence of a document; raises KeyError for a form that no document states."""
    subject = fact.subject
    if subject[0].islower() and not subject.endswith("s"):
        subject = f"{'an' if subject[0] in 'aeiou' else 'a'} {subject}"
    return capital(_SENTENCES[fact.form].format(S=subject, O=fact.object))


def _readable(words: Iterator[tuple[BankFact, ...]], size: int, *, first: int) -> Iterator[Topic]:
    """Topics of the next words, numbered from `first`; left out are those whose facts extraction does not all
    read where their sentences stand side by side."""
    number = first
    while len(lot := _lot(words, size)) == size:
        topic = _topic(f"words {number}", lot)
        if len(topic.facts) == size:
            yield topic
            number += 1


def _lot(words: Iterator[tuple[BankFact, ...]], size: int) -> list[BankFact]:
    """The next `size` facts; what a last word has beyond them is left out, so that topics share no word."""
    lot: list[BankFact] = []
    while len(lot) < size and (told := next(words, ())):
        lot.extend(told[: size - len(lot)])
    return lot


def _is_read(fact: BankFact) -> bool:
    """Whether extraction reads from the sentence what it says, and nothing else."""
    if fact.form not in _SENTENCES:
        return False
    found = statements(sentence(fact))
    return (
        len(found) == 1
        and normalise(found[0].object) == normalise(fact.object)
        and normalise(found[0].subject) == normalise(fact.subject)
        and found[0].relation == fact.form
    )


def _topic(name: str, facts: list[BankFact]) -> Topic:
    text = f"# {name.capitalize()}\n\n" + " ".join(sentence(fact) for fact in facts) + "\n"
    document = RawDocument(source=f"bench:{name}", data=text.encode(), media_type="text/markdown", title=name)
    passages, read_facts = read(document, DOMAIN)
    return Topic(name=name, passages=passages, facts=read_facts)
