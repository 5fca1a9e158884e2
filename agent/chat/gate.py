"""The gate: how sure the model was of an answer, and whether that is sure enough.

Signals are computed from the log-probabilities that every engine reports. A calibrated logistic regression
per answer form turns them into the chance that the answer is right; the thresholds come from the model's card
or the adapter (`AnswerGate`), where they are fitted.
"""

import math
from collections.abc import Sequence
from typing import Literal

from agent.engines.base import Token
from memory.records.base import Interval
from memory.records.interactions import AnswerForm, AnswerGate, Decision, LogisticModel, Signals, Uncertainty

SHORT, SENTENCE = 12, 40
"""Most tokens of a short answer and of a sentence: signals mean other things on longer answers."""
FEATURES = (
    "first_entropy",
    "mean_entropy",
    "max_entropy",
    "mean_logprob",
    "min_logprob",
    "total_logprob",
    "log_tokens",
)

JUDGED_TOKENS = 64
"""Tokens of an answer that are judged: its claim stands at the beginning, and calibration saw no more."""

Bound = Literal["lower", "upper"]


def signals(tokens: Sequence[Token]) -> Signals:
    """The signals of an answer's first JUDGED tokens; all zero without any."""
    tokens = tokens[:JUDGED_TOKENS]
    entropies = [token.entropy for token in tokens] or [Interval(lower=0.0, upper=0.0)]
    logprobs = [token.logprob for token in tokens] or [0.0]
    return Signals(
        first=entropies[0],
        mean=Interval(
            lower=math.fsum(e.lower for e in entropies) / len(entropies),
            upper=math.fsum(e.upper for e in entropies) / len(entropies),
        ),
        maximum=Interval(lower=max(e.lower for e in entropies), upper=max(e.upper for e in entropies)),
        mean_logprob=math.fsum(logprobs) / len(logprobs),
        min_logprob=min(logprobs),
        tokens=len(tokens),
    )


def gate_features(seen: Signals, bound: Bound = "upper") -> dict[str, float]:
    """What the logistic regression sees, by name (FEATURES), with each entropy at one of its bounds."""
    return {
        "first_entropy": getattr(seen.first, bound),
        "mean_entropy": getattr(seen.mean, bound),
        "max_entropy": getattr(seen.maximum, bound),
        "mean_logprob": seen.mean_logprob,
        "min_logprob": seen.min_logprob,
        "total_logprob": seen.mean_logprob * seen.tokens,
        "log_tokens": math.log1p(seen.tokens),
    }


def form_of(seen: Signals) -> AnswerForm:
    """The form of an answer, by its length in tokens."""
    if seen.tokens <= SHORT:
        return "short"
    return "sentence" if seen.tokens <= SENTENCE else "long"


def chance(model: LogisticModel, values: dict[str, float]) -> float:
    """The chance in [0, 1] that an answer with these features is right. Raises KeyError if one is missing."""
    score = model.intercept + math.fsum(
        weight * (values[name] - mean) / scale
        for name, mean, scale, weight in zip(
            model.features, model.mean, model.scale, model.weights, strict=True
        )
    )
    return (1.0 + math.tanh(score / 2)) / 2  # the sigmoid, without its overflow


def measure(tokens: Sequence[Token], gate: AnswerGate, *, abstained: bool = False) -> Uncertainty:
    """Judges an answer by its tokens; `abstained` says that it admits ignorance in words.

    Entropies are known as bounds only, so there are three outcomes: confident if the chance of being right
    reaches the threshold even at the worst bounds, unsure if it does not even at the best, else undecided.
    The confidence stated is the one at the worst bounds, which is also what gates are fitted on. Admissions,
    empty answers and forms without a threshold are unsure.
    """
    seen = signals(tokens)
    form = form_of(seen)
    fitted = gate.forms.get(form)
    silent = not tokens or not "".join(token.text for token in tokens).strip()
    confidence = at_best = None
    if fitted is not None and not abstained and not silent:
        both = [chance(fitted.model, gate_features(seen, bound)) for bound in ("upper", "lower")]
        confidence, at_best = min(both), max(both)
    threshold = fitted.threshold if fitted is not None else None
    return Uncertainty(
        **dict(seen),
        form=form,
        abstained=abstained,
        confidence=confidence,
        threshold=threshold,
        decision=_decide(confidence, at_best, threshold),
    )


def _decide(confidence: float | None, at_best: float | None, threshold: float | None) -> Decision:
    if confidence is None or at_best is None or threshold is None or at_best < threshold:
        return "unsure"
    return "confident" if confidence >= threshold else "undecided"
