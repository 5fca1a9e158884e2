"""Two questions are one only if nothing that matters differs; two answers contradict if one must be wrong."""

import pytest

from agent.feedback.sampling import min_hash
from agent.nights.golden.same_question import answers_contradict, asks_the_same


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("What is the limit of the pump?", "what is the limit of the pump", True),
        (
            "What is the limit of the water pump in winter?",
            "What's the limit of the water pump in winter?",
            True,
        ),
        ("What is the limit of pump 1 in winter?", "What is the limit of pump 2 in winter?", False),
        ("What is the limit of the Zephyr in winter?", "What is the limit of the Boreas in winter?", False),
        ("Which pumps may run in the rain?", "Which pumps may not run in the rain?", False),
        ("What is the upper limit of the pump?", "What is the lower limit of the pump?", False),
    ],
)
def test_questions_are_one_if_nothing_that_matters_differs(first: str, second: str, same: bool) -> None:
    similarity = min_hash(first).jaccard(min_hash(second))
    assert asks_the_same(first, second, similarity) is same
    assert asks_the_same(second, first, similarity) is same


@pytest.mark.parametrize(
    ("first", "second", "contradict"),
    [
        ("40 bar", "The limit is 40 bar.", False),
        ("The limit is 40 bar.", "The limit of the pump is 40 bar at most.", False),
        ("40 bar", "60 bar", True),
        ("The limit is 40 bar.", "The pump is limited to 60 bar.", True),
        ("Yes, it does.", "No.", True),
        ("The pump needs oil.", "The pump does not need oil.", True),
        ("Bergen", "Oslo", True),
        ("in Bergen", "Bergen, in Norway", False),
        ("It opens before the lid.", "It opens after the lid.", True),
    ],
)
def test_answers_contradict_if_one_must_be_wrong(first: str, second: str, contradict: bool) -> None:
    assert answers_contradict(first, second) is contradict
    assert answers_contradict(second, first) is contradict
