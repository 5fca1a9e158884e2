"""Analyses English text into tokens with roots, and values: numbers, dates, names and code.

By spelling and word lists, without a parser.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Literal, NamedTuple

from agent.chat.sentence_candidates import SMALL_NUMBERS, strip_ending
from memory.language.content_words import CLOSED_CLASS
from memory.language.wordlists import IRREGULAR, UNITS

Kind = Literal["word", "number", "ordinal", "date", "time", "symbol"]
ValueKind = Literal["number", "ordinal", "date", "time", "name", "code"]

_TOKEN = re.compile(
    r"(?P<time>(?<!\d)[0-2]?\d:[0-5]\d(?!\d))"
    r"|(?P<number>(?:(?<![\w)\]])[-\u2212])?\d+(?:[.,]\d+)*)(?P<suffix>(?:st|nd|rd|th|s)(?![^\W_]))?"
    r"|(?P<symbol>[%$€£¥])|(?P<word>[^\W\d_]+(?:['\u2019][^\W\d_]+)*)"
)
_CODE = re.compile(r"`[^`\n]{1,200}`")
_VOWEL = re.compile(r"[aeiouy]")
_END = re.compile(r"[.!?:]['\"\u201d)*_]*\s|\n")
_MONTHS = "january february march april may june july august september october november december"
MONTHS = frozenset(_MONTHS.split())
_DAYS = "monday tuesday wednesday thursday friday saturday sunday"
_WEEKDAYS = frozenset(_DAYS.split())
_TY = "thirty forty fifty sixty seventy eighty ninety"
_TENS = dict(zip(_TY.split(), range(30, 100, 10), strict=True))
_VALUES = {word: value for value, word in enumerate(SMALL_NUMBERS)} | _TENS
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_TH = (
    "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth"
    " sixteenth seventeenth eighteenth nineteenth twentieth"
)
_ORDINALS = {word: f"{value}th" for value, word in enumerate(_TH.split(), start=3)}
_YEARS = range(1000, 2101)
_LINKS = frozenset({"of", "de", "van", "von", "del", "la", "der", "den"})
"""Function words inside a name, such as `Duke of Kent`."""


class AnalysedToken(NamedTuple):
    """A word, number or symbol of the text at `[start:end]`."""

    start: int
    end: int
    norm: str
    """Lower case without a possessive ending; numbers in digits."""
    root: str
    kind: Kind
    capital: bool
    code: bool
    opens: bool
    """Whether it is the first token of its sentence."""


class Value(NamedTuple):
    """A number, date, name or code span of the tokens `[first:last]`."""

    kind: ValueKind
    first: int
    last: int
    unit: str = ""
    """The symbol or word next to a number that it counts or measures; `""` if unknown."""


class Analysis(NamedTuple):
    """A text with its tokens, their roots, and its values."""

    text: str
    tokens: tuple[AnalysedToken, ...]
    roots: frozenset[str]
    values: tuple[Value, ...]

    def words(self, value: Value) -> frozenset[str]:
        """Roots of a value's words, without articles and prepositions."""
        roots = frozenset(t.root for t in self.tokens[value.first : value.last])
        return frozenset(r for r in roots if r not in CLOSED_CLASS) or roots


@lru_cache(maxsize=4096)
def analyse(text: str) -> Analysis:
    """Analyses the text; results are cached."""
    tokens = tuple(_merged(list(_tokens(text))))
    return Analysis(text, tokens, frozenset(t.root for t in tokens), tuple(_values(text, tokens)))


@lru_cache(maxsize=100_000)
def word_root(word: str) -> str:
    """The root of a word, also for irregular forms (`wrote`, `written` and `write` have the same)."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    bare = strip_ending(word)
    for ending in ("ing", "ed"):
        if bare.endswith(ending) and _VOWEL.search(bare[: -len(ending)]) and len(bare) - len(ending) > 2:
            bare = bare[: -len(ending)]
            break
    if len(bare) > 3 and bare[-1] == bare[-2] and bare[-1] not in "aeiousl":
        return bare[:-1]
    return bare[:-1] if len(bare) > 3 and bare.endswith("e") else bare


def content_tokens(analysis: Analysis) -> tuple[AnalysedToken, ...]:
    """The content tokens: neither function words nor symbols."""
    return tuple(t for t in analysis.tokens if t.norm not in CLOSED_CLASS and t.kind != "symbol")


def _tokens(text: str) -> Iterator[AnalysedToken]:
    code = [match.span() for match in _CODE.finditer(text)]
    ends = [match.end() for match in _END.finditer(text)]
    opens, at_code, at_end = True, 0, 0
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        while at_code < len(code) and code[at_code][1] <= start:
            at_code += 1
        while at_end < len(ends) and ends[at_end] <= start:
            at_end += 1
            opens = True
        inside = at_code < len(code) and code[at_code][0] <= start
        norm, kind = _normalised(match)
        capital = match["word"] is not None and match[0][0].isupper()
        yield AnalysedToken(
            start, end, norm, word_root(norm) if kind == "word" else norm, kind, capital, inside, opens
        )
        opens = False


def _normalised(match: re.Match[str]) -> tuple[str, Kind]:
    if match["symbol"]:
        return match[0], "symbol"
    if match["time"]:
        return match[0].lstrip("0"), "time"
    if match["word"]:
        word = match[0].lower().replace("\u2019", "'").removesuffix("'s")
        if (word in MONTHS and match[0][0].isupper()) or word in _WEEKDAYS:
            return word, "date"
        if word in _ORDINALS:
            return _ORDINALS[word], "ordinal"
        return (str(_VALUES[word]), "number") if word in _VALUES else (word, "word")
    digits = match["number"].replace("\u2212", "-")
    plain = re.sub(r",(?=\d{3}(?:\D|$))", "", digits)
    if match["suffix"] == "s":
        return plain + "s", "date"
    if match["suffix"]:
        return plain + "th", "ordinal"
    return plain, "date" if digits.isdigit() and len(digits) == 4 and int(digits) in _YEARS else "number"


def _merged(tokens: Sequence[AnalysedToken]) -> Iterator[AnalysedToken]:
    """Merges numbers of several words: `twenty-one`, `4.2 million`."""
    pending: AnalysedToken | None = None
    for token in tokens:
        if pending is not None:
            value = _combined_number(pending, token)
            if value is not None:
                pending = pending._replace(end=token.end, norm=value, root=value, kind="number")
                continue
            yield pending
            pending = None
        if token.kind in ("number", "date") and token.norm[-1].isdigit():
            pending = token
        else:
            yield token
    if pending is not None:
        yield pending


def _combined_number(number: AnalysedToken, token: AnalysedToken) -> str | None:
    if token.start - number.end > 1:
        return None
    if token.norm in _SCALES:
        try:
            return f"{(Decimal(number.norm) * _SCALES[token.norm]).normalize():f}"
        except InvalidOperation:
            return None
    tens = number.norm in {"20", *map(str, _TENS.values())} and token.end - token.start > 1
    if tens and token.kind == "number" and token.norm in set("123456789"):
        return str(int(number.norm) + int(token.norm))
    return None


def _values(text: str, tokens: Sequence[AnalysedToken]) -> Iterator[Value]:
    index = 0
    while index < len(tokens):
        kind, last = _value_at(text, tokens, index)
        if kind is not None:
            yield Value(kind, index, last, _unit(text, tokens, index, last) if kind == "number" else "")
            index = last
        else:
            index += 1


def _value_at(text: str, tokens: Sequence[AnalysedToken], first: int) -> tuple[ValueKind | None, int]:
    token, last = tokens[first], first + 1
    if token.code:
        while (
            last < len(tokens)
            and tokens[last].code
            and "`" not in text[tokens[last - 1].end : tokens[last].start]
        ):
            last += 1
        return "code", last
    if token.kind == "date" or (token.kind in ("number", "ordinal") and _before_month(tokens, first)):
        while last < len(tokens) and _continues_date(text, tokens, last):
            last += 1
        return "date", last
    if token.kind in ("number", "ordinal", "time"):
        return token.kind, last
    if not token.capital or (token.norm in CLOSED_CLASS and token.opens) or token.norm == "i":
        return None, last
    while last < len(tokens) and (gap := _continues_name(text, tokens, last)):
        last += gap
    lone = last == first + 1 and token.opens
    return (None if lone else "name"), last


def _before_month(tokens: Sequence[AnalysedToken], index: int) -> bool:
    return index + 1 < len(tokens) and tokens[index + 1].norm in MONTHS and tokens[index + 1].kind == "date"


def _continues_date(text: str, tokens: Sequence[AnalysedToken], index: int) -> bool:
    token, before = tokens[index], tokens[index - 1]
    if text[before.end : token.start].strip(" ,"):
        return False
    if token.kind == "date" or _before_month(tokens, index):
        return True
    return before.norm in MONTHS and token.kind in ("number", "ordinal")


def _continues_name(text: str, tokens: Sequence[AnalysedToken], index: int) -> int:
    """How many more tokens belong to the name that ends before `index`; 0 if it ends there."""
    for size in (1, 2):
        if index + size > len(tokens):
            return 0
        token, before = tokens[index + size - 1], tokens[index + size - 2]
        if text[before.end : token.start].strip(" -.'\u2019&\u2013") or token.code or token.opens:
            return 0
        if token.capital and token.kind == "word":
            return size
        if token.norm not in _LINKS:
            return 0
    return 0


def _unit(text: str, tokens: Sequence[AnalysedToken], first: int, last: int) -> str:
    """The unit or counted thing next to a number."""
    if first and tokens[first - 1].kind == "symbol" and tokens[first - 1].end == tokens[first].start:
        return UNITS.get(tokens[first - 1].norm, tokens[first - 1].norm)
    if last >= len(tokens) or text[tokens[last - 1].end : tokens[last].start].strip(" -"):
        return ""
    following = tokens[last]
    if following.norm == "per" and last + 1 < len(tokens) and tokens[last + 1].norm == "cent":
        return "%"
    if following.kind == "symbol":
        return following.norm
    return UNITS.get(following.norm) or ("" if following.norm in CLOSED_CLASS else following.root)
