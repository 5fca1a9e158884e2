"""Noise in questions: names stay whole, the rest is touched now and then."""

import random

import pytest

from training.disturb import RATE, disturb

QUESTION = "Could you tell me what the Null set is, as a member of sets?"


def test_names_stay_whole_in_any_case() -> None:
    for seed in range(200):
        told = disturb(QUESTION, ("null set",), ("banana",), random.Random(seed))
        assert "Null set" in told


def test_every_fourth_word_around_the_names_is_touched() -> None:
    rng = random.Random(0)
    question = " ".join(f"word{i}" for i in range(10_000))
    told = disturb(question, (), ("banana",), rng).split()
    whole = sum(word != "banana" for word in told)
    added = told.count("banana")
    # A third of the touched words is lost and a third replaced; replaced and followed ones bring another.
    assert whole / 10_000 == pytest.approx(1 - RATE * 2 / 3, abs=0.02)
    assert added / 10_000 == pytest.approx(RATE * 2 / 3, abs=0.02)


def test_a_question_of_one_word_stays_a_question() -> None:
    assert all(disturb("lamp?", (), ("banana",), random.Random(seed)) for seed in range(50))


def test_without_words_nothing_can_be_disturbed() -> None:
    with pytest.raises(ValueError, match="no words"):
        disturb(QUESTION, (), (), random.Random(0))
