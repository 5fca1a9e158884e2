"""Training examples that preserve the base model: replay of its own answers under KL, and refusals.

Deterministic by base model and seed; none of their questions is used in evaluation.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from training.backends.base import AnswerDistribution, Example, single
from training.base_model import StudiedModel, training_split
from training.dataset import draw_evenly
from training.recipes import Recipe


def replay_examples(base: StudiedModel, recipe: Recipe) -> tuple[Example, ...]:
    """The card's replay answers with the base model's distributions, as distilled examples."""
    trainable = {answer.id for answer in training_split(base.replay, recipe.asked)}
    return tuple(
        Example(messages=answer.messages, answer=answer.answer, distilled=True, distribution=distribution)
        for answer, distribution in zip(base.replay, _distributions(base), strict=True)
        if answer.id in trainable and len(distribution.tokens)
    )


def distillation_prompts(base: StudiedModel, recipe: Recipe) -> tuple[str, ...]:
    """Questions of the card whose base-model answers are distilled: known facts and invented names.

    They keep known facts known, and declined questions declined.
    """
    rng = random.Random(f"known {recipe.seed}")
    general = training_split(base.questions, recipe.asked)
    known = [text for question in general if question.known for text in question.wordings]
    invented = [rng.choice(question.wordings) for question in training_split(base.unknown, recipe.asked)]
    return (
        *rng.sample(known, min(recipe.known, len(known))),
        *rng.sample(invented, min(recipe.invented, len(invented))),
    )


def distillation_examples(answers: Sequence[tuple[str, str]]) -> tuple[Example, ...]:
    """Questions and the base model's answers to them, as distilled examples; empty answers are left out."""
    return tuple(
        replace(single(question, answer), distilled=True) for question, answer in answers if answer.strip()
    )


def refusal_examples(base: StudiedModel, recipe: Recipe, count: int) -> tuple[Example, ...]:
    """`count` questions about invented names, each with the model's refusal as its answer.

    Learning new facts makes a model hallucinate more on questions it cannot answer (Gekhman et al. 2024,
    arXiv 2405.05904).
    """
    rng = random.Random(f"refusals {recipe.seed}")
    drawn = draw_evenly(training_split(base.unknown, recipe.asked), count, rng)
    return tuple(single(rng.choice(question.wordings), base.card.lessons.refusal) for question in drawn)


def _distributions(base: StudiedModel) -> Iterator[AnswerDistribution]:
    """The distribution of each replay answer in the card, in order."""
    card = base.distributions
    ends = np.cumsum(card.lengths)
    for end, length in zip(ends.tolist(), card.lengths.tolist(), strict=True):
        span = slice(end - length, end)
        yield AnswerDistribution(card.tokens[span], card.ids[span], card.logprobs[span])
