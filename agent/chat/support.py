"""Whether a source sentence supports a claim, and whether two sentences contradict each other.

Compares content words, names, numbers with units, negation and opposites; if the words differ, embeddings
decide.
"""

import re
from collections.abc import Callable, Mapping, Set
from functools import lru_cache

from agent.chat.sentence_candidates import (
    NUMBER_WORDS,
    SMALL_NUMBERS,
    keyword_roots,
    name_roots,
    strip_ending,
    word_roots,
)
from memory.language.content_words import is_foreign
from memory.language.lexicon import languages_by_words
from memory.language.text import words

SAME_WORDS = 0.75
"""Share of the claim's content words at which the sentence says the same."""
SIMILAR_WORDS = 0.6
"""Minimum share for the embeddings to decide: they hardly tell "rotational inertia" from "rotational
equivalent". Of the answers below it, four of five read by hand had no support."""
KNOWN_WORDS = 0.4
"""Minimum share of the claim's content words in the sentence or its context."""
ALIKE = 0.7
"""Cosine at which two sentences with some words in common count as paraphrases."""
SAME_THING = 0.5
"""Jaccard overlap of content words at which two sentences are about the same thing."""
SHORT_WORD = 4
SAME_LANGUAGE = 0.3
"""Minimum share of a claim's short words (up to four letters) in a text of the same language."""

NEGATION = re.compile(
    r"\b(?:not|never|no|none|cannot|neither|nor|without|unable|fails? to|isnt|dont|doesnt)\b|n['\u2019]t\b",
    re.IGNORECASE,
)
_NEGATIONS = re.compile(
    NEGATION.pattern
    + r"|\b(?:nicht|kein\w*|nie|niemals|weder|ohne|pas|jamais|aucune?|sans|sin|nunca|jamás|ningun\w*|não"
    r"|sem|non|mai|senza|nessun\w*|geen|niet|nooit|zonder|nigdy|bez|не|нет|ни|без|никогда|inte|aldrig|ikke|aldri|değil)\b"
    r"|不|没|ない|ません|않|없",
    re.IGNORECASE,
)
"""Negations in the twelve languages of `abstention` and a few related ones."""
_ANSWERS_YES = re.compile(r"yes\b", re.IGNORECASE)
_CLAUSE = re.compile(r"[,;:()\u2013\u2014]\s+|\s+(?:but|whereas|although|though|unless|while|because)\s+")
_NUMBER = re.compile(
    r"[-\u2212]?(?:(?<![\d.,])(?<!\d )\d{1,3}(?:[ \u00a0\u2009\u202f'\u2019]\d{3})+(?:[.,]\d+)?"
    r"(?![\d.,]*\d)(?! \d)"
    r"|\d+(?:[.,]\d+)*)|\b(?:" + "|".join(sorted(NUMBER_WORDS)) + r")\b",
    re.IGNORECASE,
)
_GROUPED = re.compile(r"[1-9]\d{0,2}(?:([.,])\d{3})(?:\1\d{3})*")
"""Digits in groups of three."""
_DECIMAL_POINT = frozenset({"en", "zh", "ja", "ko"})
"""Languages in which 3.500 is three and a half; in our others it is three thousand five hundred."""
_UNIT = re.compile(r"[\s-]*(%|[^\W\d_]+)")
_VALUES = {word: str(value) for value, word in enumerate(SMALL_NUMBERS)}
_UNITS: Mapping[str, str] = {
    name: synonyms.split()[0]
    for synonyms in (
        "second s sec", "minute min", "hour h hr", "day", "week", "month", "year", "century", "decade",
        "millisecond ms", "kilogram kg", "gram g", "tonne ton", "pound lb", "kilometre kilometer km", "mile",
        "metre meter m", "centimetre centimeter cm", "millimetre millimeter mm", "foot ft feet", "inch",
        "byte b", "kilobyte kb", "megabyte mb", "gigabyte gb", "terabyte tb", "volt v", "watt w", "percent %",
        "degree", "dollar", "euro", "thousand", "million", "billion", "trillion", "litre liter l", "hertz hz",
    )
    for name in synonyms.split()
}  # fmt: skip
_PAIRS = (
    "increase decrease|rise fall|before after|above below|more less|more fewer|most least|maximum minimum"
    "|highest lowest|largest smallest|first last|start end|open close|enable disable|allow forbid"
    "|allow prevent|accept reject|true false|always never|inside outside|north south|east west|left right"
    "|early late|eldest youngest|older younger|win lose|gain loss|hot cold|high low|public private"
    "|large small|big small|strong weak|rare common|include exclude|add remove|best worst|better worse"
    "|positive negative|upper lower|possible impossible|legal illegal|northern southern|eastern western"
)
OPPOSITES = frozenset(frozenset(strip_ending(w) for w in pair.split()) for pair in _PAIRS.split("|"))

Likeness = Callable[[str, str], float]
"""Cosine similarity of two texts."""
Quantity = tuple[str, str]
"""A number in digits and its unit, `""` if unknown."""


def supports(
    sentence: str,
    claim: str,
    *,
    question: str = "",
    nearby: str = "",
    likeness: Likeness | None = None,
    translated: bool = False,
) -> bool:
    """Whether the sentence says what the claim says.

    `nearby` is the sentence's context (headings, preceding text), which may name what the claim is about.
    What the claim adds to the `question`, and all its numbers, have to be in the sentence itself. A claim
    that may be `translated`, and is not in the sentence's language, is compared by `_translates`.
    """
    question_quantities = quantities(question)
    if not all(_contains(q, quantities(sentence)) or q in question_quantities for q in quantities(claim)):
        return False
    own, near = word_roots(sentence), word_roots(f"{sentence} {nearby}")
    if translated and is_foreign(claim) and not _same_language(claim, f"{nearby} {sentence}"):
        return _translates(claim, sentence, question)
    named = [name for name in name_roots(claim) if not _numeric(name)]
    if any(not name <= (near if name <= word_roots(question) else own) for name in named):
        return False
    if _denies(claim, sentence) or _opposed(claim, sentence):
        return False
    content = _content_words(claim)
    new = content - word_roots(question)
    if not (new or quantities(claim) - question_quantities or _ANSWERS_YES.match(claim)):
        return False
    if _share(content, near) < KNOWN_WORDS:
        return False
    if _share(new, own) >= SAME_WORDS:
        return True
    return _share(new, own) >= SIMILAR_WORDS and likeness is not None and likeness(claim, sentence) >= ALIKE


def contradicts(first: str, second: str) -> bool:
    """Whether two sentences about the same thing give different numbers, or one denies the other.

    Two definitions, or statements about different things, do not contradict.
    """
    one, two = _content_words(first), _content_words(second)
    if not one or not two or len(one & two) / len(one | two) < SAME_THING or _opposed(first, second):
        return False
    ours, theirs = ({name for name in name_roots(text) if not _numeric(name)} for text in (first, second))
    if ours - theirs and theirs - ours:
        return False
    if is_negated(first) != is_negated(second):
        return True
    here, there = quantities(first), quantities(second)
    units = {unit for _, unit in here} & {unit for _, unit in there}
    return any(not {v for v, u in here if u == unit} & {v for v, u in there if u == unit} for unit in units)


def quantities(text: str) -> frozenset[Quantity]:
    """The numbers of the text in digits, each with its unit if it is a known one.

    3,500 and 3 500 are 3500, and 3,5 is 3.5; 3.500 is 3500 in texts of languages that group by points.
    """
    result: set[Quantity] = set()
    for match in _NUMBER.finditer(text):
        value = match[0].lower().replace("\u2212", "-")
        value = _VALUES.get(value) or _normalised_number(value, text)
        if value.startswith("-") and text[match.start() - 1 : match.start()].strip():
            value = value[1:]  # a hyphen or a range, not a minus
        unit = _UNIT.match(text, match.end())
        name = unit[1].lower() if unit else ""
        result.add((value, _UNITS.get(name) or _UNITS.get(name.removesuffix("s"), "")))
    return frozenset(result)


def _normalised_number(number: str, text: str) -> str:
    """The number with a decimal point and no thousands separators; dates and versions stay unchanged."""
    number = re.sub(r"[ \u00a0\u2009\u202f'\u2019]", "", number)
    sign, digits = ("-", number[1:]) if number.startswith("-") else ("", number)
    commas, dots = digits.count(","), digits.count(".")
    if commas and dots:
        decimal = max(",.", key=digits.rfind)
        whole, _, fraction = digits.rpartition(decimal)
        if decimal not in whole:
            return f"{sign}{re.sub('[.,]', '', whole)}.{fraction}"
    elif grouped := _GROUPED.fullmatch(digits):
        if grouped[1] == "," or dots > 1 or _groups_by_points(text):
            return sign + re.sub("[.,]", "", digits)
    elif commas == 1:
        return sign + digits.replace(",", ".")
    return number


@lru_cache(maxsize=64)
def _groups_by_points(text: str) -> bool:
    """Whether the text is in a language that writes 3.500 for 3500."""
    languages = languages_by_words(text)
    return bool(languages) and not _DECIMAL_POINT.intersection(languages)


def is_negated(text: str) -> bool:
    """Whether the text contains an odd number of negations."""
    return len(NEGATION.findall(text)) % 2 == 1


def _translates(claim: str, sentence: str, question: str) -> bool:
    """Whether a claim in another language shares names or numbers with the sentence, which translations keep.

    Both or neither are negated, and both contain a number, name or other word that is not in the question.
    Without such a word, or with translated place names, the claim counts as unsupported.
    """
    if (len(_NEGATIONS.findall(claim)) % 2 == 1) != is_negated(sentence):
        return False
    sentence_words, question_words = set(words(sentence)), set(words(question))
    anchors = {w for w in words(claim) if len(w) > SHORT_WORD} & sentence_words - question_words
    numbers = quantities(claim) - quantities(question)
    return bool(anchors) or any(_contains(number, quantities(sentence)) for number in numbers)


def _same_language(claim: str, text: str) -> bool:
    """Whether the text shares enough of the claim's short words to be in the same language."""
    short = {w for w in words(claim) if len(w) <= SHORT_WORD and w.isalpha()}
    return not short or len(short & set(words(text))) / len(short) >= SAME_LANGUAGE


def _contains(quantity: Quantity, known: Set[Quantity]) -> bool:
    value, unit = quantity
    return any(v == value and (u == unit or not unit or not u) for v, u in known)


def _denies(claim: str, sentence: str) -> bool:
    """Whether the claim's negation differs from that of the sentence and of its most similar clause."""
    claim_words = keyword_roots(claim)
    clauses = [clause for clause in _CLAUSE.split(sentence) if clause.strip()] or [sentence]
    overlaps = [len(claim_words & word_roots(clause)) for clause in clauses]
    nearest = {is_negated(c) for c, count in zip(clauses, overlaps, strict=True) if count == max(overlaps)}
    return is_negated(claim) not in nearest | {is_negated(sentence)}


def _opposed(claim: str, sentence: str) -> bool:
    """Whether the claim contains the opposite of a word of the sentence."""
    here, there = word_roots(claim), word_roots(sentence)
    return any(pair & here and pair & there and not pair & here & there for pair in OPPOSITES)


def _content_words(text: str) -> frozenset[str]:
    """Content words without numbers."""
    return frozenset(w for w in keyword_roots(text) if not w[0].isdigit() and w not in _COUNTED)


_COUNTED = frozenset(strip_ending(w) for w in NUMBER_WORDS | _UNITS.keys())


def _numeric(name: Set[str]) -> bool:
    return all(word[0].isdigit() for word in name)


def _share(part: Set[str], whole: Set[str]) -> float:
    return len(part & whole) / len(part) if part else 1.0
