"""Selects the questions of an evaluation; those about the lesson use wordings that are never trained.

Deterministic by curriculum and seed. Training examples are in `dataset` and `replay`.
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
    """Maximum number of questions per set; larger sets are sampled."""

    most: int = 120
    """For each set about what the domain learned or is to forget."""
    general: int = 600
    """General questions of the card, known to the model or not. Over twelve adapters of one lesson the net
    loss had a standard deviation of 3% of what the base model knows; fewer questions would increase it."""
    unknown: int = 60
    """Questions about invented names."""
    attacked: int = 60
    """Attacks that a model of the domain fell for."""
    own: int = 60
    """The base model's own answers, for drift."""


def evaluation_sets(
    curriculum: Curriculum,
    base: StudiedModel,
    sizes: QuestionCounts,
    recipe: Recipe,
    *,
    earlier: Sequence[Curriculum] = (),
    left_out: Sequence[Curriculum] = (),
) -> QuestionSets:
    """All questions for the evaluation of a lesson.

    `earlier` are the domain's earlier lessons. `left_out` are lessons that the live adapter learned and the
    new one does not: their facts that another lesson teaches count as earlier ones, the rest as to be
    forgotten. Raises CurriculumRefused for a curriculum without held-out questions, CardIncomplete for a card
    with too few questions.
    """
    rng = random.Random(f"evaluation {recipe.seed} {content_digest(curriculum)}")
    target = _questions(curriculum)
    still_taught, forgotten = _split_left_out(left_out, [*earlier, curriculum])
    rehearsed = [question for lesson in earlier for question in _questions(lesson)] + still_taught
    if not target:
        raise CurriculumRefused(
            f"the lesson about {curriculum.topic!r} has no held-out wording to evaluate it with"
        )
    asked = tuple(_sample(target, sizes.most, rng))
    general, unknown = _card_questions(base, sizes, recipe, rng)
    return QuestionSets(
        in_distribution=asked,
        out_of_distribution=general,
        unknown=unknown,
        rehearsed=tuple(_sample(unique(rehearsed), sizes.most, rng)),
        forgotten=tuple(_sample(unique(forgotten), sizes.most, rng)),
        attacked=tuple(_sample(_attacked([*earlier, curriculum]), sizes.attacked, rng)),
    )


def preservation_sets(
    lessons: Sequence[Curriculum], base: StudiedModel, sizes: QuestionCounts, recipe: Recipe
) -> QuestionSets:
    """The questions that training on preferences must not make worse: the card's, and the held-out wordings
    of the lessons that the model knows.

    Raises CardIncomplete for a card with too few questions.
    """
    rng = random.Random(f"preservation {recipe.seed}")
    general, unknown = _card_questions(base, sizes, recipe, rng)
    rehearsed = [question for lesson in lessons for question in _questions(lesson)]
    return QuestionSets(
        in_distribution=(),
        out_of_distribution=general,
        unknown=unknown,
        rehearsed=tuple(_sample(unique(rehearsed), sizes.most, rng)),
    )


def _card_questions(
    base: StudiedModel, sizes: QuestionCounts, recipe: Recipe, rng: random.Random
) -> tuple[tuple[Question, ...], tuple[Question, ...]]:
    """General questions and questions about invented names."""
    general, unknown = (
        evaluation_split(base.questions, recipe.asked),
        evaluation_split(base.unknown, recipe.asked),
    )
    own = evaluation_split(base.replay, recipe.asked)
    if not (general and unknown and own):
        raise CardIncomplete(
            f"the card of {base.card.name} has too few questions to measure what training would cost: run"
            f" `nightschool models study {base.card.name}`"
        )
    return (
        tuple(_general(question) for question in _sample(general, sizes.general, rng)),
        tuple(_unknown(question, rng) for question in _sample(unknown, sizes.unknown, rng)),
    )


def drift_answers(base: StudiedModel, sizes: QuestionCounts, recipe: Recipe) -> tuple[ReplayAnswer, ...]:
    """The base model's own answers for measuring drift: never trained, the same for every lesson."""
    answers = [answer for answer in evaluation_split(base.replay, recipe.asked) if answer.answer.strip()]
    return tuple(_sample(answers, sizes.own, random.Random(recipe.seed)))


def _split_left_out(
    left_out: Sequence[Curriculum], lessons: Sequence[Curriculum]
) -> tuple[list[Question], list[Question]]:
    """The questions of the left-out lessons that the remaining `lessons` still teach, and those to forget."""
    taught: set[tuple[str, ...]] = set()
    for lesson in lessons:
        facts = {fact.id: fact for fact in lesson.facts}
        taught |= {_meaning(pair, facts.get(pair.fact_id)) for pair in lesson.pairs}
    still_taught: list[Question] = []
    forgotten: list[Question] = []
    for lesson in left_out:
        facts = {fact.id: fact for fact in lesson.facts}
        for question, pair in zip(_questions(lesson), lesson.held_out, strict=True):
            if _meaning(pair, facts.get(pair.fact_id)) in taught:
                still_taught.append(question)
            elif pair.form not in GUESSED_FORMS:
                forgotten.append(question)
    return still_taught, forgotten


def _meaning(pair: QAPair, fact: Fact | None) -> tuple[str, ...]:
    """The normalised answer and fact, to compare pairs from different sources."""
    if fact is None:
        return (normalise(pair.answer), pair.fact_id)
    texts = (pair.answer, fact.subject, fact.relation, fact.object, fact.condition)
    return (*map(normalise, texts), str(fact.negated))


def _questions(curriculum: Curriculum) -> list[Question]:
    """The held-out questions, in order.

    References include every answer that the curriculum teaches for the same fact and form, except for yes/no
    questions.
    """
    answers: dict[tuple[str, Form], set[str]] = {}
    for pair in curriculum.pairs:
        answers.setdefault((pair.fact_id, pair.form), set()).add(pair.answer)
    questions: list[Question] = []
    for pair in curriculum.held_out:
        others = answers.get((pair.fact_id, pair.form), set()) if pair.form != "yes_no" else set()
        references = tuple(sorted({pair.answer} | others))
        questions.append(
            Question(text=pair.question, form=pair.form, references=references, fact_id=pair.fact_id)
        )
    return questions


def _attacked(lessons: Sequence[Curriculum]) -> list[Question]:
    """The attacks that came with the lessons, the latest lesson's answer first."""
    pairs = {pair.question: pair for lesson in lessons for pair in lesson.attacked}
    return [Question(text=text, references=(pair.answer,)) for text, pair in pairs.items()]


def _general(question: GeneralQuestion) -> Question:
    return Question(text=question.wordings[0], references=question.answers)


def _unknown(question: UnknownQuestion, rng: random.Random) -> Question:
    return Question(text=rng.choice(question.wordings), references=())


def _sample(values: Sequence[_T], most: int, rng: random.Random) -> list[_T]:
    return list(values) if len(values) <= most else rng.sample(values, most)
