"""What is trained beside a lesson, so that the model stays what it was: its own answers, and refusals.

Deterministic by base model and seed; none of it is asked afterwards.
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
    """The base model's answers to general prompts, to whose distributions it is held."""
    kept = {answer.id for answer in training_split(base.replay, recipe.asked)}
    return tuple(
        Example(messages=answer.messages, answer=answer.answer, distilled=True, distribution=own)
        for answer, own in zip(base.replay, _own(base), strict=True)
        if answer.id in kept and len(own.tokens)
    )


def distillation_prompts(base: StudiedModel, recipe: Recipe) -> tuple[str, ...]:
    """Questions of the card that are not asked after a lesson: what the base model knows, and invented names.

    Its answers to both are held, so that what it knew stays known, and what it declined is still declined.
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
    """What the base model answered to these, to which it is held."""
    return tuple(
        replace(single(question, said), distilled=True) for question, said in answers if said.strip()
    )


def refusal_examples(base: StudiedModel, recipe: Recipe, count: int) -> tuple[Example, ...]:
    """`count` questions about invented names, each answered by the model's refusal.

    What a lesson teaches makes a model readier to answer whatever it is asked (Gekhman et al. 2024, arXiv
    2405.05904).
    """
    rng = random.Random(f"refusals {recipe.seed}")
    drawn = draw_evenly(training_split(base.unknown, recipe.asked), count, rng)
    return tuple(single(rng.choice(question.wordings), base.card.lessons.refusal) for question in drawn)


def _own(base: StudiedModel) -> Iterator[AnswerDistribution]:
    """What the card holds of each answer, one after the other."""
    found = base.distributions
    ends = np.cumsum(found.lengths)
    for end, length in zip(ends.tolist(), found.lengths.tolist(), strict=True):
        span = slice(end - length, end)
        yield AnswerDistribution(found.tokens[span], found.ids[span], found.logprobs[span])
