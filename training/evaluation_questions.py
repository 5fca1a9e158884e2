"""What is asked after a lesson and beside it, the lesson in wordings that are never trained.

Deterministic by curriculum and seed; what is trained is in `dataset` and `replay`, measuring in `evaluate`.
"""

import random
from collections.abc import Sequence
from typing import TypeVar

from agent.grading import normalise
from agent.models.card import GeneralQuestion, ReplayAnswer, UnknownQuestion
from memory.records.base import Record
from memory.records.curricula import GUESSED_FORMS, Curriculum, Form, QAPair
from memory.records.knowledge import Fact
from training.base_model import StudiedModel, evaluation_split
from training.dataset import content_digest, unique
from training.errors import CardIncomplete, CurriculumRefused
from training.evaluate import Question, QuestionSets
from training.recipes import Recipe

_T = TypeVar("_T")


class QuestionCounts(Record):
    """How many questions are asked of each model."""

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
    base: StudiedModel,
    sizes: QuestionCounts,
    recipe: Recipe,
    *,
    earlier: Sequence[Curriculum] = (),
    left_out: Sequence[Curriculum] = (),
) -> QuestionSets:
    """All questions of one evaluation of a lesson, in wordings that are never trained. `earlier` are the
    domain's lessons before it, `left_out` those that the live adapter learned and the next one will not: what
    is taught all the same must be kept, like an earlier lesson, and the rest is to be forgotten.

    Raises CurriculumRefused for a curriculum without a held-out question, and CardIncomplete for a card
    without questions to measure the rest by.
    """
    rng = random.Random(f"evaluation {recipe.seed} {content_digest(curriculum)}")
    target = _questions(curriculum)
    kept, forgotten = _parted(left_out, [*earlier, curriculum])
    kept = [question for lesson in earlier for question in _questions(lesson)] + kept
    if not target:
        raise CurriculumRefused(
            f"the lesson about {curriculum.topic!r} has no question in a wording that is not taught"
        )
    general, unknown = (
        evaluation_split(base.questions, recipe.asked),
        evaluation_split(base.unknown, recipe.asked),
    )
    own = evaluation_split(base.replay, recipe.asked)
    if not (general and unknown and own):
        raise CardIncomplete(
            f"the card of {base.card.name} holds too few questions to tell what a lesson would cost: run"
            f" `nightschool models study {base.card.name}`"
        )
    return QuestionSets(
        in_distribution=tuple(_thin(target, sizes.most, rng)),
        out_of_distribution=tuple(_general(each) for each in _thin(general, sizes.general, rng)),
        unknown=tuple(_unknown(each, rng) for each in _thin(unknown, sizes.unknown, rng)),
        rehearsed=tuple(_thin(unique(kept), sizes.most, rng)),
        forgotten=tuple(_thin(unique(forgotten), sizes.most, rng)),
    )


def drift_answers(base: StudiedModel, sizes: QuestionCounts, recipe: Recipe) -> tuple[ReplayAnswer, ...]:
    """The base model's own answers that are not trained; the same ones for every lesson."""
    found = [answer for answer in evaluation_split(base.replay, recipe.asked) if answer.answer.strip()]
    return tuple(_thin(found, sizes.own, random.Random(recipe.seed)))


def _parted(
    left_out: Sequence[Curriculum], lessons: Sequence[Curriculum]
) -> tuple[list[Question], list[Question]]:
    """What the lessons left out were asked that the remaining `lessons` still teach, and what they do not."""
    stated: set[tuple[str, ...]] = set()
    for lesson in lessons:
        facts = {fact.id: fact for fact in lesson.facts}
        stated |= {_meaning(pair, facts.get(pair.fact_id)) for pair in lesson.pairs}
    kept: list[Question] = []
    gone: list[Question] = []
    for lesson in left_out:
        facts = {fact.id: fact for fact in lesson.facts}
        for question, pair in zip(_questions(lesson), lesson.held_out, strict=True):
            if _meaning(pair, facts.get(pair.fact_id)) in stated:
                kept.append(question)
            elif pair.form not in GUESSED_FORMS:
                gone.append(question)
    return kept, gone


def _meaning(pair: QAPair, fact: Fact | None) -> tuple[str, ...]:
    """The answer and what its fact says, whatever sources they are from."""
    if fact is None:
        return (normalise(pair.answer), pair.fact_id)
    texts = (pair.answer, fact.subject, fact.relation, fact.object, fact.condition)
    return (*map(normalise, texts), str(fact.negated))


def _questions(curriculum: Curriculum) -> list[Question]:
    """The held-out questions, in their order.

    Every answer that the curriculum teaches to the same fact in the same form is right, but for yes and no.
    """
    answers: dict[tuple[str, Form], set[str]] = {}
    for pair in curriculum.pairs:
        answers.setdefault((pair.fact_id, pair.form), set()).add(pair.answer)
    found: list[Question] = []
    for pair in curriculum.held_out:
        others = answers.get((pair.fact_id, pair.form), set()) if pair.form != "yes_no" else set()
        references = tuple(sorted({pair.answer} | others))
        found.append(
            Question(text=pair.question, form=pair.form, references=references, fact_id=pair.fact_id)
        )
    return found


def _general(question: GeneralQuestion) -> Question:
    return Question(text=question.wordings[0], references=question.answers)


def _unknown(question: UnknownQuestion, rng: random.Random) -> Question:
    return Question(text=rng.choice(question.wordings), references=())


def _thin(values: Sequence[_T], most: int, rng: random.Random) -> list[_T]:
    return list(values) if len(values) <= most else rng.sample(values, most)
