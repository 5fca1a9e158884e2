"""Grading of free-text answers: whether one is correct, admits ignorance, or repeats itself.

An answer is correct if it contains a reference as whole words after normalisation; numbers must match
exactly. Token overlap is not used, because it rewards long answers.
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
"""English phrases for not knowing; a model's card adds the model's own."""
DECLINE_WITHIN = 160
"""A decline phrase has to start within this many characters; later it is part of an answer."""

REPEATS = 3
"""An answer repeats itself if the same four words occur this many times."""

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
    """Lower case without punctuation, articles or repeated spaces; numbers keep sign and decimal point.

    Based on the SQuAD evaluation script (Rajpurkar et al. 2016), which would turn 1.5 into 15.
    """
    marked = _MINUS.sub("\ue001", _POINT.sub("\ue000", _THOUSANDS.sub("", text.lower())))
    bare = marked.translate(_PUNCTUATION).replace("\ue000", ".").replace("\ue001", "-")
    return " ".join(_ARTICLES.sub(" ", bare).split())


def is_correct(answer: str, references: Sequence[str]) -> bool:
    """Whether the answer contains a reference as whole words and does not deny it.

    A reference of yes or no has to be the answer's first word. Raises ValueError if no reference has text,
    because the question cannot be graded then.
    """
    accepted = {normalise(reference) for reference in references} - {""}
    if not accepted:
        raise ValueError("grading needs at least one reference answer with text")
    normalised = normalise(answer)
    return any(_states(normalised, reference) for reference in accepted)


def admits_ignorance(answer: str, phrases: Sequence[str] = DECLINE_PHRASES) -> bool:
    """Whether the answer begins with one of the phrases for not knowing."""
    beginning = answer[:DECLINE_WITHIN].lower().replace("\u2019", "'")
    return any(phrase in beginning for phrase in phrases)


def _states(answer: str, reference: str) -> bool:
    """Whether a normalised answer contains the reference without denying it."""
    if reference in _CHOICES:
        return answer.split(" ", 1)[0] == reference
    for match in re.finditer(rf"(?<!\S){re.escape(reference)}(?!\S)", answer):
        if not _NEGATED.search(answer[: match.start()].rstrip()):
            return True
    return False


def repeats_itself(text: str) -> bool:
    """Whether the same four consecutive words occur three times, as in a small model's loops."""
    words = text.lower().split()
    counts = Counter(zip(words, words[1:], words[2:], words[3:], strict=False))
    return max(counts.values(), default=0) >= REPEATS


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
