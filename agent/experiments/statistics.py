"""Statistics of experiments that may be looked at as often as one likes.

The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2021, arXiv
2103.06476): an interval for a difference of means that holds at all times at once, so that peeking costs
nothing. Each unit (user or conversation) counts once, by its mean, so errors are clustered by unit.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chisquare  # type: ignore[import-untyped]

from memory.records.base import Record

Values = NDArray[np.float64]
SRM_ALPHA = 0.001
"""Level of the sample-ratio alarm. Low, because every check looks again, while a real mismatch only becomes
plainer with more units."""


class Difference(Record):
    """A difference of means, treatment minus control, with a confidence sequence's interval."""

    estimate: float
    lower: float
    upper: float
    units: int
    """Units in both variants."""
    p: float
    """Always-valid p-value of no difference."""


def tuning(planned: float, alpha: float) -> float:
    """The rho for which the two-sided sequence is tightest at `planned` units: the paper's approximation,
    sqrt((-2 ln alpha + ln(1 - 2 ln alpha)) / planned)."""
    return math.sqrt((-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / planned)


def half_width(error: Any, units: Any, planned: float, alpha: float) -> Any:
    """Half of the width of the two-sided sequence, the paper's Gaussian mixture.

    `error` is the standard error of the difference after `units` units in both variants; the paper's standard
    deviation is `error * sqrt(units)`.
    """
    rho = tuning(planned, alpha)
    s = units * rho**2 + 1
    return error * np.sqrt(units) * np.sqrt(2 * s / (units * rho) ** 2 * np.log(np.sqrt(s) / alpha))


def one_sided_width(error: Any, units: Any, planned: float, alpha: float) -> Any:
    """Distance of the one-sided sequence's bound from the estimate (the paper's appendix on one-sided
    sequences): as two-sided at 2 alpha, with ln(1 + sqrt(n rho^2 + 1) / (2 alpha))."""
    rho = tuning(planned, 2 * alpha)
    s = units * rho**2 + 1
    return error * np.sqrt(units) * np.sqrt(2 * s / (units * rho) ** 2 * np.log1p(np.sqrt(s) / (2 * alpha)))


def always_valid_p(z: Any, units: Any, planned: float, alpha: float) -> Any:
    """The smallest level at which the two-sided sequence with this rho excludes 0; z is estimate / error."""
    rho = tuning(planned, alpha)
    s = units * rho**2 + 1
    return np.minimum(1.0, np.sqrt(s) * np.exp(-(rho**2) * units * np.square(z) / (2 * s)))


def difference(control: Values, treatment: Values, *, planned: float, alpha: float) -> Difference | None:
    """The difference of two variants' unit means; None while a variant has fewer than two units."""
    error = standard_error(control, treatment)
    if error is None:
        return None
    units, estimate = len(control) + len(treatment), float(treatment.mean() - control.mean())
    half = float(half_width(error, units, planned, alpha))
    z = estimate / error if error > 0 else math.copysign(math.inf, estimate) if estimate else 0.0
    return Difference(
        estimate=estimate,
        lower=estimate - half,
        upper=estimate + half,
        units=units,
        p=float(always_valid_p(z, units, planned, alpha)),
    )


def harm_bounds(
    control: Values, treatment: Values, *, planned: float, alpha: float
) -> tuple[float, float] | None:
    """A lower and an upper bound of `treatment - control`, each a one-sided sequence at `alpha`.

    The values are shares from 0 to 1. For non-inferiority: a rise by at most the margin is shown once the
    upper bound is at most the margin, and refuted once the lower bound exceeds it. None while a variant has
    fewer than two units.
    """
    if min(len(control), len(treatment)) < 2:
        return None
    variances = (share_variance(v.mean(), v.var(ddof=1), len(v)) / len(v) for v in (control, treatment))
    error = math.sqrt(sum(variances))
    width = float(one_sided_width(error, len(control) + len(treatment), planned, alpha))
    estimate = float(treatment.mean() - control.mean())
    return estimate - width, estimate + width


def standard_error(control: Values, treatment: Values) -> float | None:
    """Standard error of the difference of means (Welch's); None while a variant has fewer than two units."""
    if min(len(control), len(treatment)) < 2:
        return None
    return math.sqrt(control.var(ddof=1) / len(control) + treatment.var(ddof=1) / len(treatment))


def share_variance(mean: Any, variance: Any, units: Any) -> Any:
    """The variance of shares with one more unit at 0 and one at 1.

    So an event that no unit has had yet does not count as impossible: after 200 units its rate may well be
    1%. Agresti and Coull (1998) add two of each to the interval of a proportion.
    """
    total, squares = units * mean + 1, (units - 1) * variance + units * mean**2 + 1
    return (squares - total**2 / (units + 2)) / (units + 1)


def mean_interval(values: Values, *, planned: float, alpha: float) -> tuple[float, float] | None:
    """The two-sided sequence of one variant's mean; None below two units."""
    if len(values) < 2:
        return None
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    half = float(half_width(error, len(values), planned, alpha))
    return float(values.mean()) - half, float(values.mean()) + half


def sample_ratio_p(counts: Sequence[int], shares: Sequence[float]) -> float:
    """P-value of the variants' unit counts under their shares, by chi-squared; 1 below 5 expected units each.

    Counts and shares are in the same order. Below 5, the chi-squared approximation does not hold.
    """
    expected = np.array(shares) / sum(shares) * sum(counts)
    if expected.min() < 5:
        return 1.0
    return float(chisquare(counts, expected).pvalue)


def percentiles(values: Sequence[float], shares: Sequence[float] = (0.5, 0.95, 0.99)) -> Mapping[str, float]:
    """The percentiles by name (`p50`), interpolated; empty without values."""
    if not values:
        return {}
    found = np.quantile(np.asarray(values, dtype=float), shares)
    return {f"p{round(100 * share)}": float(value) for share, value in zip(shares, found, strict=True)}
