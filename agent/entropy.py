"""Owns the arithmetic of uncertainty: entropy bounds of one token, and the gate over one answer.

Which threshold a domain deserves is decided where adapters are evaluated.
"""

import math
from collections.abc import Sequence
from typing import Literal

from agent.engine import NEED_INFO, Reply
from memory.records import Calibration, Decision, Interval, Uncertainty


def bounds(top_logprobs: Sequence[float], vocabulary: int) -> Interval:
    """Bounds, in nats, on the entropy of a distribution of which only the top k log-probabilities are known.

    With tail mass r = 1 - sum p over V - k unseen tokens, each at most as likely as the least likely
    seen one (p_k), and h = -sum p ln p over the seen:

    - upper: h - r ln(r / (V - k)), the tail spread evenly;
    - lower: h - m p_k ln p_k - rho ln rho, the tail packed into m = floor(r / p_k) tokens and a rest rho.

    Renormalising over the seen tokens instead would underestimate, so it is never done. `top_logprobs` are
    natural logarithms in any order. Raises ValueError if there is none, if there are more than `vocabulary`,
    or if one of them is positive.
    """
    k = len(top_logprobs)
    if not 0 < k <= vocabulary:
        raise ValueError(f"bounds need between 1 and {vocabulary} log-probabilities, got {k}")
    if not all(value <= 1e-6 for value in top_logprobs):  # "not all" also catches NaN
        raise ValueError(f"log-probabilities must not be positive: {max(top_logprobs)}")
    probabilities = [math.exp(min(value, 0.0)) for value in top_logprobs]
    seen = math.fsum(surprise(p) for p in probabilities)
    tail = max(0.0, 1.0 - math.fsum(probabilities))
    unseen = vocabulary - k
    if tail == 0.0 or unseen == 0:
        return Interval(lower=seen, upper=seen)
    upper = seen - tail * math.log(tail / unseen)
    least = min(probabilities)
    if least == 0.0:  # the tail is then nothing but rounding
        return Interval(lower=seen, upper=upper)
    whole = min(math.floor(tail / least), unseen)
    rest = max(0.0, tail - whole * least)
    lower = seen + whole * surprise(least) + surprise(rest)
    return Interval(lower=min(lower, upper), upper=upper)


def surprise(probability: float) -> float:
    """-p ln p in nats, and its limit 0 at p = 0."""
    return -probability * math.log(probability) if probability > 0.0 else 0.0


def weakest(reply: Reply) -> float:
    """Probability of the answer's least likely token, in [0, 1]; 0 without tokens."""
    return min((math.exp(min(token.logprob, 0.0)) for token in reply.tokens), default=0.0)


def confidence(probability: float, slope: float, intercept: float) -> float:
    """The chance in [0, 1] that an answer is right whose least likely token has that probability.

    Platt scaling (1999, "Probabilistic outputs for support vector machines") of the token's log-odds.
    """
    score = slope * log_odds(probability) + intercept
    return (1.0 + math.tanh(score / 2)) / 2  # the sigmoid, without its overflow


def log_odds(probability: float) -> float:
    """ln(p / (1 - p)), of probabilities no nearer to 0 or 1 than 1e-6, so that it stays finite."""
    inside = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(inside / (1 - inside))


def measure(
    reply: Reply,
    threshold: float,
    *,
    by: Literal["maximum", "mean"] = "maximum",
    calibration: Calibration | None = None,
) -> Uncertainty:
    """Judges an answer by the largest entropy among its tokens, or by their mean.

    Unsure if that surely exceeds `threshold` (nats), confident if it surely stays below, else undecided.
    An abstention, an empty answer and one without scored tokens are unsure, whatever their entropy.
    """
    intervals = [token.entropy for token in reply.tokens]
    count = len(intervals)
    maximum = Interval(
        lower=max((i.lower for i in intervals), default=0.0),
        upper=max((i.upper for i in intervals), default=0.0),
    )
    mean = Interval(
        lower=math.fsum(i.lower for i in intervals) / max(count, 1),
        upper=math.fsum(i.upper for i in intervals) / max(count, 1),
    )
    abstained = NEED_INFO in reply.text
    silent = not reply.text.strip() or not intervals
    return Uncertainty(
        maximum=maximum,
        mean=mean,
        tokens=count,
        abstained=abstained,
        threshold=threshold,
        confidence=None
        if calibration is None or abstained or silent
        else confidence(weakest(reply), calibration.slope, calibration.intercept),
        decision="unsure" if abstained or silent else gate(maximum if by == "maximum" else mean, threshold),
    )


def gate(entropy: Interval, threshold: float) -> Decision:
    """Three ways, because bounds that straddle the threshold prove nothing (all in nats)."""
    if entropy.lower > threshold:
        return "unsure"
    if entropy.upper < threshold:
        return "confident"
    return "undecided"
