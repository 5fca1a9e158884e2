"""How often pairs are used, and the recipes of preference training."""

import pytest

from memory.records.feedback import PreferencePair
from tests.support.cards import card
from tests.support.preferences import preference
from training.preferences.data import AnswerRow, PairRow, answer_rows, uses
from training.preferences.recipes import RECIPES, quick
from training.recipes import standard

ALGORITHMS = sorted(RECIPES)


def test_a_pair_is_used_with_its_weight_as_probability() -> None:
    drawn = uses([1.0, 0.5, 0.0], epochs=400, seed=0)
    assert drawn.count(0) == 400
    assert 150 < drawn.count(1) < 250
    assert drawn.count(2) == 0


def test_one_pair_is_used_even_if_none_was_drawn() -> None:
    assert uses([0.0, 1e-9], epochs=1, seed=0) == [1]


def test_the_same_seed_draws_the_same() -> None:
    assert uses([0.5] * 50, 2, 7) == uses([0.5] * 50, 2, 7) != uses([0.5] * 50, 2, 8)


def test_each_answer_of_a_pair_is_liked_or_disliked_by_itself() -> None:
    rows = answer_rows([PairRow([1], [2], [3]), PairRow([4], None, [5])])
    assert rows == [AnswerRow([1], [2], True), AnswerRow([1], [3], False), AnswerRow([4], [5], False)]


@pytest.mark.parametrize(
    ("pair", "trains"),
    [
        (preference(), {"dpo", "kto", "sft", "grpo"}),
        (preference(rejected=None), {"kto", "sft"}),
        (preference(chosen=None), {"kto"}),
    ],
)
def test_each_algorithm_takes_the_pairs_that_it_can_use(pair: PreferencePair, trains: set[str]) -> None:
    assert {name for name in ALGORITHMS if pair.trains(name)} == trains  # type: ignore[arg-type]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_recipe_names_its_algorithm_and_is_slower_than_a_lesson(algorithm: str) -> None:
    lesson = standard(card())
    recipe = RECIPES[algorithm](card(), lesson)  # type: ignore[index]
    assert recipe.algorithm == algorithm
    assert recipe.learning_rate < lesson.learning_rate
    assert recipe.adapter_recipe == f"{lesson.name}+{recipe.name}"
    assert quick(recipe).name == f"quick-{recipe.name}"
