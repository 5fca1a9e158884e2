"""Owns which words of a question carry its subject, and when one phrase occurs in another text.

Words, singulars and sentences themselves are cut in `memory.language`; meaning is left to embeddings.
"""

import re

from memory.language import singular, words

_SHAPE_OF_A_QUESTION = """
    a about all also an and any are as at be because been being but by called can cannot could did do does
    doing done each either else ever every explain few for from give given gives had has have having he hello
    help her here hi him his how i if in into is it its just kind kindly know known let like list made make
    makes many mean meaning means meant me might more most much must my name named need needs new no nor not
    of on one only or other our out over own part please possible question really say same see shall she
    should show so some someone something sort state such tell term than thanks that the their them then there
    these they thing things this those through to too type under up us use used uses using very want was way
    we were what whats when where which while who whom whose why will with within word would you your
    answer define definition describe description don't i'd i'm refer refers understand wondering
    called denote denotes expression phrase concept topic learn teach brief briefly short simple"""
STOPWORDS = frozenset(_SHAPE_OF_A_QUESTION.split())
"""Words that carry the shape of a question rather than its subject."""


def stems(text: str) -> tuple[str, ...]:
    """All words of the text, singular, in order."""
    return tuple(singular(w) for w in words(text))


def content(text: str) -> tuple[str, ...]:
    """Distinct content words in order, singular, without the question's own vocabulary."""
    kept = (singular(w) for w in words(text) if w not in STOPWORDS)
    return tuple(dict.fromkeys(w for w in kept if len(w) > 1 or w.isdigit()))


def spans(phrase: str, text: str) -> tuple[tuple[int, int], ...]:
    """Where the words of `phrase` stand in `text` next to each other; case and plurals are ignored."""
    wanted = stems(phrase)
    if not wanted:
        return ()
    between = r"[\W_]+"
    pattern = r"(?<![^\W_])" + between.join(map(_inflected, wanted)) + r"(?![^\W_])"
    return tuple(m.span() for m in re.finditer(pattern, text, re.IGNORECASE))


def occurs(phrase: str, text: str) -> bool:
    """Whether `phrase` stands in `text`, word for word but for case and plurals."""
    return bool(spans(phrase, text))


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
