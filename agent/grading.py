"""Grading: when an answer counts as right, and when it admits ignorance.

Answers are free text, so a reference counts where it stands in the answer as whole words (normalised), and
numbers must agree exactly. Token overlap is not used, because it rewards length.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

DECLINE_PHRASES = (
    "i don't know",
    "i do not know",
    "i'm not sure",
    "i am not sure",
    "i don't have information",
    "i do not have information",
    "i'm not familiar with",
    "i am not familiar with",
    "i cannot answer",
    "i can't answer",
)
"""How people and models say in English that they do not know; a model's card adds its own phrases."""
DECLINES_EARLY = 160
"""Characters within which an answer that declines says so; later it is part of the answer."""

CIRCLES = 3
"""Times that four words in a row come in an answer that goes in circles."""

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_THOUSANDS = re.compile(r"(?<=\d)[,\u202f\u00a0](?=\d{3}(?!\d))")
_POINT = re.compile(r"(?<=\d)\.(?=\d)")
_MINUS = re.compile(r"(?<![\w.])[-\u2212](?=\d)")
_PUNCTUATION = str.maketrans(
    dict.fromkeys(string.punctuation + "\u2018\u2019\u201c\u201d\u2013\u2014\u2026", " ")
    | {"'": "", "\u2019": ""}
)
_CHOICES = frozenset({"yes", "no"})
_NEGATED = re.compile(r"\b(not|never|isnt|wasnt|arent|werent)( \w+)?$")


def normalise(text: str) -> str:
    """Lower case, no punctuation, no articles, single spaces; numbers keep their sign and decimal point.

    After the SQuAD evaluation script (Rajpurkar et al. 2016), which would turn 1.5 into 15.
    """
    kept = _MINUS.sub("\ue001", _POINT.sub("\ue000", _THOUSANDS.sub("", text.lower())))
    bare = kept.translate(_PUNCTUATION).replace("\ue000", ".").replace("\ue001", "-")
    return " ".join(_ARTICLES.sub(" ", bare).split())


def is_correct(answer: str, references: Sequence[str]) -> bool:
    """Whether the answer contains a reference as whole words and does not deny it.

    A reference of yes or no has to be the answer's first word. Raises ValueError without a reference that has
    text: such a question cannot be graded.
    """
    accepted = {normalise(reference) for reference in references} - {""}
    if not accepted:
        raise ValueError("grading needs at least one reference answer with text")
    said = normalise(answer)
    return any(_answers(said, reference) for reference in accepted)


def admits_ignorance(answer: str, phrases: Sequence[str] = DECLINE_PHRASES) -> bool:
    """Whether the answer begins by admitting ignorance, in one of the phrases."""
    beginning = answer[:DECLINES_EARLY].lower().replace("\u2019", "'")
    return any(phrase in beginning for phrase in phrases)


def _answers(said: str, reference: str) -> bool:
    if reference in _CHOICES:
        return said.split(" ", 1)[0] == reference
    for found in re.finditer(rf"(?<!\S){re.escape(reference)}(?!\S)", said):
        if not _NEGATED.search(said[: found.start()].rstrip()):
            return True
    return False


def repeats_itself(text: str) -> bool:
    """Whether some four words in a row come three times: a small model that lost its way goes in circles."""
    words = text.lower().split()
    counts = Counter(zip(words, words[1:], words[2:], words[3:], strict=False))
    return max(counts.values(), default=0) >= CIRCLES


def word_f1(first: str, second: str) -> float:
    """Harmonic mean of word precision and recall between two normalised phrases, in [0, 1]."""
    first_words, second_words = normalise(first).split(), normalise(second).split()
    if not first_words or not second_words:
        return float(first_words == second_words)
    common = sum((Counter(first_words) & Counter(second_words)).values())
    if common == 0:
        return 0.0
    precision, recall = common / len(first_words), common / len(second_words)
    return 2 * precision * recall / (precision + recall)
