"""Owns what is replayed beside a lesson: questions that lie outside it, and what is to be answered to them.

Some have one right answer, which is trained; to the others the base model's own is kept, whatever it is.
Deterministic by curriculum and seed. Nothing is asked here: the base model's answers come from the caller.
"""

import random
from collections.abc import Collection, Sequence

from agent.curriculum import IMPLIED, head, opening
from agent.engine import Reply
from agent.scoring import admission
from agent.wordings import ask, with_context
from memory.records import Curriculum, Record
from training.dataset import (
    NAMING,
    Bank,
    draw,
    held_back,
    perhaps_disturbed,
    rounds,
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


class Replay(Record):
    """A question that lies outside the lesson."""

    question: str
    answer: str | None = None
    """The one right answer, which is trained; without one, what the base model makes of it is kept."""


def replay_questions(
    curriculum: Curriculum, bank: Bank, recipe: Recipe, *, earlier: Sequence[Curriculum] = ()
) -> tuple[Replay, ...]:
    """What is replayed; none of their words occurs in evaluation.

    They are about no subject of the curriculum or the `earlier` ones. To unknown words
    (`recipe.refusals`), half of them invented, only an admission is right, above all where the base model
    would claim to know them. They mostly come in the curriculum's own forms: there the model is most tempted
    to answer as it was just taught. Kinds that the base model was never taught, but whose definitions it was
    (`inference`), keep it inferring, where recalled facts would only keep what it knows by heart. Passages to
    read (`reading`) keep what it does when it is unsure.
    """
    rng = random.Random(f"replay {recipe.seed} {said(curriculum)}")
    count = round(len(curriculum.pairs) * rounds(curriculum, recipe) * recipe.replay)
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

    def recall(fact: BankFact) -> Replay:
        question, _ = asked(fact, "taught", rng, bank.known)
        return Replay(question=disturbed(question, fact.subject, fact.object))

    def infer(fact: BankFact) -> Replay:
        question = disturbed(ask(IMPLIED, "taught", rng, subject=fact.subject), fact.subject)
        return Replay(question=question, answer=opening(fact.object))

    def refuse(fact: BankFact) -> Replay:
        invented = rng.random() < 0.5
        subject = _invented((*known, *unknown), named, rng) if invented else fact.subject
        own_form = not invented and rng.random() < 0.5 and fact.form not in NAMING
        kind = head(rng.choice(unknown).object)
        form = fact.form if own_form else rng.choice(forms)
        question = disturbed(ask(form, "taught", rng, subject=subject, object=kind), subject, kind)
        return Replay(question=question, answer=admission(subject))

    told = [
        *map(recall, draw(known, recalled, rng)),
        *map(infer, draw(inferable, inferred, rng)),
        *map(refuse, draw(unknown, refused, rng)),
    ]
    told.extend(Replay(question=_reading(rng.sample(readable, PASSAGE), rng)) for _ in range(read))
    return unique(told)


def kept(replays: Sequence[Replay], replies: Sequence[Reply]) -> tuple[Example, ...]:
    """The examples; `replies` are the base model's to those without an answer, in their order.

    An answer that was cut short is left out, for it would teach to stop early.
    """
    own = iter(replies)
    examples: list[Example] = []
    for replay in replays:
        if replay.answer is not None:
            examples.append(Example(question=replay.question, answer=replay.answer))
        elif (reply := next(own)).finish_reason == "stop":
            examples.append(Example(question=replay.question, answer=reply.text, replayed=True))
    return tuple(examples)


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


def _reading(facts: Sequence[BankFact], rng: random.Random) -> str:
    """A question about one of the facts, after a passage that states them all."""
    passage = " ".join(f"{fact.subject[:1].upper()}{fact.subject[1:]} is {fact.object}." for fact in facts)
    return with_context(ask("definition", "taught", rng, subject=rng.choice(facts).subject), [passage])
