"""Bounds on the entropy of a next-token distribution when only the top log-probabilities are known."""

import math
from collections.abc import Sequence

from memory.records.base import Interval

TOP_LOGPROBS = 20
"""Log-probabilities per token that engines report: the most that vLLM returns by default."""


def entropy_bounds(top_logprobs: Sequence[float], vocabulary: int) -> Interval:
    """Lower and upper bound, in nats, on the entropy of a distribution given its top k log-probabilities.

    With tail mass r = 1 - sum p over V - k unseen tokens, each at most as likely as the least likely
    seen one (p_k), and h = -sum p ln p over the seen:

    - upper: h - r ln(r / (V - k)), the tail spread evenly;
    - lower: h - m p_k ln p_k - rho ln rho, the tail packed into m = floor(r / p_k) tokens and a rest rho.

    Renormalising over the seen tokens would underestimate the entropy. `top_logprobs` are natural logarithms
    in any order. Raises ValueError if there are none, more than `vocabulary`, or a positive one.
    """
    k = len(top_logprobs)
    if not 0 < k <= vocabulary:
        raise ValueError(f"entropy bounds need 1 to {vocabulary} log-probabilities, got {k}")
    if not all(value <= 1e-6 for value in top_logprobs):  # "not all" also catches NaN
        raise ValueError(f"log-probabilities must not be positive: {max(top_logprobs)}")
    probabilities = [math.exp(min(value, 0.0)) for value in top_logprobs]
    seen = math.fsum(entropy_term(p) for p in probabilities)
    tail = max(0.0, 1.0 - math.fsum(probabilities))
    unseen = vocabulary - k
    if tail == 0.0 or unseen == 0:
        return Interval(lower=seen, upper=seen)
    upper = seen - tail * math.log(tail / unseen)
    least = min(probabilities)
    if least == 0.0:  # the tail is only rounding error
        return Interval(lower=seen, upper=upper)
    whole = min(math.floor(tail / least), unseen)
    rest = max(0.0, tail - whole * least)
    lower = seen + whole * entropy_term(least) + entropy_term(rest)
    return Interval(lower=min(lower, upper), upper=upper)


def entropy_term(probability: float) -> float:
    """-p ln p in nats, with its limit 0 at p = 0."""
    return -probability * math.log(probability) if probability > 0.0 else 0.0
