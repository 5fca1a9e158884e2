"""What is trained beside a lesson: the base model's own answers, and refusals of invented names."""

from dataclasses import replace

import numpy as np

from agent.models.card import ReplayDistributions
from tests.support.lessons import BASE, RECIPE
from training.base_model import evaluation_split, training_split
from training.replay import refusal_examples, replay_examples


def test_each_own_answer_comes_with_its_own_distribution() -> None:
    lengths = np.arange(len(BASE.replay), dtype=np.int32)  # the first one is empty
    count = int(lengths.sum())
    numbered = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    found = replay_examples(
        replace(
            BASE,
            distributions=ReplayDistributions(
                lengths=lengths,
                tokens=numbered,
                ids=numbered[:, None],
                logprobs=np.zeros((count, 1), np.float16),
            ),
        ),
        RECIPE,
    )
    assert found
    for example in found:
        number = int(example.answer.removeprefix("Hello number ").removesuffix("!"))
        assert number > 0, "an empty answer is no example"
        assert example.distribution is not None
        assert example.distribution.tokens.tolist() == [number] * number
        assert example.distribution.ids.shape == (number, 1)


def test_invented_names_are_answered_with_the_models_refusal_each_as_often() -> None:
    names = len(training_split(BASE.unknown, RECIPE.asked))
    found = refusal_examples(BASE, RECIPE, 2 * names)
    assert len({example.question for example in found}) == names
    assert {example.answer for example in found} == {BASE.card.lessons.refusal}
    assert all(not example.distilled for example in found)


def test_what_is_asked_and_what_is_trained_are_apart_and_together_everything() -> None:
    for share in (0.2, 0.5, 0.8):
        apart = evaluation_split(BASE.unknown, share), training_split(BASE.unknown, share)
        assert set(apart[0]) | set(apart[1]) == set(BASE.unknown)
        assert not set(apart[0]) & set(apart[1])
    assert len(evaluation_split(BASE.unknown, 0.2)) < len(evaluation_split(BASE.unknown, 0.8))
