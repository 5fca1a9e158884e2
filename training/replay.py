"""Owns what is replayed beside a lesson: questions that lie outside it, with their right answers.

Where the model is to stay as it was, `held` examples hold it to what the base makes of them; where it is
to be right whatever the base makes of them, they are trained. Deterministic by curriculum and seed.
"""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.curriculum import IMPLIED, head, opening
from agent.grading import admission
from agent.wordings import ask, with_context
from memory.records import Curriculum, Form
from training.dataset import (
    NAMING,
    Bank,
    as_often,
    draw,
    held_back,
    perhaps_disturbed,
    rehearsed,
    said,
    subject_forms,
    unique,
    words_of,
)
from training.recipes import Recipe
from training.seed.bank import BankFact, asked_for
from training.seed.facts import kind_of
from training.trainer import Example

PASSAGE = 3
"""Facts stated in a passage to read."""


def replay(
    curriculum: Curriculum, bank: Bank, recipe: Recipe, *, earlier: Sequence[Curriculum] = ()
) -> tuple[Example, ...]:
    """What is replayed; none of its words occurs in evaluation.

    It is about no subject of the curriculum or the `earlier` ones. To unknown words (`recipe.refusals`), half
    of them invented, only an admission is right, above all where the base model would claim to know them:
    this is trained. They mostly come in the curriculum's own forms: there the model is most tempted to answer
    as it was just taught. Kinds that the base model was never taught, but whose definitions it was
    (`inference`), are trained too and keep it inferring, where recalled facts would only keep what it knows
    by heart. With these, and with passages to read (`reading`), which keep what it does when it is unsure, it
    is held to its own.
    """
    rng = random.Random(f"replay {recipe.seed} {said(curriculum)}")
    own = {fact.subject.lower() for lesson in (curriculum, *earlier) for fact in lesson.facts}
    words = words_of(bank)
    beside = _Beside(
        known=[f for f in bank.known if not held_back(f) and f.subject.lower() not in own],
        unknown=[f for f in bank.unknown if f.subject.lower() not in own],
        named={fact.subject.lower() for fact in (*bank.known, *bank.unknown, *bank.reserved)} | own,
        forms=subject_forms(curriculum),
        ask=lambda form, subject, object="": perhaps_disturbed(
            ask(form, "taught", rng, subject=subject, object=object), (subject, object), words, recipe, rng
        ),
        rng=rng,
    )
    learned = len(as_often(curriculum, recipe)) + rehearsed(curriculum, recipe, earlier)
    count = round(learned * recipe.replay)
    refused = round(count * recipe.refusals) if beside.unknown else 0
    readable = [f for f in beside.unknown if f.form == "definition"]
    read = round(count * recipe.reading) if len(readable) >= PASSAGE else 0
    inferable = _inferable(beside.known)
    inferred = round(count * recipe.inference) if inferable else 0
    recalled = max(0, count - refused - read - inferred)
    return unique(
        [
            *(_recalled(fact, beside) for fact in draw(beside.known, recalled, rng)),
            *(_inferred(fact, beside) for fact in draw(inferable, inferred, rng)),
            *(_refused(fact, beside) for fact in draw(beside.unknown, refused, rng)),
            *(_read(rng.sample(readable, PASSAGE), rng) for _ in range(read)),
        ]
    )


class _Ask(Protocol):
    """A taught wording, in the recipe's share of cases disturbed."""

    def __call__(self, form: Form, subject: str, object: str = "") -> str: ...


@dataclass(frozen=True)
class _Beside:
    """What a lesson leaves to be replayed, and how it is asked."""

    known: Sequence[BankFact]
    unknown: Sequence[BankFact]
    named: Collection[str]
    """Whatever has a name, in lower case."""
    forms: Sequence[Form]
    """The lesson's own, in which an unknown word can be asked about."""
    ask: _Ask
    rng: random.Random


def _recalled(fact: BankFact, beside: _Beside) -> Example:
    object, answer = asked_for(fact, beside.rng, beside.known)
    return Example(question=beside.ask(fact.form, fact.subject, object), answer=answer, held=True)


def _inferred(fact: BankFact, beside: _Beside) -> Example:
    return Example(question=beside.ask(IMPLIED, fact.subject), answer=opening(fact.object))


def _refused(fact: BankFact, beside: _Beside) -> Example:
    rng = beside.rng
    form, subject = rng.choice(beside.forms), fact.subject
    if rng.random() < 0.5:
        subject = _invented((*beside.known, *beside.unknown), beside.named, rng)
    elif rng.random() < 0.5 and fact.form not in NAMING:
        form = fact.form
    kind = head(rng.choice(beside.unknown).object)
    return Example(question=beside.ask(form, subject, kind), answer=admission(subject))


def _invented(given: Sequence[BankFact], named: Collection[str], rng: random.Random) -> str:
    """A name that sounds like one and names nothing: two words of real names side by side, or halves of two.

    Words that were taught to be unknown are known by heart as such; what nobody ever named is not.
    """
    for _ in range(100):
        first, second = (rng.choice(rng.choice(given).subject.split()).lower() for _ in range(2))
        name = (
            f"{first} {second}"
            if rng.random() < 0.5
            else first[: (len(first) + 1) // 2] + second[len(second) // 2 :]
        )
        if name not in named and len(name) >= 4:
            return name
    raise ValueError("no name can be made of the given ones that is not itself one of them")


def _inferable(known: Sequence[BankFact]) -> list[BankFact]:
    """Definitions that tell a kind which the base model was never asked for."""
    told = {fact.subject for fact in known if fact.form == IMPLIED}
    return [
        fact
        for fact in known
        if fact.form == "definition" and fact.subject not in told and kind_of(fact.object) is not None
    ]


def _read(facts: Sequence[BankFact], rng: random.Random) -> Example:
    """A question about one of the facts, after a passage that states them all."""
    passage = " ".join(f"{fact.subject[:1].upper()}{fact.subject[1:]} is {fact.object}." for fact in facts)
    fact = rng.choice(facts)
    question = with_context(ask("definition", "taught", rng, subject=fact.subject), [passage])
    return Example(question=question, answer=fact.object, held=True)
