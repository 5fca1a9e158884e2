"""Checks that the quote links its answer, and not another value of the same kind, to the question.

Distance decides: the question's words have to be closer to the answer than to rival values, and clause
boundaries add to the distance.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from agent.learning.consistency import Span
from agent.learning.text_analysis import Analysis, Value, content_tokens
from memory.language.content_words import CLOSED_CLASS
from memory.language.wordlists import UNITS

NAMED = 3.0
"""Weight of the question's names and numbers, relative to its other words."""
SHARED = 0.6
"""Weight of a word outside both values if another word is between them: the verb of "males weigh 31 grams and
females 27 grams"."""
SOFTENING = 3.0
"""Words added to every distance."""
SAME_CLAUSE = 1.0
"""Words subtracted from distances within a main clause."""
HEAD = 0.5
"""Bonus for a value next to the noun after "how many" or "which" in the question."""
CUE = 0.3
"""Bonus for a preposition or word of extent that fits the question."""

_COSTS = {
    "but": 4, "whereas": 5, "while": 4, "although": 4, "though": 4, "and": 1, "or": 1, "which": 1,
    "because": 3,
}  # fmt: skip
_MARKS = ((";", 6), (".", 6), (":", 3), (",", 2), ("(", 1), (")", 1), ("\u2014", 2), ("\u2013", 1))
_PARTING = frozenset({"and", "but", "whereas", "while", "although", "though"})
_ARTICLES = frozenset({"a", "an", "the"})
_JOINED = frozenset({"and", "or", "&", ","})
_HEAD = re.compile(
    r"\b(?:how many|how much|what|which)\s+(?:(?:is|was|are|were)\s+(?:the|a|an)\s+)?(\w+)(?:\s+(\w+))?", re.I
)
_WHERE = re.compile(r"\bwhere\b|\b(?:what|which) (?:city|town|country|state|place)\b", re.I)
_WHO = re.compile(r"\W*who\b", re.I)
_WHO_DID = re.compile(r"\W*who (?!did|do|does|can|could|should|would)\w", re.I)
_NO_PERSON = frozenset({"in", "at", "from", "to", "of", "with"})
_MOST = re.compile(r"\b(?:longest|most|largest|highest|greatest|maximum|biggest|limit|upper)\b", re.I)
_AT_MOST = frozenset({"maximum", "most", "up", "peak", "limit", "highest", "largest", "exceed", "within"})
_PLACE = frozenset({"in", "at", "from", "near", "to", "into", "of", "through", "on"})


class _Layout(NamedTuple):
    """A quote with token positions and weights for one question."""

    quote: Analysis
    question: Analysis
    positions: Sequence[float]
    """Position of each token in words, with extra distance at clause boundaries."""
    clauses: Sequence[int]
    """Index of each token's main clause."""
    weights: Mapping[str, float]
    """Weights of the question's roots that occur in the quote."""
    heads: frozenset[str]


def is_unbound(question: Analysis, quote: Analysis, spans: Sequence[Span]) -> bool:
    """Whether another value of the answer's kind is closer to the question's words."""
    answer_values = [v for span in spans for v in quote.values if _is_answer_value(quote, v, span)]
    if not answer_values:
        return False
    own = answer_values[0]
    rivals = [v for v in quote.values if _is_rival(v, own, question, quote, spans)]
    if not rivals:
        return False
    heads = _heads(question)
    if own.kind == "number" and own.unit not in heads and any(v.unit in heads for v in rivals):
        return True  # "how many textiles" asks for no number of objects
    named = {root for value in question.values for root in question.words(value)}
    layout = _Layout(
        quote,
        question,
        _positions(quote),
        _clauses(quote),
        {
            t.root: NAMED if t.root in named else 1.0
            for t in content_tokens(question)
            if t.root in quote.roots
        },
        heads,
    )
    others = [Span(value.first, value.last) for value in rivals]
    answers = [Span(value.first, value.last) for value in answer_values]
    return not any(all(_margin(layout, answer, other) >= 0 for other in others) for answer in answers)


def _is_answer_value(quote: Analysis, value: Value, span: Span) -> bool:
    """Whether the value is the answer at `span`, rather than a detail of a longer phrase."""
    common = min(value.last, span.last) - max(value.first, span.first)
    content = [t for t in quote.tokens[span.first : span.last] if t.norm not in CLOSED_CLASS]
    return common > 0 and (2 * common >= len(content) or (value.kind != "name" and len(content) < 5))


def _is_rival(value: Value, own: Value, question: Analysis, quote: Analysis, spans: Sequence[Span]) -> bool:
    """Whether the value could replace the answer."""
    if value.kind != own.kind or any(value.first < s.last and s.first < value.last for s in spans):
        return False
    words = quote.words(value)
    if words <= question.roots or words & quote.words(own) or _is_listed(value, question, quote, spans):
        return False
    if value.kind == "name":
        return not _is_adjective(quote, value) or _is_adjective(quote, own)
    if value.kind != "number":
        return True
    digits = quote.tokens[value.first].norm
    if digits == "1" or (digits.startswith("0") and digits.isdigit()):
        return False
    return value.unit in {own.unit, ""} or not own.unit or value.unit in _heads(question)


def _is_adjective(quote: Analysis, value: Value) -> bool:
    """Whether the name is an adjective of the next word ("Danish ships")."""
    if value.last != value.first + 1 or value.last >= len(quote.tokens):
        return False
    following = quote.tokens[value.last]
    derived = quote.tokens[value.first].norm.endswith(("an", "ish", "ese", "ic", "ch", "ist", "al"))
    return derived and not following.capital and following.norm not in CLOSED_CLASS


def _is_listed(value: Value, question: Analysis, quote: Analysis, spans: Sequence[Span]) -> bool:
    """Whether the value is joined with one in the question ("Poland and Spain"), or explains the answer."""
    first, last = quote.tokens[value.first].start, quote.tokens[value.last - 1].end
    for span in spans:
        if quote.text[quote.tokens[span.last - 1].end : first].strip() == "(":
            return True
    for other in quote.values:
        if other.kind == value.kind and other != value and quote.words(other) <= question.roots:
            start, end = quote.tokens[other.first].start, quote.tokens[other.last - 1].end
            between = quote.text[end:first] if end <= first else quote.text[last:start]
            if between.strip() in _JOINED:
                return True
    return False


def _positions(quote: Analysis) -> list[float]:
    steps: list[float] = []
    before = 0
    for index, token in enumerate(quote.tokens):
        gap = quote.text[before : token.start]
        cost = max((cost for mark, cost in _MARKS if mark in gap), default=0)
        word = 0.0 if token.norm in _ARTICLES or not index else 1.0
        steps.append(word + cost + _COSTS.get(token.norm, 0))
        before = token.end
    return list(accumulate(steps))


def _clauses(quote: Analysis) -> list[int]:
    numbers: list[int] = []
    number = before = 0
    for token in quote.tokens:
        gap = quote.text[before : token.start]
        number += ";" in gap or (token.norm in _PARTING and ("," in gap or token.norm != "and"))
        numbers.append(number)
        before = token.end
    return numbers


def _heads(question: Analysis) -> frozenset[str]:
    """Units or roots of the nouns after `how many`, `which` or `what`."""
    match = _HEAD.search(question.text)
    if match is None:
        return frozenset()
    return frozenset(
        UNITS.get(t.norm, t.root)
        for t in question.tokens
        if match.start(1) <= t.start < match.end() and t.norm not in CLOSED_CLASS
    )


def _margin(layout: _Layout, answer: Span, rival: Span) -> float:
    """How much closer the question's words are to the answer than to the rival; negative if further away."""
    first, second = sorted((answer, rival))
    between = any(t.root in layout.weights for t in layout.quote.tokens[first.last : second.first])
    nearest: dict[str, tuple[float, float]] = {}
    for index, token in enumerate(layout.quote.tokens):
        weight = layout.weights.get(token.root)
        if weight is None or _is_inside(index, answer) or _is_inside(index, rival):
            continue
        if between and weight < NAMED and not first.last <= index < second.first:
            weight *= SHARED
        ours, theirs = (weight / (SOFTENING + _distance(layout, index, span)) for span in (answer, rival))
        before = nearest.get(token.root, (0.0, 0.0))
        nearest[token.root] = (max(ours, before[0]), max(theirs, before[1]))
    near = sum(ours - theirs for ours, theirs in nearest.values())
    return near + _cue_score(layout, answer) - _cue_score(layout, rival)


def _is_inside(index: int, span: Span) -> bool:
    return span.first <= index < span.last


def _distance(layout: _Layout, index: int, span: Span) -> float:
    edge = span.first if index < span.first else span.last - 1
    distance = abs(layout.positions[index] - layout.positions[edge])
    return max(1.0, distance - (SAME_CLAUSE if layout.clauses[index] == layout.clauses[edge] else 0.0))


def _cue_score(layout: _Layout, span: Span) -> float:
    """Bonus from the words next to a value."""
    tokens, question = layout.quote.tokens, layout.question.text
    score = 0.0
    if any(
        t.root in layout.heads or t.norm in layout.heads
        for t in tokens[max(0, span.first - 2) : span.last + 3]
    ):
        score += HEAD
    before = {t.norm for t in tokens[max(0, span.first - 2) : span.first]}
    if _WHERE.search(question) and before & _PLACE:
        score += CUE
    if _WHO.match(question):
        score += CUE * (("by" in before) - bool(before & _NO_PERSON))
        if _WHO_DID.match(question) and not any(t.capital for t in tokens[: span.first]):
            score += CUE / 2
    if _MOST.search(question) and _AT_MOST & {t.norm for t in tokens[max(0, span.first - 4) : span.first]}:
        score += CUE
    return score
