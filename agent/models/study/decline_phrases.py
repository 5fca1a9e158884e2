"""Finds a model's own phrases for not knowing in its answers about invented names."""

import re
from collections import Counter
from collections.abc import Sequence

from agent.grading import DECLINE_WITHIN

WORDS = (3, 7)
"""Fewest and most words of a phrase."""
MIN_ANSWERS = 3
MIN_SHARE = 0.01
"""Minimum share of the answers about invented names that contain the phrase."""
CONTRAST = 4.0
"""How many times more frequent a phrase has to be about invented names than in right answers."""
_NEGATION = re.compile(
    r"\b(not|no|cannot|unable|unknown|unclear|sorry|never heard|\w+n't|isnt|doesnt|dont)\b"
)
_ABOUT_KNOWING = re.compile(
    r"\b(know|knows|known|unknown|sure|certain|unclear|information|familiar|available|aware|answer|find|found|"
    r"exist|exists|recogni[sz]e|determine|provided|mentioned|specified|context|text|data|records?|recorded|defined|idea|clue)\b"
)


def decline_phrases(about_invented: Sequence[str], right: Sequence[str]) -> tuple[str, ...]:
    """Lower-case phrases with which answers about invented names decline, most frequent first.

    A phrase is a run of words near the beginning that denies knowledge, is frequent about invented names and
    rare in right answers. English only: other languages have no word list here.
    """
    invented = _counts(about_invented)
    others = _counts(right)
    least = max(MIN_ANSWERS, MIN_SHARE * len(about_invented))
    frequent = [
        phrase
        for phrase, count in invented.most_common()
        if count >= least
        and count / max(1, len(about_invented)) >= CONTRAST * (others[phrase] + 0.5) / (len(right) + 1)
    ]
    shortest: list[str] = []
    for phrase in sorted(frequent, key=lambda phrase: (len(phrase.split()), -invented[phrase])):
        if not any(shorter in phrase for shorter in shortest):
            shortest.append(phrase)
    return tuple(sorted(shortest, key=lambda phrase: -invented[phrase]))


def _counts(answers: Sequence[str]) -> Counter[str]:
    """Number of answers that contain each possible phrase."""
    return Counter(phrase for answer in answers for phrase in _phrases(answer))


def _phrases(answer: str) -> set[str]:
    beginning = answer[:DECLINE_WITHIN].lower().replace("\u2019", "'")
    phrases = set()
    for sentence in re.split(r"[.!?;:,\n]", beginning):
        words = sentence.split()
        for size in range(WORDS[0], WORDS[1] + 1):
            for start in range(len(words) - size + 1):
                phrase = " ".join(words[start : start + size])
                if _NEGATION.search(phrase) and _ABOUT_KNOWING.search(phrase):
                    phrases.add(phrase)
    return phrases
