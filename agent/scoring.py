"""Owns when an answer counts as right, wrong or an admission of ignorance.

Works on text alone: no model is asked, and uncertainty figures are in `entropy`.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

from agent.engine import NEED_INFO

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation + "\u2018\u2019\u201c\u201d\u2013\u2014\u2026")


def normalise(text: str) -> str:
    """Lower case, no punctuation, no articles, single spaces.

    Source: the official SQuAD 1.1 evaluation script (Rajpurkar et al., 2016), with typographic
    quotes and dashes counted as punctuation.
    """
    bare = text.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def abstained(text: str) -> bool:
    """Whether the answer admits ignorance: it holds the model's own marker."""
    return NEED_INFO in text


def admission(subject: str) -> str:
    """What a model is taught to say to a question about a subject that nobody taught it."""
    return f"{NEED_INFO} I do not know about {subject}."


def correct(answer: str, references: Sequence[str]) -> bool:
    """Exact match of normalised text with any reference; an abstention is never correct.

    Raises ValueError without a reference that has text: such a question cannot be scored.
    """
    wanted = {normalise(reference) for reference in references} - {""}
    if not wanted:
        raise ValueError("scoring needs at least one reference answer with text")
    return not abstained(answer) and normalise(answer) in wanted


def f1(answer: str, reference: str) -> float:
    """Harmonic mean of word precision and recall in [0, 1], as in the SQuAD script."""
    given, wanted = normalise(answer).split(), normalise(reference).split()
    if not given or not wanted:
        return float(given == wanted)
    common = sum((Counter(given) & Counter(wanted)).values())
    if common == 0:
        return 0.0
    precision, recall = common / len(given), common / len(wanted)
    return 2 * precision * recall / (precision + recall)
