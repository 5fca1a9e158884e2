"""The service's own replies in twelve languages (abstaining, warning, quoting), and language detection."""

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from lingua import IsoCode639_1, Language, LanguageDetector, LanguageDetectorBuilder

from memory.language.lexicon import (
    ADDRESSING,
    ANSWERING,
    AUXILIARIES,
    COURTESY,
    IN_LANGUAGE,
    INTERROGATIVES,
    LANGUAGE_LABELS,
    LANGUAGE_NAMES,
    LANGUAGES,
    NEGATIONS,
    UNSPACED,
    WRITING,
    any_of,
    language_by_words,
    languages_by_words,
    unspaced,
    words_of,
)

AbstentionReason = Literal["no_sources", "sources_silent", "sources_disagree"]

FALLBACK_LANGUAGE = "en"
"""Language of the reply if the user's is unsupported or unknown."""
MIN_CONFIDENCE = 0.8
"""Minimum confidence of the language detector."""
FEWEST_WORDS = 4
"""The detector alone does not decide shorter texts: names and terms look like any language."""
WORDS_BEFORE_REQUEST = 4
"""A user's "answer in German" has its verb among the first words of its clause."""
ENOUGH_WORDS = 8
"""From this many words the detector is more reliable than counting function words."""
LONGEST_INSTRUCTIONS = 20_000
"""Characters of a system prompt or message searched for "answer in German"."""
LONGEST_SAMPLE = 1000
"""Characters of a message used for detection, and of a sentence searched for a language name."""


def abstention_text(reason: AbstentionReason, language: str) -> str:
    """The reply instead of an answer; English if `language` (ISO 639-1) is unsupported."""
    return _TEXTS.get(language, _TEXTS[FALLBACK_LANGUAGE])[reason]


def closest_text(quotation: str, language: str) -> str:
    """A sentence with what comes nearest to an answer; English if `language` is unsupported."""
    return _TEXTS.get(language, _TEXTS[FALLBACK_LANGUAGE])["closest"].format(quotation)


def abstention_texts() -> tuple[str, ...]:
    """The replies instead of an answer, for every reason in every language."""
    reasons = get_args(AbstentionReason)
    return tuple(abstention_text(reason, language) for reason in reasons for language in LANGUAGES)


def is_abstention(answer: str) -> bool:
    """Whether the answer is the service's own abstention, in any of its languages."""
    text = " ".join(answer.split())
    return text.startswith(abstention_texts())


def caution_text(language: str) -> str:
    """A warning sentence before an unsure draft; English if `language` is unsupported."""
    return _TEXTS.get(language, _TEXTS[FALLBACK_LANGUAGE])["caution"]


def quotation_text(text: str, title: str, language: str) -> str:
    """The text in quotation marks, with its document's title; English if `language` is unsupported."""
    marks = _TEXTS.get(language, _TEXTS[FALLBACK_LANGUAGE])["quotation"]
    return marks.format(text) + (f" ({title})" if title else "")


def disagreement_text(first: str, second: str, language: str) -> str:
    """A sentence that two quotations contradict each other; English if `language` is unsupported."""
    return _TEXTS.get(language, _TEXTS[FALLBACK_LANGUAGE])["disagreement"].format(first, second)


def reply_language(messages: Sequence[BaseMessage]) -> str:
    """The language (ISO 639-1) of the reply.

    In order: requested by the system prompt, requested by the last user message, the language of that
    message, or of earlier ones if it is too short to tell. The first message that is not plainly English
    loads the detector: .2 s, 15 MB.
    """
    system = "\n".join(message.text for message in messages if isinstance(message, SystemMessage))
    user = [message.text for message in messages if isinstance(message, HumanMessage)]
    if named := instructed_language(system):
        return named
    if user and (named := requested_language(user[-1])):
        return named
    for text in reversed(user):
        if detected := detect_language(text):
            return detected
    return FALLBACK_LANGUAGE


def instructed_language(instructions: str) -> str | None:
    """The language requested by a system prompt such as "Answer in German", if any."""
    for sentence in _sentences(instructions):
        clauses = _CLAUSE.split(sentence) if _NEGATION.search(sentence) else [sentence]
        for clause in clauses:
            if _NEGATION.search(clause):
                continue
            for pattern in (*_REQUESTS, _LABELLED):
                if match := pattern.search(clause):
                    return _code(match["name"])
    return None


def requested_language(message: str) -> str | None:
    """The answer language requested by a user message, if any; a mere mention does not count.

    "What is entropy? Answer in German." requests one, "How many people speak German?" does not.
    """
    for sentence in _sentences(message):
        question = _is_question(sentence)
        for clause in _CLAUSE.split(sentence):
            if _NEGATION.search(clause) or _is_question(clause):
                continue
            if (
                not question
                and (match := _LABELLED.search(clause))
                and _is_request(clause[: match.start()], 1)
            ):
                return _code(match["name"])
            for pattern in _REQUESTS:
                if (match := pattern.search(clause)) and _is_request(
                    clause[: match.start()], WORDS_BEFORE_REQUEST
                ):
                    return _code(match["name"])
    return None


def detect_language(text: str) -> str | None:
    """The language of a text; `en` if unsupported, None if the text is too short to tell.

    Function words decide short texts, the detector's letter statistics long ones.
    """
    sample = text.strip()[:LONGEST_SAMPLE]
    by_words = language_by_words(sample)
    if by_words == "en" or by_words in UNSPACED:
        return by_words
    ranked = _detector().compute_language_confidence_values(sample)
    if not ranked or ranked[0].value < MIN_CONFIDENCE:
        return by_words
    code = ranked[0].language.iso_code_639_1.name.lower()
    words = words_of(sample)
    if (
        by_words
        and (len(words) < ENOUGH_WORDS)
        and (code in LANGUAGES or words[0] in INTERROGATIVES[by_words])
    ):
        return by_words
    if not by_words and len(words) < FEWEST_WORDS and sample.isascii():
        return None
    return code if code in LANGUAGES else FALLBACK_LANGUAGE


def _sentences(text: str) -> list[str]:
    return [sentence[:LONGEST_SAMPLE] for sentence in _SENTENCE.split(text[:LONGEST_INSTRUCTIONS])]


def _is_question(text: str) -> bool:
    """Whether the text begins like a question; "can you ..." is a request, not a question."""
    words = words_of(text)
    if not words or any(words[0] in interrogatives for interrogatives in INTERROGATIVES.values()):
        return bool(words)
    if not any(words[0] in auxiliaries for auxiliaries in AUXILIARIES.values()):
        return False
    return not any(word in addressing for word in words[1:2] for addressing in ADDRESSING.values())


def _is_request(before: str, most: int) -> bool:
    """Whether a verb after these words of its clause is a request: early, or after "you" or "please"."""
    words = words_of(_AND.split(before)[-1])
    languages = languages_by_words(before)
    return len(words) < most or any(
        word in ADDRESSING[language] | COURTESY[language] for word in words for language in languages
    )


def _code(name: str) -> str | None:
    """The code of a language by its name, which may contain letters such as the dotted capital I."""
    return _CODES.get(name.lower()) or _CODES.get(name.casefold().replace("\u0307", ""))


def _unspaced(names: frozenset[str]) -> frozenset[str]:
    return frozenset(name for name in names if unspaced(name))


@cache
def _detector() -> LanguageDetector:
    """Detects our languages and similar ones, by trigrams only: all n-grams would take 500 MB and 3 s."""
    codes = [IsoCode639_1.from_str(code) for code in (*LANGUAGES, *_LOOK_ALIKES)]
    languages = map(Language.from_iso_code_639_1, codes)
    return LanguageDetectorBuilder.from_languages(*languages).with_low_accuracy_mode().build()


_LOOK_ALIKES = ("sv", "da", "nb", "fi", "cs", "uk", "ro", "ca", "hu", "tr")
"""Unsupported languages that would otherwise be mistaken for supported ones."""
_SENTENCE = re.compile(r"(?<=[.!?\u3002])\s*|\n+")
_CLAUSE = re.compile(r"[,;()]|:(?!\s*\w+\s*$)|\b(?:but|sondern|mais|sino|maar)\b")
_CODES = {name: code for code, names in LANGUAGE_NAMES.items() for name in names}
_NAME = f"(?P<name>{any_of(LANGUAGE_NAMES)})" + r"(?![^\W_])"
_UNSPACED_NAME = (
    "(?P<unspaced>" + any_of({code: _unspaced(names) for code, names in LANGUAGE_NAMES.items()}) + ")"
)
_IN = rf"\b{any_of(IN_LANGUAGE)}[\s-]+(?:[^\W\d]+\s+){{0,2}}?{_NAME}"
_LABELLED = re.compile(
    rf"\b{any_of(LANGUAGE_LABELS)}\b\s*+(?:[:=]|is|ist|est|es|è|é)?\s*+{_NAME}", re.IGNORECASE
)
_AND = re.compile(r"\b(?:and|und|et|y|oraz|и)\b", re.IGNORECASE)
_REQUESTS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b{any_of(ANSWERING)}.*?{_IN}",
        rf"\b{any_of(WRITING)}\w*\s+(?:\w+\s+)?{_IN}",
        rf"(?:\u7528|\u4f7f\u7528)(?P<name>{_UNSPACED_NAME})",
        rf"(?P<name>{_UNSPACED_NAME})(?:\u3067|\ub85c)",
    )
)
"""The last two match "use Chinese" and "in Japanese" or "in Korean", written in those languages."""
_NEGATION = re.compile(rf"\b{any_of(NEGATIONS)}\b", re.IGNORECASE)
_TEXTS: dict[str, dict[str, str]] = tomllib.loads(
    Path(__file__).with_name("abstention.toml").read_text(encoding="utf-8")
)
