"""Agreement counts what annotators chose, not on which side it stood, and finds who is careless."""

from datetime import UTC, datetime

import pytest

from agent.feedback.agreement import (
    annotator_reports,
    krippendorff_alpha,
    least_seconds,
    measure_agreement,
    trusted,
    unshuffled_choice,
    wilson_interval,
)
from memory.records.feedback import AnnotationItem, Choice, Judgement
from memory.records.interactions import LoggedMessage

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def item(id: str, *, served: str = "a", gold: Choice | None = None) -> AnnotationItem:
    sources = ("served", "sampled") if served == "a" else ("sampled", "served")
    return AnnotationItem(
        id=id,
        batch="monday",
        interaction_id=None,
        domain="rust",
        messages=(LoggedMessage(role="user", content="word " * 100),),
        a="word " * 100,
        b="word " * 100,
        a_source=sources[0],
        b_source=sources[1],
        gold=gold,
        created_at=NOW,
    )


def judged(item_id: str, annotator: str, choice: Choice, seconds: float | None = None) -> Judgement:
    return Judgement(item_id=item_id, annotator=annotator, choice=choice, seconds=seconds, created_at=NOW)


def test_alpha_is_that_of_krippendorffs_own_example() -> None:
    """Two observers, ten units, two values: .095 (Krippendorff 2011, Computing Alpha-Reliability, A)."""
    meg, owen = "0100000000", "1110010100"
    choices: dict[str, Choice] = {"0": "both_good", "1": "both_bad"}
    items = {str(n): item(str(n)) for n in range(10)}
    judgements = [
        judged(str(n), name, choices[values[n]])
        for name, values in (("meg", meg), ("owen", owen))
        for n in range(10)
    ]
    alpha = krippendorff_alpha(judgements, items)
    assert alpha == pytest.approx(0.095, abs=0.001)


def test_sides_skips_and_gold_items_make_no_difference() -> None:
    items = {"one": item("one"), "two": item("two", served="b"), "gold": item("gold", gold="a")}
    judgements = [judged(id, name, "a") for id in ("one", "two") for name in ("ada", "bob")]
    alpha = krippendorff_alpha(judgements, items)
    assert alpha == 1.0, "they agree on `served` once and on `alternative` once"
    more = [judged("gold", "ada", "a"), judged("gold", "bob", "b"), judged("one", "cyd", "skip")]
    assert krippendorff_alpha([*judgements, *more], items) == alpha


def test_alpha_is_undefined_where_nothing_can_disagree() -> None:
    items = {"one": item("one"), "two": item("two")}
    assert krippendorff_alpha([], items) is None
    assert krippendorff_alpha([judged("one", "ada", "a"), judged("two", "bob", "b")], items) is None
    assert krippendorff_alpha([judged("one", name, "a") for name in ("ada", "bob")], items) is None


def test_choices_without_sides_stay_as_they_are() -> None:
    imported = item("one").model_copy(update={"a_source": "imported", "b_source": "imported"})
    assert unshuffled_choice(judged("one", "ada", "b"), imported) == "b"
    assert unshuffled_choice(judged("one", "ada", "both_good"), item("one")) == "both_good"
    assert unshuffled_choice(judged("one", "ada", "a"), item("one")) == "served"
    assert unshuffled_choice(judged("one", "ada", "a"), item("one", served="b")) == "alternative"


def gold_run(right: int, total: int) -> tuple[list[Judgement], list[AnnotationItem]]:
    items = [item(f"gold{n}", gold="a") for n in range(total)]
    return [judged(each.id, "ada", "a" if n < right else "b") for n, each in enumerate(items)], items


@pytest.mark.parametrize(
    ("right", "total", "careless"), [(0, 4, False), (0, 5, True), (2, 5, False), (2, 8, True), (8, 8, False)]
)
def test_who_is_wrong_on_gold_items_too_often_to_be_chance_is_careless(
    right: int, total: int, careless: bool
) -> None:
    (report,) = annotator_reports(*gold_run(right, total))
    assert (report.right, report.gold, report.careless) == (right, total, careless)
    assert bool(report.reasons) == careless


def test_who_decides_faster_than_anybody_reads_is_careless() -> None:
    items = [item(f"i{n}") for n in range(6)]
    least = least_seconds(items[0])
    assert least == pytest.approx(18.0), "300 words at 1,000 a minute"

    def report(seconds: float | None, count: int) -> bool:
        made = [judged(each.id, "ada", "a", seconds) for each in items[:count]]
        return annotator_reports(made, items)[0].careless

    assert report(least / 2, 5)
    assert not report(least / 2, 4)
    assert not report(least * 2, 6)
    assert not report(None, 6)


def test_judgements_of_careless_annotators_and_skips_are_not_trusted() -> None:
    wrong, items = gold_run(0, 6)
    plain = item("plain")
    good = [judged("plain", "bob", "b"), judged("gold0", "bob", "a")]
    skip = judged("gold1", "bob", "skip")
    assert trusted([*wrong, *good, skip], [*items, plain]) == tuple(good)
    assert trusted([], []) == ()


def test_the_report_has_alpha_with_and_without_careless_annotators() -> None:
    wrong, items = gold_run(0, 6)
    plain = [item(f"i{n}") for n in range(8)]
    made = [
        judged(each.id, name, choice if name != "ada" else "both_bad")
        for n, each in enumerate(plain)
        for name in ("ada", "bob", "cyd")
        for choice in (("a", "b")[n % 2],)
    ]
    report = measure_agreement([*wrong, *made], [*items, *plain])  # type: ignore[list-item]
    assert report.trusted_alpha == 1.0
    assert report.alpha is not None
    assert report.alpha < 0.5
    assert report.items == 8
    assert [each.annotator for each in report.annotators if each.careless] == ["ada"]


def test_the_wilson_interval_is_that_of_the_textbook() -> None:
    """Newcombe 1998, table I: 81 of 263 is .2553 to .3662."""
    interval = wilson_interval(81, 263)
    assert (interval.lower, interval.upper) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    with pytest.raises(ValueError, match="nothing"):
        wilson_interval(0, 0)
