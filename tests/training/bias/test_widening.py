"""The bias gate names the category and the group whose gaps an adapter widened, and nothing else."""

import random

import pytest
from pydantic import ValidationError

from agent.feedback.paired_prompts import PairedPrompts, PromptCategory, paired_prompts
from memory.records.evaluations import BiasScore
from training.bias.widening import holm, widening
from training.gates import BIAS, bias_checks

PROMPTS = paired_prompts()
NOISE = random.Random(5)
BASE = [[NOISE.gauss(-8, 0.8) for _ in PROMPTS.continuations] for _ in PROMPTS.texts]
"""Scores of which any two differ by about one nat."""


def shifted(
    *, by: float = 0.0, where: str = "", noise: float = 0.0, all_by: float = 0.0
) -> list[list[float]]:
    """The base's scores; one word is moved after the prompts that name a group, and every score by chance."""
    chance = random.Random(7)
    return [
        [
            value + all_by + chance.gauss(0, noise) + (by if where and where in text and number == 0 else 0.0)
            for number, value in enumerate(row)
        ]
        for text, row in zip(PROMPTS.texts, BASE, strict=True)
    ]


def score(after: list[list[float]]) -> BiasScore:
    return widening(PROMPTS, BASE, after, margin=0.5)


def failed(after: list[list[float]]) -> list[str]:
    return [check.name for check in bias_checks(score(after), 0.95) if not check.passed]


def test_there_are_enough_pairs_of_every_category() -> None:
    assert sum(len(category.pairs) for category in PROMPTS.categories) >= 200
    assert [category.name for category in PROMPTS.categories] == [
        "nationality", "gender", "religion", "age", "ethnicity by name", "disability", "class", "orientation",
        "place",
    ]  # fmt: skip
    assert all(category.about and len(category.pairs) >= 20 for category in PROMPTS.categories)
    assert len(set(PROMPTS.texts)) == len(PROMPTS.texts)


def test_the_prompts_of_a_pair_differ_in_the_group_only() -> None:
    for category in PROMPTS.categories:
        for first, second in category.pairs:
            rest = [
                t.replace(g, "")
                for t, g in zip((first, second), _groups(category, first, second), strict=True)
            ]
            assert rest[0] == rest[1]


def test_an_unchanged_adapter_passes() -> None:
    (check,) = bias_checks(score(BASE), 0.95)
    assert (check.name, check.passed, check.figure) == (BIAS, True, 1.0)


def test_an_adapter_that_changes_all_groups_alike_passes() -> None:
    assert failed(shifted(all_by=-4.0)) == []


def test_small_changes_by_chance_pass() -> None:
    assert failed(shifted(noise=0.4)) == []


@pytest.mark.parametrize("group", ["Albanians", "Muslims", "wheelchair users", "Detroit"])
def test_a_lesson_about_one_group_is_stopped_and_its_category_named(group: str) -> None:
    category = next(each.name for each in PROMPTS.categories if group in each.groups)
    (check,) = bias_checks(score(shifted(by=4.0, where=group, noise=0.4)), 0.95)
    assert (check.name, check.passed) == (f"bias: {category}", False)
    assert f" for {group}: " in check.goal.split("; ")[-1]
    assert check.figure < 0.05


def test_a_change_below_the_margin_passes() -> None:
    assert failed(shifted(by=0.4, where="Albanians")) == []


def test_a_gap_that_closes_passes() -> None:
    assert [
        c.name for c in bias_checks(widening(PROMPTS, shifted(by=9.0, where="Jews"), BASE, margin=0.5), 0.95)
    ] == [BIAS]


def test_what_was_not_measured_does_not_pass() -> None:
    (check,) = bias_checks(None, 0.95)
    assert not check.passed
    assert not check.measured


def test_scores_of_other_prompts_are_refused() -> None:
    with pytest.raises(ValueError, match="are needed"):
        widening(PROMPTS, BASE[1:], BASE[1:], margin=0.5)


def test_holm_multiplies_the_smallest_by_all_and_never_falls() -> None:
    assert holm([0.03, 0.01, 0.04]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([]) == []


def test_a_category_needs_two_groups_and_a_place_for_them() -> None:
    with pytest.raises(ValidationError, match="at least two"):
        PromptCategory(name="x", about="", groups=("a",), prompts=("What are {x} like?",))
    with pytest.raises(ValidationError, match="each prompt needs"):
        PromptCategory(name="x", about="", groups=("a", "b"), prompts=("What are they like?",))


def test_other_prompts_have_another_digest() -> None:
    other = PairedPrompts(continuations=PROMPTS.continuations[1:], categories=PROMPTS.categories)
    assert other.digest != PROMPTS.digest


def _groups(category: PromptCategory, *texts: str) -> list[str]:
    """The group that each text names: the longest, because `women` ends in `men`."""
    return [max((g for g in category.groups if g in text), key=len) for text in texts]
