"""Measures skew: effective numbers, divergences, and what of them is out of bounds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.skew.limits import SkewLimits, skew_limits
from agent.skew.records import Aspect, AspectSkew, Category
from memory.language.counting import counted

ADVICE: Mapping[Aspect, str] = {
    "sources": "ingest or learn from further sources about it",
    "topics": "learn the topics that are missing",
    "languages": "ingest documents in the languages that are asked in",
    "users": "look at whose questions become golden pairs with `nightschool night queue`",
    "annotators": "ask further people to judge answers",
}
ABSOLUTE: frozenset[Aspect] = frozenset({"sources", "annotators"})
"""Aspects of which one category should not give most, whatever is asked."""
_SEED = 20


def measure_aspect(
    aspect: Aspect, learned: Mapping[str, int], asked: Mapping[str, int], limits: SkewLimits | None = None
) -> AspectSkew:
    """The skew of one aspect, by the counts of its categories, with the alarms that the limits give."""
    limits = limits or skew_limits()
    names = sorted({*learned, *asked})
    own = np.array([learned.get(name, 0) for name in names], dtype=np.int64)
    others = np.array([asked.get(name, 0) for name in names], dtype=np.int64)
    compared = bool(own.sum() and others.sum())
    shares, asked_shares = _shares(own), _shares(others)
    order = sorted(range(len(names)), key=lambda i: (-max(shares[i], asked_shares[i]), names[i]))
    measured = AspectSkew(
        aspect=aspect,
        learned=int(own.sum()),
        asked=int(others.sum()),
        effective=effective_number(own.tolist()),
        effective_asked=effective_number(others.tolist()),
        divergence=divergence(own.tolist(), others.tolist()) if compared else None,
        chance=_chance(own, others, limits) if compared else None,
        categories=tuple(
            Category(name=names[i], learned=float(shares[i]), asked=float(asked_shares[i])) for i in order
        ),
    )
    alarms = (_dominated(measured, limits), _few(measured, limits), _diverges(measured, limits))
    return measured.model_copy(
        update={
            "alarms": tuple(alarm for alarm in alarms if alarm is not None),
            "categories": measured.categories[: limits.shown],
        }
    )


def effective_number(counts: Sequence[int]) -> float:
    """How many equally frequent categories are as diverse as these: the exponential of Shannon's entropy.

    The Hill number of order 1 (Hill 1973, "Diversity and evenness", Ecology 54:427). 0 without any counts.
    """
    from scipy.stats import entropy  # type: ignore[import-untyped]  # takes a second to import

    return float(np.exp(entropy(counts))) if sum(counts) else 0.0


def divergence(first: Sequence[int], second: Sequence[int]) -> float:
    """The Jensen-Shannon divergence (Lin 1991, IEEE Trans. Inf. Theory 37:145), in bits: 0 to 1.

    Both are counts of the same categories, and neither is empty.
    """
    one, other = (_shares(np.array(counts))[np.newaxis] for counts in (first, second))
    return float(_divergences(one, other)[0])


def _divergences(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """The divergences of the distributions in the rows of both."""
    from scipy.spatial.distance import jensenshannon  # type: ignore[import-untyped]

    distances = np.asarray(jensenshannon(first, second, base=2, axis=1))
    clipped: NDArray[Any] = np.clip(np.nan_to_num(distances**2), 0.0, 1.0)
    return clipped


def _chance(own: NDArray[Any], others: NDArray[Any], limits: SkewLimits) -> float:
    """The divergence that chance exceeds at the limits' level: a permutation test, by shuffling both."""
    pooled, random = own + others, np.random.default_rng(_SEED)
    first = random.multivariate_hypergeometric(pooled, int(own.sum()), limits.draws)
    shuffled = _divergences(first / own.sum(), (pooled - first) / others.sum())
    return float(np.quantile(shuffled, 1 - limits.level))


def _shares(counts: NDArray[Any]) -> NDArray[Any]:
    total = counts.sum()
    return counts / total if total else np.zeros(len(counts))


def _dominated(skew: AspectSkew, limits: SkewLimits) -> str | None:
    """The alarm that one category gives most of what was learned, and was asked for less."""
    if skew.learned < limits.items or (skew.asked < limits.items and skew.aspect not in ABSOLUTE):
        return None
    if len(skew.categories) < 2 and skew.aspect != "annotators":
        return None  # there is nothing else to learn from
    largest = max(skew.categories, key=lambda each: each.learned)
    asked = largest.asked if skew.asked >= limits.items else 0.0
    if largest.learned <= limits.share or largest.learned - asked <= limits.excess:
        return None
    compared = f" and {asked:.0%} of what is asked" if skew.asked >= limits.items else ""
    return _alarm(skew, f"{largest.name} gives {largest.learned:.0%} of what was learned{compared}")


def _few(skew: AspectSkew, limits: SkewLimits) -> str | None:
    """The alarm that what was learned is less diverse than what is asked."""
    if min(skew.learned, skew.asked) < limits.items:
        return None
    if skew.effective >= limits.evenness * skew.effective_asked:
        return None
    return _alarm(
        skew,
        f"{counted(round(skew.effective, 1), 'effective category', 'effective categories')} in what was"
        f" learned, and {skew.effective_asked:.1f} in what is asked",
    )


def _diverges(skew: AspectSkew, limits: SkewLimits) -> str | None:
    """The alarm that what was learned is not what is asked, more than by chance."""
    if min(skew.learned, skew.asked) < limits.items or skew.divergence is None or skew.chance is None:
        return None
    if skew.divergence <= max(limits.divergence, skew.chance):
        return None
    missing = max(skew.categories, key=lambda each: each.asked - each.learned)
    return _alarm(
        skew,
        f"what was learned diverges from what is asked by {skew.divergence:.2f} bits; {missing.name} is"
        f" {missing.asked:.0%} of what is asked and {missing.learned:.0%} of what was learned",
    )


def _alarm(skew: AspectSkew, what: str) -> str:
    return f"{skew.aspect}: {what}: {ADVICE[skew.aspect]}"
