"""The words of a question that carry its subject, and when one phrase occurs in another text.

Words, singulars and sentences themselves are cut in `memory.language.text`; meaning is left to embeddings.
"""

import re

from memory.language.text import singular, words

_CLOSED_CLASS = """
    a about all also an and any are as at be because been being but by called can cannot could did do does
    doing done each either else ever every explain few for from give given gives had has have having he hello
    help her here hi him his how i if in into is it its just kindly know known let like made make makes many
    mean means meant me might more most much must my named need needs new no nor not of on one only or other
    our out over own please possible really say same see shall she should show so some someone something such
    tell than thanks that the their them then there these they this those through to too under up us use used
    uses using very want was way we were what whats when where which while who whom whose why will with within
    would you your define describe don't i'd i'm refer refers understand wondering denote denotes learn teach
    brief briefly short simple"""
_SHAPE_NOUNS = """
    answer concept definition description expression kind list meaning name part phrase question sort state
    term thing things topic type word"""
CLOSED_CLASS = frozenset(_CLOSED_CLASS.split())
"""Words that no question is about: articles, pronouns, prepositions, auxiliaries, and the verbs of asking."""
SHAPE_NOUNS = frozenset(_SHAPE_NOUNS.split())
"""Nouns that mostly shape a question ("which kind of ..."), but now and then are its subject."""


def stems(text: str) -> tuple[str, ...]:
    """All words of the text, singular, in order."""
    return tuple(singular(w) for w in words(text))


def content_words(text: str) -> tuple[str, ...]:
    """Distinct content words in order, singular, without the question's own vocabulary.

    Nouns such as `type` or `expression` count only where no other word is left.
    """
    kept = [w for w in words(text) if w not in CLOSED_CLASS and (len(w) > 1 or w.isdigit())]
    telling = [w for w in kept if w not in SHAPE_NOUNS] or kept
    return tuple(dict.fromkeys(map(singular, telling)))


def phrase_spans(phrase: str, text: str) -> tuple[tuple[int, int], ...]:
    """Where the words of `phrase` stand in `text` next to each other; case and plurals are ignored."""
    wanted = stems(phrase)
    if not wanted:
        return ()
    between = r"[\W_]+"
    pattern = r"(?<![^\W_])" + between.join(map(_inflected, wanted)) + r"(?![^\W_])"
    return tuple(m.span() for m in re.finditer(pattern, text, re.IGNORECASE))


def occurs(phrase: str, text: str) -> bool:
    """Whether `phrase` stands in `text`, word for word but for case and plurals."""
    return bool(phrase_spans(phrase, text))


def coverage(wanted: tuple[str, ...], text: str) -> float:
    """Share in [0, 1] of the `wanted` stems that `text` holds; 0.0 when nothing is wanted."""
    if not wanted:
        return 0.0
    given = set(stems(text))
    return sum(w in given for w in wanted) / len(wanted)


def _inflected(stem: str) -> str:
    if stem.endswith("y"):
        return re.escape(stem[:-1]) + r"(?:y|ies)(?:['\u2019]s)?"
    return re.escape(stem) + r"(?:es|s)?(?:['\u2019]s)?"
