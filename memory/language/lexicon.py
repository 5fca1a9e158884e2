"""Word lists in twelve languages, from `lexicon.toml`: question words, verbs of requests, pronouns and so on.

Languages are ISO 639-1 codes.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

Lexicon = Mapping[str, frozenset[str]]

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "ru", "zh", "ja", "ko")
UNSPACED = ("zh", "ja", "ko")
"""Languages written without spaces between words."""


def words_in(line: str) -> frozenset[str]:
    """The words of a list written as one line of text."""
    return frozenset(line.split())


def any_of(lexicon: Lexicon, *, ending: str = "") -> str:
    """A regular expression for any word of the lexicon, longest first, followed by `ending`."""
    words = {word for group in lexicon.values() for word in group}
    return "(?:" + "|".join(sorted(map(re.escape, words), key=lambda w: (-len(w), w))) + f"){ending}"


def _read() -> dict[str, Lexicon]:
    tables = tomllib.loads(Path(__file__).with_name("lexicon.toml").read_text(encoding="utf-8"))
    return {
        kind: {language: words_in(table.get(language, "")) for language in LANGUAGES}
        for kind, table in tables.items()
    }


_LEXICONS = _read()
INTERROGATIVES = _LEXICONS["interrogatives"]
AUXILIARIES = _LEXICONS["auxiliaries"]
ASKING = _LEXICONS["asking"]
"""Verbs that request knowledge, such as `explain`."""
MAKING = _LEXICONS["making"]
"""Verbs that request a product or a change, such as `write`."""
COURTESY = _LEXICONS["courtesy"]
ADDRESSING = _LEXICONS["addressing"]
"""Second-person pronouns."""
SPEAKING = _LEXICONS["speaking"]
FOLLOWING = _LEXICONS["following"]
"""Pronouns and conjunctions that begin a follow-up question, in languages other than English."""
FUNCTION_WORDS = _LEXICONS["function_words"]
PRODUCTS = _LEXICONS["products"]
OPINIONS = _LEXICONS["opinions"]
PRONOUNS = _LEXICONS["pronouns"]
ANSWERING = _LEXICONS["answering"]
WRITING = _LEXICONS["writing"]
LANGUAGE_LABELS = _LEXICONS["language_labels"]
IN_LANGUAGE = _LEXICONS["in_language"]
NEGATIONS = _LEXICONS["negations"]
LANGUAGE_NAMES = _LEXICONS["language_names"]
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_HAN = re.compile("[\u3400-\u9fff]")
_KANA = re.compile("[\u3040-\u30ff]")
_HANGUL = re.compile("[\uac00-\ud7af]")
_LANGUAGE_CUES = (
    PRODUCTS,
    OPINIONS,
    FUNCTION_WORDS,
    INTERROGATIVES,
    AUXILIARIES,
    ASKING,
    MAKING,
    COURTESY,
    ADDRESSING,
    SPEAKING,
)


def words_of(text: str) -> list[str]:
    """The words in lower case and in order, with inner apostrophes and hyphens."""
    return [word.lower().replace("\u2019", "'") for word in _WORD.findall(text)]


def unspaced(text: str) -> tuple[str, ...]:
    """`ko`, `ja` or `zh` if the text contains that script (the first that matches); else nothing."""
    for language, script in (("ko", _HANGUL), ("ja", _KANA), ("zh", _HAN)):
        if script.search(text):
            return (language,)
    return ()


def languages_by_words(text: str) -> tuple[str, ...]:
    """The languages with the most word-list matches in the text, or the language of its script."""
    if by_script := unspaced(text):
        return by_script
    words = words_of(text)
    if not words:
        return ()
    parts = words + [part for word in words if "'" in word for part in word.split("'")]
    counts = {
        language: sum(any(part in lexicon[language] for lexicon in _LANGUAGE_CUES) for part in parts)
        + (words[0] in INTERROGATIVES[language])
        for language in LANGUAGES
    }
    most = max(counts.values())
    return tuple(language for language, count in counts.items() if 0 < count == most)


def language_by_words(text: str) -> str | None:
    """The language by `languages_by_words`, if there is exactly one; else None."""
    languages = languages_by_words(text)
    return languages[0] if len(languages) == 1 else None
