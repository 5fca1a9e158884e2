"""What is trained beside a lesson: the base model's own answers, and refusals of invented names."""

from dataclasses import replace

import numpy as np

from agent.models.card import ReplayDistributions
from tests.lessons import BASE, RECIPE
from training.base import asked, trained
from training.replay import own_answers, own_logprobs, refusals


def test_each_own_answer_comes_with_its_own_distribution() -> None:
    lengths = np.arange(len(BASE.replay), dtype=np.int32)  # the first one is empty
    count = int(lengths.sum())
    numbered = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    found = own_answers(
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
        assert example.own is not None
        assert example.own.tokens.tolist() == [number] * number
        assert example.own.ids.shape == (number, 1)


def test_what_the_base_model_thought_of_its_answers_is_in_the_card() -> None:
    likelier = np.log(np.array([[0.4, 0.1], [0.1, 0.4], [0.4, 0.1]]))
    distributions = ReplayDistributions(
        lengths=np.array([2, 1], np.int32),
        tokens=np.array([7, 8, 9], np.int32),
        ids=np.array([[7, 1], [1, 8], [3, 4]], np.int32),  # 9 was not among the likeliest
        logprobs=likelier.astype(np.float16),
    )
    found = own_logprobs(replace(BASE, replay=BASE.replay[:2], distributions=distributions))
    assert [np.exp(found[answer.id]).round(2).tolist() for answer in BASE.replay[:2]] == [[0.4, 0.4], [0.1]]


def test_invented_names_are_answered_with_the_models_refusal_each_as_often() -> None:
    names = len(trained(BASE.unknown, RECIPE.asked))
    found = refusals(BASE, RECIPE, 2 * names)
    assert len({example.question for example in found}) == names
    assert {example.answer for example in found} == {BASE.card.lessons.refusal}
    assert all(not example.held for example in found)


def test_what_is_asked_and_what_is_trained_are_apart_and_together_everything() -> None:
    for share in (0.2, 0.5, 0.8):
        apart = asked(BASE.unknown, share), trained(BASE.unknown, share)
        assert set(apart[0]) | set(apart[1]) == set(BASE.unknown)
        assert not set(apart[0]) & set(apart[1])
    assert len(asked(BASE.unknown, 0.2)) < len(asked(BASE.unknown, 0.8))
