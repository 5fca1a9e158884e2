"""Owns what is asked after a lesson and beside it, the lesson in wordings that are never trained.

Deterministic by curriculum and seed; what is trained is in `dataset` and `replay`, measuring in `evaluate`.
"""

import random
from collections.abc import Iterator, Sequence
from typing import TypeVar

from agent.cores import Split
from agent.curriculum import IMPLIED, Item, head, items, kinds
from agent.grading import normalise
from agent.wordings import ask, wordings
from memory.records import Curriculum, Form, Record
from training.dataset import NAMING, Bank, held_back, said, subject_forms, unique
from training.errors import CurriculumRefused
from training.evaluate import Question, Sets
from training.seed.bank import BankFact, asked_for

_T = TypeVar("_T")


class Sizes(Record):
    """How many questions are asked of each model."""

    wordings: int = 2
    """Held-out wordings of each taught form of a fact."""
    near: int = 6
    """Held-out wordings of each withheld form, of which there are few."""
    most: int = 240
    """Questions of each set about what the domain learned or is to forget; more are thinned out evenly."""
    known: int = 400
    """Unrelated facts to ask the base model about; those that it knows are the out-of-distribution set."""
    unknown: int = 160


def evaluation_sets(
    curriculum: Curriculum,
    bank: Bank,
    sizes: Sizes,
    *,
    seed: int,
    earlier: Sequence[Curriculum] = (),
    left_out: Sequence[Curriculum] = (),
) -> Sets:
    """All questions of one evaluation of a lesson, in wordings that are never trained; only half of the known
    facts are asked as they were taught. `earlier` are the domain's lessons before it, `left_out` those that
    the live adapter learned and the next one will not: what is taught all the same must be kept, like an
    earlier lesson, and the rest is to be forgotten.

    The out-of-distribution set still holds facts that the base model may not know: see `evaluate.known_only`.
    Raises CurriculumRefused if not one taught question can be asked in another wording, or none is withheld.
    """
    rng = random.Random(f"evaluation {seed} {said(curriculum)}")
    target, near = _lesson(curriculum, sizes, seed, earlier)
    kept, forgotten = _parted(left_out, [*earlier, curriculum], sizes, seed)
    kept = [q for lesson in earlier for q in _lesson(lesson, sizes, seed)[0]] + kept
    if not target:
        raise CurriculumRefused(
            f"no question about {curriculum.topic!r} can be asked in a wording not taught"
        )
    if not near:
        raise CurriculumRefused(
            f"no new fact about {curriculum.topic!r} implies another, so learning cannot be told from"
            " repeating: add sentences that say what kind something is (`A lame is a blade that ...`)"
        )
    own = {fact.subject.lower() for lesson in (curriculum, *earlier) for fact in lesson.facts}
    forms = subject_forms(curriculum)
    known = [f for f in bank.known if held_back(f) and f.subject.lower() not in own]
    reserved = [f for f in bank.reserved if f.subject.lower() not in own]
    return Sets(
        in_distribution=tuple(_thin(target, sizes.most, rng)),
        near=tuple(_thin(near, sizes.most, rng)),
        out_of_distribution=tuple(
            _known(fact, "held_out" if i % 2 else "taught", rng, bank.known)
            for i, fact in enumerate(_thin(known, sizes.known, rng))
        ),
        unknown=tuple(
            _unknown(fact, fact.form if i % 2 else rng.choice(forms), rng)
            for i, fact in enumerate(_thin(reserved, sizes.unknown, rng))
        ),
        rehearsed=tuple(_thin(unique(kept), sizes.most, rng)),
        forgotten=tuple(_thin(unique(forgotten), sizes.most, rng)),
    )


def _lesson(
    curriculum: Curriculum, sizes: Sizes, seed: int, earlier: Sequence[Curriculum] = ()
) -> tuple[list[Question], list[Question]]:
    """What a curriculum teaches and what it withholds, in held-out wordings; what an `earlier` one taught is
    not withheld any more."""
    told = {_meant(item) for each in earlier for item, taught, _ in _items(each, sizes, seed) if taught}
    target: list[Question] = []
    near: list[Question] = []
    for item, taught, questions in _items(curriculum, sizes, seed):
        if taught:
            target += questions
        elif _meant(item) not in told:
            near += questions
    return target, near


def _parted(
    left_out: Sequence[Curriculum], lessons: Sequence[Curriculum], sizes: Sizes, seed: int
) -> tuple[list[Question], list[Question]]:
    """What was taught and what of it the lessons still say, and what they do not, in held-out wordings.

    What they do not say is only asked as its fact states it, and in reverse: its kind, or whether it is one,
    can be guessed by a model that never saw it.
    """
    stated = {_meant(item) for lesson in lessons for item in items(lesson.facts)}
    kept: list[Question] = []
    gone: list[Question] = []
    for lesson in left_out:
        relations = {fact.id: fact.relation for fact in lesson.facts}
        for item, taught, questions in _items(lesson, sizes, seed):
            if taught and _meant(item) in stated:
                kept += questions
            elif taught and item.form in (relations[item.fact_id], "term_for"):
                gone += questions
    return kept, gone


def _meant(item: Item) -> tuple[str, ...]:
    """A question and its answer, whatever sources they are from."""
    return (item.form, *map(normalise, (item.subject, item.object, item.answer)))


def _items(curriculum: Curriculum, sizes: Sizes, seed: int) -> Iterator[tuple[Item, bool, list[Question]]]:
    """Each item that it teaches (True) or withholds, with questions in held-out wordings.

    Every way in which the source says the kind of a thing is a right answer to what kind it is.
    """
    definitions = {fact.id: fact.object for fact in curriculum.facts if fact.relation == "definition"}
    answers: dict[tuple[str, Form], set[str]] = {}
    for pair in curriculum.pairs:
        answers.setdefault((pair.fact_id, pair.form), set()).add(pair.answer)
    withheld = {(w.fact_id, w.form) for w in curriculum.withheld} - set(answers)
    for item in items(curriculum.facts):
        key = (item.fact_id, item.form)
        if key not in answers and key not in withheld:
            continue
        also = answers.get(key, set()) if item.form != "yes_no" else set()
        if item.form == IMPLIED and item.fact_id in definitions:
            also = also | set(kinds(definitions[item.fact_id]))
        references = tuple(sorted({item.answer} | also))
        taught = key in answers
        yield item, taught, _worded(item, references, sizes.wordings if taught else sizes.near, seed)


def _worded(item: Item, references: tuple[str, ...], count: int, seed: int) -> list[Question]:
    texts = wordings(item.form, "held_out", count, seed, subject=item.subject, object=item.object)
    return [
        Question(text=text, form=item.form, references=references, fact_id=item.fact_id) for text in texts
    ]


def _known(fact: BankFact, split: Split, rng: random.Random, bank: Sequence[BankFact]) -> Question:
    object, answer = asked_for(fact, rng, bank)
    seed = rng.randrange(2**32)
    probe, text = wordings(fact.form, split, 2, seed, subject=fact.subject, object=object)
    return Question(text=text, form=fact.form, references=(answer,), probe=probe)


def _unknown(fact: BankFact, form: Form, rng: random.Random) -> Question:
    """About a word that nobody taught."""
    if form in NAMING:
        form = "definition"
    text = ask(form, "held_out", rng, subject=fact.subject, object=head(fact.object))
    return Question(text=text, form=form, references=(fact.object,) if form == fact.form else ())


def _thin(values: Sequence[_T], most: int, rng: random.Random) -> list[_T]:
    return list(values) if len(values) <= most else rng.sample(values, most)
