"""Checks that questions are readable, and that quotes are prose rather than merged columns or bad OCR."""

import re
from collections.abc import Set
from functools import lru_cache

from agent.learning.text_analysis import Analysis, word_root
from memory.language.content_words import CLOSED_CLASS
from memory.language.wordlists import VERB_FORMS, common_words

LONGEST_QUESTION = 400
LONGEST_ANSWER = 1_000
LONGEST_QUOTE = 2_000
CONTEXT_CHARS = 60
"""Characters around a quote that are checked with it, because merged columns break at line ends."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]")
_DETERMINER = r"(?:the|an?)"
_MISPLACED = re.compile(
    rf"(?<![`'\"\w]){_DETERMINER}\s+(?:is|are|was|were|of|and|or|the|a|an|to|with|has|have|had|be|been|from|by"
    r"|which|that|this|it|they|he|she|but|if|when|than)(?=\s+[a-z])"
    r"|(?<=\s)(?:with|from|of|into|at) (?:is|are|was|were|has|have)(?= [a-z])"
    rf"|\b(?!had |that |very |so |no )([a-z]{{2,12}})\s+\1\b(?!-)|\b{_DETERMINER}[.;:!?](?:\s|$)",
)
_LONE_CAPITAL = re.compile(
    r"[a-z]\w*,? (?:The|An|It|They|He|She|In|At|On|By|For|From|With|This|These|Those|There|When|While|If|As"
    r"|But|And|Its|Their|His|Her|Under|After|Before|Since|Most|Some|Many|All|Each|Every|To) (?=[a-z0-9]{2})"
    r"|\b(?:a|an|and|are|at|by|for|from|has|have|in|into|is|of|on|or|that|the|this|to|was|were|which|who"
    r"|with),? A (?=[a-z]{2})"
    r"|\b(?:a|an|the),? (?:A|An|The|It|They|In|This|These) (?=[A-Za-z`])"
)
_BROKEN_STOP = re.compile(r"(?<![.\s])\b([^\W\d_]{2,}|\d+|[)%])\. (?=[a-z]{2,}\b(?![.(]))")
_SHORTENED = """
    eg ie etc cf vs al dr mr mrs ms st no fig approx ca inc ltd co corp vol pp ed eds est dept univ jr sr gen
    col lt capt sgt prof rev hon gov sen rep min max sec hr hrs lat lit op cit viz resp incl excl tel ext"""
_ABBREVIATIONS = frozenset(_SHORTENED.split())
_SPLIT_WORD = re.compile(r"[a-z]{2,}- (?!and\b|or\b|to\b|und\b|but\b)[a-z]{2,}")
_SPACED = re.compile(r"(?:\b[A-Za-z] ){5}")
_MISREAD = re.compile(r"\b[a-z]+[013|][a-z]+\b")
_TABLE = re.compile(r"[|=:;\u2013\u2014`{}\n]|\s-\s|\t")
_AUXILIARY_WORDS = """
    is are was were be been being has have had do does did can could will would may might must shall should
    cannot let"""
_AUXILIARIES = frozenset(_AUXILIARY_WORDS.split())
_AFTER_AN_ORDER = "the a an your all any each every it them this that no not in on to at for"
_OBJECTS = frozenset(_AFTER_AN_ORDER.split())
_PAIRS = {")": "(", "]": "[", "}": "{"}


def unreadable_reason(question: str, answer: str, quote: str) -> str | None:
    """Why the texts are unreadable; None if they are fine."""
    if not question.strip() or not answer.strip() or not quote.strip():
        return "the question, answer or quote is empty"
    if len(question) > LONGEST_QUESTION or len(answer) > LONGEST_ANSWER or len(quote) > LONGEST_QUOTE:
        return "the question, answer or quote is too long"
    if _CONTROL.search(f"{question}{answer}{quote}"):
        return "the text has control characters"
    if not _is_balanced(question):
        return "the question's brackets or quotation marks do not match"
    return None


def is_garbled(quote: str, around: str) -> bool:
    """Whether the quote looks like merged columns or bad OCR.

    `around` is the quote with CONTEXT_CHARS characters of text on both sides.
    """
    plain = re.sub(r"`[^`]*`|\"[^\"]*\"|\u201c[^\u201d]*\u201d", "X", around)
    if _MISPLACED.search(plain) or _LONE_CAPITAL.search(plain) or _SPLIT_WORD.search(plain):
        return True
    if any(m[1].lower() not in _ABBREVIATIONS for m in _BROKEN_STOP.finditer(plain)):
        return True
    return _SPACED.search(plain) is not None or len(_MISREAD.findall(quote)) > 1


def is_verbless(quote: Analysis) -> bool:
    """Whether the quote has no possible verb and is not a table row, list or code."""
    if _TABLE.search(quote.text):
        return False
    words = [t for t in quote.tokens if t.kind == "word"]
    if any(t.norm in _AUXILIARIES or t.norm in VERB_FORMS or "'" in t.norm for t in words):
        return False
    if len(words) > 1 and words[1].norm in _OBJECTS:  # an instruction: "Press the button"
        return False
    return not any(re.fullmatch(r"[a-z]+(?:ed|[^su]s|ing|en)", t.norm) for t in words)


def has_cut_words(question: Analysis, passage: Analysis, vocabulary: Set[str]) -> bool:
    """Whether a word of the question is a fragment of one in the passage, or most words are not English.

    Rare words and spelling mistakes are accepted.
    """
    strange = [
        t.norm
        for t in question.tokens
        if t.kind == "word" and not t.code and t.root not in vocabulary and not _is_common(t.norm)
    ]
    if 2 * len(strange) > len(question.tokens):
        return True
    whole = {t.norm for t in passage.tokens if t.kind == "word"}
    return any(
        len(word) > 2 and any(w != word and (w.startswith(word) or w.endswith(word)) for w in whole)
        for word in strange
    )


def _is_common(word: str) -> bool:
    return word in CLOSED_CLASS or word in common_words() or word_root(word) in _common_roots()


@lru_cache(maxsize=1)
def _common_roots() -> frozenset[str]:
    return frozenset(map(word_root, common_words()))


def _is_balanced(text: str) -> bool:
    opened: list[str] = []
    for character in text:
        if character in "([{":
            opened.append(character)
        elif character in _PAIRS and (not opened or opened.pop() != _PAIRS[character]):
            return False
    quotes = text.count("\u201c") == text.count("\u201d") and text.count('"') % 2 == 0
    return not opened and quotes and text.count("`") % 2 == 0
