"""What speaks for a passage as evidence for a question, and how much each signal weighs."""

from typing import NamedTuple


class Signals(NamedTuple):
    """The signals of one passage, each in [0, 1]; also their weights."""

    meaning: float = 0.0
    """Cosine similarity of the question and the passage."""
    words: float = 0.0
    """BM25 score, as a share of the best passage's."""
    named: float = 0.0
    """Share of the question's content words that are its title or heading; less if many have the same."""
    bridge: float = 0.0
    """A close passage mentions its title, in a sentence that is about the question."""
    shared: float = 0.0
    """It is close itself, or mentions a rare name that a close passage mentions in such a sentence."""
    fact: float = 0.0
    """A fact about something that the question names is in it."""


def fitted_weights() -> Signals:
    """Weights of a sum, which ranks better than reciprocal rank fusion (Bruch et al. 2023, "An
    Analysis of Fusion Functions for Hybrid Retrieval").

    Fitted on half of the questions of 2WikiMultihopQA, MuSiQue, HotpotQA and SQuAD, each set counting alike
    (docs/results/retrieval-tried.md), and scaled such that a good passage has about 1. The weight of facts is
    not fitted: it only breaks ties.
    """
    return Signals(meaning=0.4, words=0.09, named=0.64, bridge=0.38, shared=0.3, fact=0.02)


def weighted_sum(signals: Signals, weights: Signals) -> float:
    """The signals in one score; it may exceed 1."""
    return sum(weight * value for weight, value in zip(weights, signals, strict=True))
