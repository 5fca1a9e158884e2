"""Relations in their base form, so that `was built in` and `has been built in` compare as the same."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from memory.language.libraries import lemminflect
from memory.language.text import words

_AUXILIARY_WORDS = "am is are was were be been being has have had do does did will can"
_AUXILIARIES = frozenset(_AUXILIARY_WORDS.split())
_PAST = frozenset({"was", "were", "did", "had"})
_DENIALS = frozenset({"not", "never"})


class Relation(NamedTuple):
    """A relation in its base form: `live in` for `has been living in`."""

    base: str
    """Its words, joined by hyphens."""
    denied: bool
    past: bool


@lru_cache(maxsize=4096)
def base_relation(relation: str) -> Relation:
    """The relation without tense, auxiliaries and negation."""
    every = [w for w in words(relation) if w not in _DENIALS]
    denied = any(w in _DENIALS for w in words(relation))
    rest = list(every)
    while len(rest) > 1 and rest[0] in _AUXILIARIES and _is_verb(rest[1]):
        rest = rest[1:]
    if not rest:
        return Relation("", denied, False)
    base = _base(rest[0])
    past = every[0] in _PAST or (rest[0] != base and rest[0] in lemminflect().getInflection(base, tag="VBD"))
    perfect = every[0] in ("has", "have") and len(rest) < len(every) and not rest[0].endswith("ing")
    active_past = past and (len(rest) == len(every) or every[0] in _PAST)
    return Relation("-".join([base, *rest[1:]]), denied, active_past or perfect)


def is_verb_group(relation: str) -> bool:
    """Whether a relation begins with an auxiliary or a verb in the third person (`eats`), and is no noun."""
    first = relation.split()[0].lower()
    return first in _AUXILIARIES or (first.endswith("s") and _is_verb(first) and _base(first) != first)


def _base(word: str) -> str:
    lemmas = lemminflect().getLemma(word, upos="VERB")
    return str(lemmas[0]) if lemmas else word


def _is_verb(word: str) -> bool:
    return word in _AUXILIARIES or bool(lemminflect().getAllLemmas(word, upos="VERB"))
