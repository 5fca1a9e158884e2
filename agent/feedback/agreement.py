"""Agreement between annotators, and who is careless: measured on gold items and by the time taken."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

import krippendorff
from scipy.stats import binomtest  # type: ignore[import-untyped]

from agent.feedback.alternatives import SERVED
from memory.records.base import Interval, Record
from memory.records.feedback import AnnotationItem, Judgement

MIN_GOLD = 5
"""Gold items needed before an annotator can count as careless."""
MIN_ACCURACY = 0.7
"""Accuracy on gold items that an annotator's 95% interval has to reach; guessing among four gets .25."""
FASTEST_WORDS_PER_MINUTE = 1000.0
"""More than four times the average reading speed of 238 words a minute (Brysbaert 2019): nobody who reads
both answers is faster."""
MIN_TIMED = 5
"""Timed judgements needed before an annotator can count as too fast."""


class AnnotatorReport(Record):
    """One annotator's judgements, and whether they can be trusted."""

    annotator: str
    judgements: int
    """Without skips."""
    skips: int
    gold: int
    """Gold items judged."""
    right: int
    """Gold items judged as known."""
    accuracy: Interval | None
    """95% Wilson interval of the accuracy on gold items; None without gold items."""
    median_seconds: float | None
    """None if no times are known."""
    careless: bool
    reasons: tuple[str, ...] = ()
    """Why the annotator counts as careless."""


class AgreementReport(Record):
    """Agreement between annotators on the items that several have judged."""

    alpha: float | None
    """Krippendorff's alpha, nominal; None if it is undefined: fewer than two judgements of any item, or all
    judgements are the same."""
    trusted_alpha: float | None
    """The same without careless annotators."""
    items: int
    """Items with two judgements or more; gold items are left out."""
    annotators: tuple[AnnotatorReport, ...]


def trusted(judgements: Iterable[Judgement], items: Iterable[AnnotationItem]) -> tuple[Judgement, ...]:
    """The judgements of annotators who are not careless, skips left out, in the same order.

    Pass all judgements and their items, not only a period's, so that nobody is judged by few gold items.
    Judgements of gold items are included.
    """
    known = tuple(judgements)
    careless = {report.annotator for report in annotator_reports(known, items) if report.careless}
    return tuple(each for each in known if each.annotator not in careless and each.choice != "skip")


def measure_agreement(judgements: Iterable[Judgement], items: Iterable[AnnotationItem]) -> AgreementReport:
    """Agreement of all annotators and of the trusted ones, with a report on each annotator."""
    known, by_id = tuple(judgements), {item.id: item for item in items}
    reports = annotator_reports(known, by_id.values())
    counts = Counter(each.item_id for each in _comparable(known, by_id))
    return AgreementReport(
        alpha=krippendorff_alpha(known, by_id),
        trusted_alpha=krippendorff_alpha(trusted(known, by_id.values()), by_id),
        items=sum(1 for count in counts.values() if count > 1),
        annotators=reports,
    )


def krippendorff_alpha(judgements: Sequence[Judgement], items: Mapping[str, AnnotationItem]) -> float | None:
    """Krippendorff's alpha of the choices, nominal, with the sides' shuffle undone; None if undefined.

    Skips and gold items are left out.
    """
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for each in _comparable(judgements, items):
        counts[each.item_id][unshuffled_choice(each, items[each.item_id])] += 1
    pairable = [count for count in counts.values() if count.total() > 1]
    values = sorted({value for count in pairable for value in count})
    if len(values) < 2:
        return None
    table = [[count[value] for value in values] for count in pairable]
    return float(krippendorff.alpha(value_counts=table, level_of_measurement="nominal"))


def unshuffled_choice(judgement: Judgement, item: AnnotationItem) -> str:
    """The choice without the sides: `served` or `alternative` instead of `a` or `b`.

    Unchanged for items of which neither answer was served, and for choices that name no side.
    """
    if judgement.choice not in ("a", "b") or SERVED not in (item.a_source, item.b_source):
        return judgement.choice
    source = item.a_source if judgement.choice == "a" else item.b_source
    return SERVED if source == SERVED else "alternative"


def annotator_reports(
    judgements: Iterable[Judgement], items: Iterable[AnnotationItem]
) -> tuple[AnnotatorReport, ...]:
    """A report on each annotator, by name."""
    by_id = {item.id: item for item in items}
    by_annotator: defaultdict[str, list[Judgement]] = defaultdict(list)
    for judgement in judgements:
        by_annotator[judgement.annotator].append(judgement)
    return tuple(_report(name, by_annotator[name], by_id) for name in sorted(by_annotator))


def wilson_interval(right: int, total: int) -> Interval:
    """95% Wilson score interval of a proportion (Wilson 1927). Raises ValueError if `total` is below 1."""
    if total < 1:
        raise ValueError("a proportion of nothing has no interval")
    found = binomtest(right, total).proportion_ci(method="wilson")
    return Interval(lower=float(found.low), upper=float(found.high))


def least_seconds(item: AnnotationItem) -> float:
    """The time below which nobody can have read the question and both answers."""
    texts = (item.messages[-1].content if item.messages else "", item.a, item.b)
    return 60.0 * sum(len(text.split()) for text in texts) / FASTEST_WORDS_PER_MINUTE


def _report(
    name: str, judgements: Sequence[Judgement], items: Mapping[str, AnnotationItem]
) -> AnnotatorReport:
    made = [each for each in judgements if each.choice != "skip"]
    gold = [(each, item) for each in made if (item := items.get(each.item_id)) and item.gold is not None]
    right = sum(each.choice == item.gold for each, item in gold)
    accuracy = wilson_interval(right, len(gold)) if gold else None
    timed = [(each.seconds, each.item_id) for each in made if each.seconds is not None]
    rushed = sum(
        1 for seconds, item_id in timed if item_id in items and seconds < least_seconds(items[item_id])
    )
    reasons = []
    if accuracy is not None and len(gold) >= MIN_GOLD and accuracy.upper < MIN_ACCURACY:
        reasons.append(f"{right} of {len(gold)} gold items right: at most {accuracy.upper:.0%} accurate")
    if len(timed) >= MIN_TIMED and rushed > len(timed) / 2:
        reasons.append(f"{rushed} of {len(timed)} judgements faster than the texts can be read")
    return AnnotatorReport(
        annotator=name,
        judgements=len(made),
        skips=len(judgements) - len(made),
        gold=len(gold),
        right=right,
        accuracy=accuracy,
        median_seconds=median(seconds for seconds, _ in timed) if timed else None,
        careless=bool(reasons),
        reasons=tuple(reasons),
    )


def _comparable(
    judgements: Iterable[Judgement], items: Mapping[str, AnnotationItem]
) -> tuple[Judgement, ...]:
    """Judgements of ordinary items, without skips."""
    return tuple(
        each
        for each in judgements
        if each.choice != "skip" and each.item_id in items and items[each.item_id].gold is None
    )
