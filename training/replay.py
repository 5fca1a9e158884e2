"""Owns what is replayed beside a lesson: questions that lie outside it, with their right answers.

Where the model is to stay as it was, `replayed` examples hold it to what the base makes of them; where it is
to be right whatever the base makes of them, they are trained. Deterministic by curriculum and seed.
"""

import random
from collections.abc import Collection, Sequence

from agent.curriculum import IMPLIED, head, opening
from agent.scoring import admission
from agent.wordings import ask, with_context
from memory.records import Curriculum
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
from training.seed.bank import BankFact, asked
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
    learned = len(as_often(curriculum, recipe)) + rehearsed(curriculum, recipe, earlier)
    count = round(learned * recipe.replay)
    forms = subject_forms(curriculum)
    own = {fact.subject.lower() for lesson in (curriculum, *earlier) for fact in lesson.facts}
    known = [f for f in bank.known if not held_back(f) and f.subject.lower() not in own]
    unknown = [f for f in bank.unknown if f.subject.lower() not in own]
    inferable = _inferable(known)
    readable = [f for f in unknown if f.form == "definition"]
    refused = round(count * recipe.refusals) if unknown else 0
    read = round(count * recipe.reading) if len(readable) >= PASSAGE else 0
    inferred = round(count * recipe.inference) if inferable else 0
    recalled = max(0, count - refused - read - inferred)
    words = words_of(bank)
    named = {fact.subject.lower() for fact in (*bank.known, *bank.unknown, *bank.reserved)} | own

    def disturbed(question: str, *names: str) -> str:
        return perhaps_disturbed(question, names, words, recipe, rng)

    def recall(fact: BankFact) -> Example:
        question, answer = asked(fact, "taught", rng, bank.known)
        return Example(question=disturbed(question, fact.subject, fact.object), answer=answer, replayed=True)

    def infer(fact: BankFact) -> Example:
        question = disturbed(ask(IMPLIED, "taught", rng, subject=fact.subject), fact.subject)
        return Example(question=question, answer=opening(fact.object))

    def refuse(fact: BankFact) -> Example:
        invented = rng.random() < 0.5
        subject = _invented((*known, *unknown), named, rng) if invented else fact.subject
        own_form = not invented and rng.random() < 0.5 and fact.form not in NAMING
        kind = head(rng.choice(unknown).object)
        form = fact.form if own_form else rng.choice(forms)
        question = disturbed(ask(form, "taught", rng, subject=subject, object=kind), subject, kind)
        return Example(question=question, answer=admission(subject))

    told = [
        *map(recall, draw(known, recalled, rng)),
        *map(infer, draw(inferable, inferred, rng)),
        *map(refuse, draw(unknown, refused, rng)),
    ]
    told.extend(_reading(rng.sample(readable, PASSAGE), rng) for _ in range(read))
    return unique(told)


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


def _reading(facts: Sequence[BankFact], rng: random.Random) -> Example:
    """A question about one of the facts, after a passage that states them all."""
    passage = " ".join(f"{fact.subject[:1].upper()}{fact.subject[1:]} is {fact.object}." for fact in facts)
    fact = rng.choice(facts)
    question = with_context(ask("definition", "taught", rng, subject=fact.subject), [passage])
    return Example(question=question, answer=fact.object, replayed=True)
