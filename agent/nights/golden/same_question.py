"""Whether two questions ask the same, and whether two answers to one question contradict each other."""

from typing import TYPE_CHECKING

from agent.chat.sentence_candidates import name_roots
from agent.chat.support import OPPOSITES, contradicts, is_negated, quantities
from agent.grading import normalise
from agent.learning.text_analysis import analyse, content_tokens
from memory.language.content_words import content_words

if TYPE_CHECKING:
    from datasketch import MinHash  # type: ignore[import-untyped]

NEARLY_SAME = 0.7
"""Jaccard similarity of shingles from which on texts are nearly the same, as in `agent.feedback.sampling`."""
SHORT_ANSWER = 6
"""Most words of an answer that is a name, a value or a phrase: two of them without a common word differ."""
_CHOICES = frozenset({"yes", "no"})


def asks_the_same(first: str, second: str, similarity: float) -> bool:
    """Whether the questions, of this shingle similarity, are one: equal, or nearly and with the same names,
    numbers, content words and negation."""
    if normalise(first) == normalise(second):
        return True
    return (
        similarity >= NEARLY_SAME
        and names_the_same(first, second)
        and is_negated(first) == is_negated(second)
        and _root_words(first) == _root_words(second)
    )


def names_the_same(first: str, second: str) -> bool:
    """Whether two texts have the same names and numbers, by which otherwise equal questions differ."""
    return quantities(first) == quantities(second) and set(name_roots(first)) == set(name_roots(second))


def answers_contradict(first: str, second: str) -> bool:
    """Whether two answers to the same question cannot both be right."""
    one, two = normalise(first), normalise(second)
    if f" {one} " in f" {two} " or f" {two} " in f" {one} ":
        return False
    choices = {one.split(" ", 1)[0], two.split(" ", 1)[0]}
    if choices == _CHOICES or contradicts(first, second) or is_negated(first) != is_negated(second):
        return True
    here, there = quantities(first), quantities(second)
    if here and there and not {value for value, _ in here} & {value for value, _ in there}:
        return True
    ours, theirs = _root_words(first), _root_words(second)
    if any(pair & ours and pair & theirs and not pair & ours & theirs for pair in OPPOSITES):
        return True
    return max(len(one.split()), len(two.split())) <= SHORT_ANSWER and not ours & theirs


def nearly_the_same(first: "MinHash", second: "MinHash") -> bool:
    """Whether two texts are near duplicates, by their MinHashes."""
    return bool(first.jaccard(second) >= NEARLY_SAME)


def _root_words(text: str) -> frozenset[str]:
    return frozenset(token.root for token in content_tokens(analyse(text))) or frozenset(content_words(text))
