"""The parts that the baselines are made of."""

import pytest
import torch

from benchmarks.learning.baselines import Material, random_like
from benchmarks.learning.data import tollan_ferry
from benchmarks.learning.dlm import format_document
from benchmarks.learning.training_loop import repeat_to_budget
from benchmarks.learning.variants import VARIANTS
from tests.support.lessons import LESSON, RECIPE


def test_a_random_adapter_keeps_the_norm_of_what_is_added_to_each_weight() -> None:
    torch.manual_seed(0)
    weights = {"m.lora_A.weight": torch.randn(4, 8), "m.lora_B.weight": torch.randn(6, 4)}
    drawn = random_like(weights, seed=1)
    norms = [
        float(torch.linalg.matrix_norm(each["m.lora_B.weight"] @ each["m.lora_A.weight"]))
        for each in (weights, drawn)
    ]
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)
    assert not torch.allclose(weights["m.lora_A.weight"], drawn["m.lora_A.weight"])


def test_values_are_repeated_in_turn_until_they_hold_the_tokens() -> None:
    assert list(repeat_to_budget(["a", "b"], [3, 2], 9)) == ["a", "b", "a", "b"]
    with pytest.raises(ValueError, match="nothing to teach"):
        list(repeat_to_budget([], [], 9))


def test_the_document_of_the_other_program_has_every_passage_and_question() -> None:
    text = tollan_ferry()
    document = format_document("dlm_id: X\n", text.passages[:2], [("Who\nlit it?", "Mara")])
    assert document.startswith("---\ndlm_id: X\ntraining:\n  precision: fp32\n---\n")
    assert document.count("# ") >= 2
    assert "### Q\nWho lit it?\n\n### A\nMara\n" in document


def test_a_variant_changes_the_recipe_it_names_and_nothing_else() -> None:
    changed = VARIANTS["rank-8"].recipe(RECIPE)
    assert (changed.rank, changed.alpha) == (8, 16)
    assert changed.model_copy(update={"rank": RECIPE.rank, "alpha": RECIPE.alpha}) == RECIPE
    assert VARIANTS["product"].recipe(RECIPE) == RECIPE


def test_a_recipe_that_asks_plainly_takes_one_wording_of_each_question() -> None:
    passages = tollan_ferry().passages[:1]
    (passage,) = passages
    lesson = LESSON.model_copy(
        update={"pairs": tuple(p.model_copy(update={"quote": passage.text[:20]}) for p in LESSON.pairs)}
    )
    natural = Material(passages, lesson).natural_pairs()
    assert len({pair.fact_id for pair in natural}) == len(natural) == len(lesson.facts)
    assert Material(passages, lesson).passage_of[natural[0].question] == passage.text
