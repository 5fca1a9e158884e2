"""Preference pairs from judged annotation items."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from agent.feedback.formats.argilla import IMPORTED
from memory.records.feedback import AnnotationItem, Judgement, PairOrigin, PreferencePair


def annotated_pairs(
    items: Iterable[AnnotationItem], judgements: Iterable[Judgement]
) -> tuple[PreferencePair, ...]:
    """The pairs that the judgements give, in the order of the items; pass judgements of trusted annotators.

    The choice of most annotators decides, and their share is the weight; a tie gives no pair. `both_good`
    gives both answers as liked ones, `both_bad` as disliked ones. Each rewrite is chosen over both answers.
    """
    by_item: defaultdict[str, list[Judgement]] = defaultdict(list)
    for judgement in judgements:
        if judgement.choice != "skip":
            by_item[judgement.item_id].append(judgement)
    found: dict[PreferencePair, None] = {}
    for item in items:
        for pair in _pairs(item, by_item.get(item.id, [])):
            found.setdefault(pair)
    return tuple(found)


def _pairs(item: AnnotationItem, judgements: Sequence[Judgement]) -> Iterable[PreferencePair]:
    origin: PairOrigin = "import" if item.a_source == item.b_source == IMPORTED else "annotation"

    def pair(chosen: str | None, rejected: str | None, weight: float = 1.0) -> PreferencePair:
        return PreferencePair(
            messages=item.messages,
            chosen=chosen,
            rejected=rejected,
            origin=origin,
            source=item.id,
            weight=weight,
        )

    for judgement in judgements:
        if judgement.rewrite and judgement.rewrite.strip():
            yield from (pair(judgement.rewrite, bad) for bad in (item.a, item.b) if bad != judgement.rewrite)
    ranked = Counter(judgement.choice for judgement in judgements).most_common()
    if not ranked or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return
    choice, votes = ranked[0]
    weight = votes / len(judgements)
    if choice == "both_good":
        yield pair(item.a, None, weight)
        yield pair(item.b, None, weight)
    elif choice == "both_bad":
        yield pair(None, item.a, weight)
        yield pair(None, item.b, weight)
    elif choice in ("a", "b") and item.a != item.b:
        yield pair(*((item.a, item.b) if choice == "a" else (item.b, item.a)), weight)
