"""Content words of English text, whether a phrase occurs in it, and whether a text is English at all."""

import re

from memory.language.text import IRREGULAR_PLURALS, singular, words

_CLOSED_CLASS = """
    a about all also an and any are as at be because been being but by called can cannot could did do does
    doing done each either else ever every explain few for from give given gives had has have having he hello
    help her here hi him his how i if in into is it its just kindly know known let like made make makes many
    mean means meant me might more most much must my named need needs new no nor not of on one only or other
    our out over own please possible really say same see shall she should show so some someone something such
    tell than thanks that the their them then there these they this those through to too under up us use used
    uses using very want was way we were what whats when where which while who whom whose why will with within
    would you your define describe don't i'd i'll i'm i've refer refers understand wondering denote denotes
    learn teach brief briefly short simple"""
_SHAPE_NOUNS = """
    answer concept definition description expression kind list meaning name part phrase question sort state
    term thing things topic type word"""
CLOSED_CLASS = frozenset(_CLOSED_CLASS.split())
"""Function words: articles, pronouns, prepositions, auxiliaries, and verbs of asking."""
SHAPE_NOUNS = frozenset(_SHAPE_NOUNS.split())
"""Nouns that usually only frame a question ("which kind of ..."), but sometimes are its subject."""
ENGLISH = 0.2
"""Share of function words below which a text is not English."""
OTHER_SCRIPT = 0.3
"""Share of non-Latin letters above which a text is not English."""


def stems(text: str) -> tuple[str, ...]:
    """All words of the text, in the singular and in order."""
    return tuple(singular(w) for w in words(text))


def content_words(text: str) -> tuple[str, ...]:
    """The distinct content words, in the singular and in order.

    Nouns such as `type` or `expression` count only if there is no other content word.
    """
    candidates = [w for w in words(text) if w not in CLOSED_CLASS and (len(w) > 1 or w.isdigit())]
    chosen = [w for w in candidates if w not in SHAPE_NOUNS] or candidates
    return tuple(dict.fromkeys(map(singular, chosen)))


def phrase_spans(phrase: str, text: str) -> tuple[tuple[int, int], ...]:
    """The spans of `phrase` in `text`, word for word, ignoring case and plurals."""
    phrase_stems = stems(phrase)
    if not phrase_stems:
        return ()
    between = r"[\W_]+"
    pattern = r"(?<![^\W_])" + between.join(map(_inflected_pattern, phrase_stems)) + r"(?![^\W_])"
    return tuple(m.span() for m in re.finditer(pattern, text, re.IGNORECASE))


def occurs(phrase: str, text: str) -> bool:
    """Whether `phrase` occurs in `text`, word for word, ignoring case and plurals."""
    return bool(phrase_spans(phrase, text))


def coverage(wanted: tuple[str, ...], text: str) -> float:
    """The share of the `wanted` stems that occur in `text`, in [0, 1]; 0.0 without any."""
    if not wanted:
        return 0.0
    text_stems = set(stems(text))
    return sum(stem in text_stems for stem in wanted) / len(wanted)


_PLURALS = {one: plural for plural, one in IRREGULAR_PLURALS.items()}


def _inflected_pattern(stem: str) -> str:
    if stem in _PLURALS:
        return rf"(?:{re.escape(stem)}(?:es|s)?|{_PLURALS[stem]})(?:['\u2019]s)?"
    if stem.endswith("y"):
        return re.escape(stem[:-1]) + r"(?:y|ies)(?:['\u2019]s)?"
    return re.escape(stem) + r"(?:es|s)?(?:['\u2019]s)?"


def is_foreign(text: str) -> bool:
    """Whether the text is not English, judged by script and function words; False below four words."""
    text_words = words(text)
    letters = [c for c in text if c.isalpha()]
    if letters and sum(c > "\u024f" for c in letters) / len(letters) > OTHER_SCRIPT:
        return True
    return len(text_words) >= 4 and sum(w in CLOSED_CLASS for w in text_words) / len(text_words) < ENGLISH
