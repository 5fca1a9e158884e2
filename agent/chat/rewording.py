"""Rewords a question in plainer words, to tell a badly worded question from a gap in knowledge.

Rules for English; questions in other languages are only tidied.
"""

import re
from collections.abc import Sequence

from agent.learning.critique import same_statement
from memory.language.lexicon import language_by_words
from memory.language.text import key


def rewordings(question: str, most: int) -> tuple[str, ...]:
    """At most `most` other wordings of the question, the plainest first."""
    plain = _plain(question)
    wordings = [f"{plain}?"]
    if direct := _DIRECT.match(plain):
        wordings.append(f"Tell me {direct['word'].lower()} {direct['rest']} {direct['verb'].lower()}.")
    elif language_by_words(plain) in (None, "en"):
        wordings.append(f"Please answer this question: {plain}?")
    return tuple(text for text in dict.fromkeys(wordings) if text != question.strip())[:most]


def is_steady(answer: str, others: Sequence[str]) -> bool:
    """Whether another answer says the same: they agree, or one contains the other."""
    return any(
        same_statement(answer, other) or _contained(answer, other) or _contained(other, answer)
        for other in others
        if other.strip()
    )


def _contained(part: str, whole: str) -> bool:
    return f" {key(part)} " in f" {key(whole)} "


def _plain(question: str) -> str:
    """The question without greetings, padding, contractions and end mark, capitalised."""
    text = " ".join(question.split())
    text = _ENDING.sub("", _PADDING.sub("", text, count=1)) or text.rstrip("?.! ")
    text = _CONTRACTED.sub(r"\1 is", text)
    if indirect := _INDIRECT.match(text):
        text = f"{indirect['word']} {indirect['verb']} {indirect['rest']}"
    return text[:1].upper() + text[1:]


_PLEASE = r"(?:please|pls|plz)"
_PADDING = re.compile(
    rf"^\W*(?:(?:hi|hey|hello|ok|okay|so|well|um+|{_PLEASE})\b[\s,.!:-]*)*"
    rf"(?:(?:can|could|would|will) (?:you|u|anyone|someone) (?:{_PLEASE} |just )?(?:tell|explain|say)"
    r"(?: to)?(?: me| us)?\s+"
    r"|(?:do you|d'you|u) (?:happen to )?know\s+|i(?: was|'m| am) wondering\s+|i(?:'d| would) like to know\s+"
    rf"|(?:{_PLEASE} )?tell me\s+)?(?:{_PLEASE} )?",
    re.IGNORECASE,
)
_ENDING = re.compile(rf"(?:[\s,]*\b(?:{_PLEASE}|thanks|thx|thank you)\b)*[\s.!?]*$", re.IGNORECASE)
_CONTRACTED = re.compile(r"^(what|who|where|when|how)['\u2019]?s\b", re.IGNORECASE)
_INDIRECT = re.compile(
    r"^(?P<word>what|who|where|when)\s+(?P<rest>(?!is\b|are\b|was\b|were\b).+?)\s+(?P<verb>is|are|was|were)$",
    re.IGNORECASE,
)
_DIRECT = re.compile(
    r"^(?P<word>what|who|where|when)\s+(?P<verb>is|are|was|were)\s+(?P<rest>.+)$", re.IGNORECASE
)
