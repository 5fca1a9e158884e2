"""What is asked after a lesson and beside it, the lesson in wordings that are never trained.

Deterministic by curriculum and seed; what is trained is in `dataset` and `replay`, measuring in `evaluate`.
"""

import random
from collections.abc import Iterator, Sequence
from typing import TypeVar

from agent.curriculum import IMPLIED, Item, items, kinds
from agent.grading import normalise
from agent.models.card import GeneralQuestion, ReplayAnswer, UnknownQuestion
from agent.wordings import wordings
from memory.records import Curriculum, Form, Record
from training.base import Base, asked
from training.dataset import said, unique
from training.errors import CardIncomplete, CurriculumRefused
from training.evaluate import Question, Sets
from training.recipes import Recipe

_T = TypeVar("_T")


class Sizes(Record):
    """How many questions are asked of each model."""

    wordings: int = 1
    """Held-out wordings of each taught form of a fact."""
    near: int = 2
    """Held-out wordings of each withheld form, of which there are few."""
    most: int = 120
    """Questions of each set about what the domain learned or is to forget; more are thinned out evenly."""
    general: int = 600
    """General questions of the card, whether the model knows them or not. Over twelve adapters of one lesson
    the net loss had a standard deviation of 3% of what the base model knows; fewer questions add to that."""
    unknown: int = 60
    """Questions about invented names."""
    own: int = 60
    """Own answers of the base model."""


def evaluation_sets(
    curriculum: Curriculum,
    base: Base,
    sizes: Sizes,
    recipe: Recipe,
    *,
    earlier: Sequence[Curriculum] = (),
    left_out: Sequence[Curriculum] = (),
) -> Sets:
    """All questions of one evaluation of a lesson, in wordings that are never trained. `earlier` are the
    domain's lessons before it, `left_out` those that the live adapter learned and the next one will not: what
    is taught all the same must be kept, like an earlier lesson, and the rest is to be forgotten.

    Raises CurriculumRefused if not one taught question can be asked in another wording, and CardIncomplete
    for a card without questions to measure the rest by.
    """
    seed = recipe.seed
    rng = random.Random(f"evaluation {seed} {said(curriculum)}")
    target, near = _lesson(curriculum, sizes, seed, earlier)
    kept, forgotten = _parted(left_out, [*earlier, curriculum], sizes, seed)
    kept = [q for lesson in earlier for q in _lesson(lesson, sizes, seed)[0]] + kept
    if not target:
        raise CurriculumRefused(
            f"no question about {curriculum.topic!r} can be asked in a wording not taught"
        )
    general, unknown = asked(base.questions, recipe.asked), asked(base.unknown, recipe.asked)
    own = asked(base.replay, recipe.asked)
    if not (general and unknown and own):
        raise CardIncomplete(
            f"the card of {base.card.name} holds too few questions to tell what a lesson would cost: run"
            f" `nightschool models study {base.card.name}`"
        )
    return Sets(
        in_distribution=tuple(_thin(target, sizes.most, rng)),
        near=tuple(_thin(near, sizes.most, rng)),
        out_of_distribution=tuple(_general(each) for each in _thin(general, sizes.general, rng)),
        unknown=tuple(_unknown(each, rng) for each in _thin(unknown, sizes.unknown, rng)),
        rehearsed=tuple(_thin(unique(kept), sizes.most, rng)),
        forgotten=tuple(_thin(unique(forgotten), sizes.most, rng)),
    )


def own_answers(base: Base, sizes: Sizes, recipe: Recipe) -> tuple[ReplayAnswer, ...]:
    """The base model's own answers that are not trained; the same ones for every lesson."""
    found = [answer for answer in asked(base.replay, recipe.asked) if answer.answer.strip()]
    return tuple(_thin(found, sizes.own, random.Random(recipe.seed)))


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


def _general(question: GeneralQuestion) -> Question:
    return Question(text=question.wordings[0], references=question.answers)


def _unknown(question: UnknownQuestion, rng: random.Random) -> Question:
    return Question(text=rng.choice(question.wordings), references=())


def _thin(values: Sequence[_T], most: int, rng: random.Random) -> list[_T]:
    return list(values) if len(values) <= most else rng.sample(values, most)
