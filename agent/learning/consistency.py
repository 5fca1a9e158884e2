"""Checks that a question and answer fit their quote: the answer's words, kind, names, numbers and units.

All checks work on words, without a model.
"""

import re
from collections.abc import Sequence, Set
from typing import NamedTuple

from agent.chat.support import quantities
from agent.learning.text_analysis import MONTHS, Analysis, Value, analyse, content_tokens
from memory.language.content_words import CLOSED_CLASS
from memory.language.wordlists import ASKS_FOR_UNIT, UNITS

MIN_COVERAGE = 0.4
"""Minimum share of a question's content words in the quote, its headings and the sentences before it. In
people's questions about half are synonyms; names and numbers tie a question to its quote."""
MIN_COVERAGE_WITH_NAME = 0.25
"""The minimum share if a name or number of the question is there."""
LOOK_BACK = 300
"""Characters before a quote that may explain its pronouns."""

_ASKING_WORDS = """
    number people person year date day kind type sort name term place amount percentage share price reason
    long far much way thing time example word happen called do"""
_ASKING = frozenset(_ASKING_WORDS.split())
"""Words that belong to asking, not to the topic."""
_WHEN = re.compile(
    r"^\W*(?:(?:by|since|until|till|from) )?when (?:did|do|does|was|were|is|are|will|can|has|have|had|should"
    r"|must)\b"
    r"|\b(?:(?:what|which) (?:year|date|day|month|decade|century)|what time|how (?:long|old|often))\b",
    re.I,
)
_HOW_MANY = re.compile(r"\bhow many\b", re.I)
_WHO = re.compile(r"^\W*who(?:m|se)?\b", re.I)
_MANNER = re.compile(r"^\W*(?:why|how (?:do|does|did|can|is|was|are|were|should|could))\b", re.I)
_TIME_WORD = re.compile(
    r"\d|\b(?:spring|summer|autumn|fall|winter|morning|noon|midnight|night|evening|day|week|month|year|decade"
    r"|century|after|before|during|since|until|when|while|once|every|always|never|at|in|on|era|age|period|time"
    r"|later|earlier|early|late|end|beginning|daily|weekly|monthly|annual|annually|yearly|rarely|often|hour"
    r"|second|minute|world war|christmas|easter|middle|today|now|ago|soon|immediately)(?:s|ly)?\b|1[0-9]{3}",
    re.I,
)
_AMOUNT = re.compile(
    r"\b(?:all|both|none|no|half|few|fewer|several|some|many|most|couple|dozen|dozens|hundreds|thousands|single|one"
    r"|millions|billions|a|an|twice|once|thrice|quarter|third|majority)\b",
    re.I,
)


class Span(NamedTuple):
    """Token range `[first:last]` of the answer in the quote."""

    first: int
    last: int


def answer_spans(answer: str, quote: Analysis) -> list[Span]:
    """Occurrences of the answer in the quote, ignoring articles, case, punctuation and number spelling."""
    answer_norms = [t.norm for t in analyse(answer).tokens if t.norm not in _ARTICLES]
    quote_norms = [(i, t.norm) for i, t in enumerate(quote.tokens) if t.norm not in _ARTICLES]
    if not answer_norms:
        return []
    norms = [norm for _, norm in quote_norms]
    size = len(answer_norms)
    spans = [
        Span(quote_norms[i][0], quote_norms[i + size - 1][0] + 1)
        for i in range(len(norms) - size + 1)
        if norms[i] == answer_norms[0] and norms[i : i + size] == answer_norms
    ]
    return spans or _respelt_spans(analyse(answer), quote)


_ARTICLES = frozenset({"a", "an", "the"})


def _respelt_spans(answer: Analysis, quote: Analysis) -> list[Span]:
    """Occurrences of the answer as a date or quantity in another spelling."""
    if len(answer.values) != 1:
        return []
    (value,) = answer.values
    others = [t for t in (*answer.tokens[: value.first], *answer.tokens[value.last :]) if t.kind != "symbol"]
    parts = _parts(answer, value)
    if value.kind == "date" and not others and parts & MONTHS:
        dates = [v for v in quote.values if v.kind == "date"]
        return [Span(v.first, v.last) for v in dates if _parts(quote, v) == parts]
    if value.kind != "number" or any(t.norm not in UNITS for t in others):
        return []
    numbers = [v for v in quote.values if v.kind == "number" and _parts(quote, v) == parts]
    return [
        Span(v.first, v.last)
        for v in numbers
        if v.unit == value.unit
        or (quantities(answer.text) and quantities(answer.text) <= quantities(quote.text))
    ]


def _parts(text: Analysis, value: Value) -> frozenset[str]:
    return frozenset(t.norm.removesuffix("th").lstrip("0") for t in text.tokens[value.first : value.last])


def wrong_kind(question: str, form: str, answer: Analysis) -> str | None:
    """A reason if the question asks for a time, number, manner or person and the answer is something else."""
    kinds = {value.kind for value in answer.values}
    reason = "the answer is of another kind than the question asks for"
    if (_WHEN.search(question)) and not (kinds & {"date", "time", "number"}):
        return None if _TIME_WORD.search(answer.text) else reason
    if form == "how_many" or _HOW_MANY.search(question):
        return None if kinds & {"number", "date"} or _AMOUNT.search(answer.text) else reason
    if _MANNER.search(question) and all(t.capital or t.kind != "word" for t in answer.tokens):
        return reason
    if _WHO.search(question) and answer.values and kinds <= {"number", "date", "time"}:
        return reason
    return None


def gives_away(question: Analysis, answer: Analysis) -> bool:
    """Whether the question contains all content words of the answer."""
    answer_roots = {t.root for t in content_tokens(answer)}
    return bool(answer_roots) and answer_roots <= question.roots


def unknown_names(
    question: Analysis, *, quote: Analysis, before: Analysis, passage: Analysis, headings: Analysis
) -> str | None:
    """A reason if a name, code span or number of the question does not occur near the quote."""
    known = passage.roots | headings.roots
    near = quote.roots | before.roots | headings.roots
    for value in question.values:
        tokens = [t for t in question.tokens[value.first : value.last] if t.norm not in CLOSED_CLASS]
        number = value.kind in ("number", "ordinal", "date", "time")
        if number and all(t.norm == "1" for t in tokens):
            continue
        for token in tokens:
            if not (token.root in near or (not number and _occurs(token.root, known))):
                return f"a {'number' if number else 'name'} of the question is not in the source"
        if not number and not any(_occurs(t.root, near) for t in tokens):
            return "a name of the question is not in or before the quote"
    return None


def _occurs(name: str, roots: Set[str]) -> bool:
    """Whether the name, an abbreviation or a derived form of it is among the roots (`Italian`, `Italy`)."""
    if name in roots or (name in _SHORT and _SHORT[name] <= roots):
        return True
    return len(name) > 4 and any(
        root.startswith(name[: max(4, min(len(root), len(name)) - 2)])
        for root in roots
        if root[:4] == name[:4]
    )


_SHORT = {
    "us": frozenset({"unit", "stat"}),
    "usa": frozenset({"unit", "stat"}),
    "uk": frozenset({"unit", "kingdom"}),
    "eu": frozenset({"european", "union"}),
}


def names_another_subject(
    question: Analysis, answer: Analysis, quote: Analysis, passage: Analysis, headings: Analysis
) -> bool:
    """Whether the quote begins with one name and the question asks about another one not in the quote."""
    if not quote.tokens or not quote.tokens[0].capital or quote.tokens[0].norm in CLOSED_CLASS:
        return False
    opening = next((quote.words(v) for v in quote.values if v.first == 0), frozenset({quote.tokens[0].root}))
    names = {
        r for text in (passage, headings) for v in text.values if v.kind == "name" for r in text.words(v)
    }
    if not opening & names or opening & (question.roots | answer.roots):
        return False
    return any(
        value.kind == "name" and not question.words(value) & (quote.roots | headings.roots)
        for value in question.values
    )


def is_uncovered(question: Analysis, context: Set[str]) -> bool:
    """Whether too few of the question's content words occur in the context."""
    topic = {t.root for t in content_tokens(question) if t.norm not in _ASKING}
    named = {root for value in question.values for root in question.words(value)}
    least = MIN_COVERAGE_WITH_NAME if named & context else MIN_COVERAGE
    return bool(topic) and len(topic & context) / len(topic) < least


def omits_unit(question: Analysis, answer: Analysis, quote: Analysis, spans: Sequence[Span]) -> bool:
    """Whether the answer ends in a number whose unit is neither in the answer nor in the question."""
    if not answer.values or answer.values[-1].kind != "number":
        return False
    ends = {v.last: v for v in quote.values if v.kind == "number"}
    question_words = (
        {t.norm for t in question.tokens}
        | {t.root for t in question.tokens}
        | set(re.findall(r"[%$€£]", question.text))
    )
    answer_words = {UNITS.get(t.norm, t.root) for t in answer.tokens}
    for span in spans:
        value = ends.get(span.last)
        if value is None or not value.unit or value.unit in answer_words:
            continue
        measured = value.unit in UNITS.values() or not value.unit.isalpha()
        if measured and not (
            {value.unit, *ASKS_FOR_UNIT.get(value.unit, ())}
            & (question_words | {UNITS.get(w, w) for w in question_words})
        ):
            return True
    return False
