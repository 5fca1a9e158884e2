"""The answer gate: how sure the model was of an answer, and whether that is sure enough.

Signals come from the tokens' log-probabilities. A calibrated logistic regression per answer form turns them
into the probability that the answer is right; regressions and thresholds come from the model's card or the
adapter (`AnswerGate`).
"""

import math
from collections.abc import Sequence
from typing import Literal

from agent.engines.base import Token
from memory.records.base import Interval
from memory.records.interactions import AnswerForm, AnswerGate, Decision, LogisticModel, Signals, Uncertainty

SHORT, SENTENCE = 12, 40
"""Most tokens of a short answer and of a sentence; signals mean different things on longer answers."""
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
"""Tokens of an answer that are judged: its claim comes first, and calibration used no more."""

Bound = Literal["lower", "upper"]


def answer_signals(tokens: Sequence[Token]) -> Signals:
    """The signals of an answer's first JUDGED_TOKENS tokens; all zero without tokens."""
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
    """The regression's inputs by name (FEATURES), with each entropy at its lower or upper bound."""
    return {
        "first_entropy": getattr(seen.first, bound),
        "mean_entropy": getattr(seen.mean, bound),
        "max_entropy": getattr(seen.maximum, bound),
        "mean_logprob": seen.mean_logprob,
        "min_logprob": seen.min_logprob,
        "total_logprob": seen.mean_logprob * seen.tokens,
        "log_tokens": math.log1p(seen.tokens),
    }


def answer_form(seen: Signals) -> AnswerForm:
    """The form of an answer, by its length in tokens."""
    if seen.tokens <= SHORT:
        return "short"
    return "sentence" if seen.tokens <= SENTENCE else "long"


def right_probability(model: LogisticModel, values: dict[str, float]) -> float:
    """Probability that an answer with these features is right. Raises KeyError if a feature is missing."""
    score = model.intercept + math.fsum(
        weight * (values[name] - mean) / scale
        for name, mean, scale, weight in zip(
            model.features, model.mean, model.scale, model.weights, strict=True
        )
    )
    return (1.0 + math.tanh(score / 2)) / 2  # the sigmoid, without overflow


def measure_uncertainty(tokens: Sequence[Token], gate: AnswerGate, *, abstained: bool = False) -> Uncertainty:
    """Judges an answer by its tokens; `abstained` means that the answer admits ignorance.

    Entropies are only known as bounds, so there are three outcomes: confident if the probability of being
    right reaches the threshold even at the worst bounds, unsure if it does not even at the best, else
    undecided. The confidence reported is the one at the worst bounds, on which gates are fitted too.
    Abstentions, empty answers and forms without a threshold are unsure.
    """
    measured = answer_signals(tokens)
    form = answer_form(measured)
    form_gate = gate.forms.get(form)
    empty = not tokens or not "".join(token.text for token in tokens).strip()
    confidence = at_best = None
    if form_gate is not None and not abstained and not empty:
        both = [
            right_probability(form_gate.model, gate_features(measured, bound)) for bound in ("upper", "lower")
        ]
        confidence, at_best = min(both), max(both)
    threshold = form_gate.threshold if form_gate is not None else None
    return Uncertainty(
        **dict(measured),
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
