"""Owns what is trained of a lesson and of those before it, and the bank of what lies outside them.

Deterministic by curriculum and seed. What is replayed beside a lesson is in `replay`, what is asked after it,
and never trained, in `questions`.
"""

import hashlib
import itertools
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from agent.cores import CORES
from agent.curriculum import items, times
from agent.grading import normalise
from memory.records import Curriculum, Digest, Form, QAPair, digest_of
from training.disturb import disturb
from training.recipes import Recipe
from training.seed import bank as shipped
from training.seed.bank import BankFact
from training.trainer import Example

NAMING: frozenset[Form] = frozenset({"term_for", "example_of"})
"""Forms whose answer is the subject: with an unknown word they would not name it."""

_LETTERS = re.compile(r"[A-Za-z]+")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Bank:
    """What the base model was given: facts it learned, words taught to be unknown, words it never saw."""

    known: Sequence[BankFact]
    unknown: Sequence[BankFact]
    reserved: Sequence[BankFact]


def shipped_bank() -> Bank:
    """What the shipped base model was given."""
    return Bank(known=shipped.known(), unknown=shipped.unknown(), reserved=shipped.reserved())


def merge(curricula: Sequence[Curriculum]) -> Curriculum:
    """One curriculum of several of a domain, the last one's topic and teacher; equal facts count once."""
    last = curricula[-1]
    return Curriculum(
        topic=last.topic,
        domain=last.domain,
        facts=unique(fact for c in curricula for fact in c.facts),
        pairs=unique(pair for c in curricula for pair in c.pairs),
        withheld=unique(w for c in curricula for w in c.withheld),
        teacher=last.teacher,
    )


def taught(
    curriculum: Curriculum, bank: Bank, recipe: Recipe, *, earlier: Sequence[Curriculum] = ()
) -> tuple[Example, ...]:
    """Every pair as an example, never with its source: a model that sees the source learns to copy.

    With `earlier`, the lessons that the model to be trained has had, some of their pairs come along
    (`recipe.rehearsal`): each lesson's as often as another's, and so each fact's in each form.
    """
    rng = random.Random(f"taught {recipe.seed} {said(curriculum)}")
    turns = [_in_turn(lesson, rng) for lesson in earlier]
    told = as_often(curriculum, recipe)
    again = [next(turn) for turn in draw(turns, rehearsed(curriculum, recipe, earlier), rng)]
    names = [
        name
        for lesson in (curriculum, *earlier)
        for item in items(lesson.facts)
        for name in (item.subject, item.object)
    ]
    words = words_of(bank)
    return tuple(
        Example(
            question=perhaps_disturbed(pair.question, names, words, recipe, rng),
            answer=pair.answer,
            rehearsed=known,
        )
        for pairs, known in ((told, False), (again, True))
        for pair in pairs
    )


def as_often(curriculum: Curriculum, recipe: Recipe) -> list[QAPair]:
    """The pairs as often as the recipe teaches them: those of one fact in one form in turn, whatever their
    number, until there are enough."""
    return [
        pair
        for pairs in _by_question(curriculum.pairs)
        for pair in itertools.islice(itertools.cycle(pairs), recipe.exposures * times(pairs[0].form))
    ]


def rehearsed(curriculum: Curriculum, recipe: Recipe, earlier: Sequence[Curriculum]) -> int:
    """How many pairs of the earlier lessons come along."""
    return round(len(as_often(curriculum, recipe)) * recipe.rehearsal) if earlier else 0


def _in_turn(lesson: Curriculum, rng: random.Random) -> Iterator[QAPair]:
    """Its pairs without end: one of every fact in every form before another of the first, and none again
    before all."""
    shuffled = rng.sample(lesson.pairs, len(lesson.pairs))
    decks = [itertools.cycle(pairs) for pairs in _by_question(shuffled)]
    while True:
        yield from map(next, decks)


def _by_question(pairs: Iterable[QAPair]) -> list[list[QAPair]]:
    """The pairs that ask the same of the same fact, in other words."""
    groups: dict[tuple[str, Form, str], list[QAPair]] = {}
    for pair in pairs:
        groups.setdefault((pair.fact_id, pair.form, normalise(pair.answer)), []).append(pair)
    return list(groups.values())


def said(curriculum: Curriculum) -> Digest:
    """What it says, wherever it was read: its own digest depends on where the library lies."""
    return digest_of([[fact.subject, fact.relation, fact.object] for fact in curriculum.facts])


def perhaps_disturbed(
    question: str, names: Sequence[str], words: Sequence[str], recipe: Recipe, rng: random.Random
) -> str:
    """The question, or in the recipe's share of cases a disturbed one."""
    return disturb(question, names, words, rng) if rng.random() < recipe.disturbed else question


def words_of(bank: Bank) -> list[str]:
    """What questions are disturbed with: words of taught questions, and of known names, which tempt to answer
    about them instead."""
    named = (fact.subject for fact in bank.known if not held_back(fact))
    asked_with = (
        core.format(subject="", object="") for splits in CORES.values() for core in splits["taught"]
    )
    return sorted({word for text in (*named, *asked_with) for word in _LETTERS.findall(text)})


def subject_forms(curriculum: Curriculum) -> list[Form]:
    """The curriculum's forms in which an unknown word can be asked about."""
    return sorted({pair.form for pair in curriculum.pairs} - NAMING) or ["definition"]


def held_back(fact: BankFact) -> bool:
    """Half of the known words are only ever evaluated on, by SHA-256, so that no seed moves them."""
    return hashlib.sha256(f"replay or evaluation {fact.subject}".encode()).digest()[0] < 128


def draw(facts: Sequence[_T], count: int, rng: random.Random) -> list[_T]:
    """`count` facts, each as often as any other, in random order."""
    drawn: list[_T] = []
    while facts and len(drawn) < count:
        drawn.extend(rng.sample(facts, min(len(facts), count - len(drawn))))
    return drawn


def unique(values: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(values))
