"""Trend, priority and labels, each by itself."""

import numpy as np
import pytest

from agent.nights.topics.labels import class_labels
from agent.nights.topics.priority import priority
from agent.nights.topics.trend import compare_rates


@pytest.mark.parametrize(
    ("count", "days", "earlier", "earlier_days", "trend"),
    [
        (5, 1, 5, 1, "steady"),
        (8, 1, 5, 1, "steady"),
        (20, 1, 5, 1, "rising"),
        (5, 1, 20, 1, "falling"),
        (10, 1, 70, 7, "steady"),
        (30, 1, 70, 7, "rising"),
        (2, 1, 70, 7, "falling"),
        (10, 0.5, 10, 1, "steady"),
    ],
)
def test_a_trend_is_more_than_chance(
    count: int, days: float, earlier: int, earlier_days: float, trend: str
) -> None:
    assert compare_rates(count, days, earlier, earlier_days, 0.05) == trend


def test_equal_rates_seldom_look_like_a_trend() -> None:
    drawn = np.random.default_rng(0).poisson(10, size=(2000, 2))
    moved = [compare_rates(int(a), 1, int(b), 1, 0.05) != "steady" for a, b in drawn]
    assert np.mean(moved) <= 0.1  # .05 on either side


def test_more_of_anything_raises_the_priority() -> None:
    counts = {"asked": 10, "follow_ups": 2, "dissatisfied": 2, "gaps": 1}
    assert all(priority(**counts | {name: n + 1}) > priority(**counts) for name, n in counts.items())


def test_a_large_topic_outweighs_a_small_one_full_of_gaps() -> None:
    large = priority(asked=100, follow_ups=10, dissatisfied=20, gaps=30)
    assert large > priority(asked=2, follow_ups=0, dissatisfied=2, gaps=2)


def test_a_label_has_the_words_of_its_cluster_and_not_those_of_all() -> None:
    texts = ["Which machine has a red lever?", "Which machine has a red lid?"]
    texts += ["Which machine has a blue valve?", "Which machine has a blue fuse?", "Which machine sings?"]
    red, blue = class_labels(texts, np.array([0, 0, 1, 1, -1]), 1)
    assert (red, blue) == (("red",), ("blue",))


def test_questions_of_function_words_alone_have_an_empty_label() -> None:
    assert class_labels(["Why?", "How?"], np.array([0, 0]), 3) == ((),)


def test_a_label_has_words_as_they_are_written_and_none_that_say_nothing() -> None:
    texts = [
        "Why can't the proxy keep cookies alive?",
        "How are the 5 cookies of a series set around a proxy?",
    ]
    (label,) = class_labels(texts, np.array([0, 0]), 4)
    assert set(label[:2]) == {"cookies", "proxy"}
    assert not {"can't", "5", "around", "everything", "cooky", "sery"} & set(label)


def test_words_of_several_questions_come_before_those_of_one() -> None:
    texts = ["Which valve leaks oil oil oil?", "Which valve is loud?", "Which fuse is red?"]
    assert class_labels(texts, np.array([0, 0, -1]), 2)[0][0] == "valve"
