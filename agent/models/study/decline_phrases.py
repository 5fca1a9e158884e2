"""How a model says that it does not know, read off its own answers."""

import re
from collections import Counter
from collections.abc import Sequence

from agent.grading import DECLINES_EARLY

WORDS = (3, 7)
"""Fewest and most words of a phrase."""
LEAST_ANSWERS = 3
LEAST_SHARE = 0.01
"""Of the answers about invented names that a phrase has to be in."""
CONTRAST = 4.0
"""How many times as often it has to be said of invented names as in right answers."""
_NEGATION = re.compile(
    r"\b(not|no|cannot|unable|unknown|unclear|sorry|never heard|\w+n't|isnt|doesnt|dont)\b"
)
_ABOUT_KNOWING = re.compile(
    r"\b(know|knows|known|unknown|sure|certain|unclear|information|familiar|available|aware|answer|find|found|"
    r"exist|exists|recogni[sz]e|determine|provided|mentioned|specified|context|text|data|records?|recorded|defined|idea|clue)\b"
)


def decline_phrases(about_invented: Sequence[str], right: Sequence[str]) -> tuple[str, ...]:
    """Phrases, in lower case, by which answers about invented names decline, the most frequent first.

    A phrase is a run of words near the beginning that denies something about knowing, is said again and
    again of invented names, and hardly ever in right answers. English only: other models' words are in no
    list of ours, so they would have to be learned from graded answers.
    """
    invented = _counts(about_invented)
    others = _counts(right)
    least = max(LEAST_ANSWERS, LEAST_SHARE * len(about_invented))
    found = [
        phrase
        for phrase, count in invented.most_common()
        if count >= least
        and count / max(1, len(about_invented)) >= CONTRAST * (others[phrase] + 0.5) / (len(right) + 1)
    ]
    kept: list[str] = []
    for phrase in sorted(found, key=lambda phrase: (len(phrase.split()), -invented[phrase])):
        if not any(shorter in phrase for shorter in kept):
            kept.append(phrase)
    return tuple(sorted(kept, key=lambda phrase: -invented[phrase]))


def _counts(answers: Sequence[str]) -> Counter[str]:
    """In how many answers each possible phrase is."""
    return Counter(phrase for answer in answers for phrase in _phrases(answer))


def _phrases(answer: str) -> set[str]:
    beginning = answer[:DECLINES_EARLY].lower().replace("\u2019", "'")
    found = set()
    for sentence in re.split(r"[.!?;:,\n]", beginning):
        words = sentence.split()
        for size in range(WORDS[0], WORDS[1] + 1):
            for start in range(len(words) - size + 1):
                phrase = " ".join(words[start : start + size])
                if _NEGATION.search(phrase) and _ABOUT_KNOWING.search(phrase):
                    found.add(phrase)
    return found
