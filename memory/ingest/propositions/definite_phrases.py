"""Finds the full name behind a short definite phrase: `the museum` is one named earlier or in a heading.

If several names contain the phrase's noun, only a heading decides. Phrases such as `the sun` need no name;
all others without one cannot be understood outside the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from memory.ingest.propositions.phrases import lowered, noun_phrase, written
from memory.language.text import key, singular, words

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

_CONTEXT_DEPENDENT = frozenset(
    words(
        "act action agreement album amount answer approach area article attack attempt attribute author"
        " battle bill block board body book building case category chapter choice class clause client code"
        " collection column command committee community company concept condition conference content"
        " contract council country couple course court data date deal debate decision design device"
        " difference directory discovery dispute distance document duo edition effect election element"
        " episode error event example exception exhibition expedition experiment facility fact feature"
        " field figure file film firm flag folder following form format former formula function fund game"
        " group house idea incident index input institution instance item job key label latter law layer"
        " letter line link list location loss machine majority match material matter meeting member message"
        " method mission mode model movement museum name network note novel number object offer office"
        " operation option order organisation organization output package page paper parameter part party"
        " path pattern place plan play plot point policy port position problem procedure process product"
        " program programme project property proposal purpose quantity question reaction reason record"
        " region relation report request response result role room row rule sample scheme school script"
        " section sentence sequence series service set setting show side site situation solution song"
        " speech stage statement station step story strategy structure study subject system table task"
        " team technique term test text theory thing time title token topic town trait treaty trial type"
        " airport army bridge castle church city conquest district emperor empire fleet"
        " king kingdom president queen ship state temple tower village war winner"
        " union unit university user value variable variant version vote work year"
    )
)
"""Nouns that refer to a different thing in each text, unlike `the sun` or `the public`."""
_CODE_KINDS = frozenset(
    words("option setting parameter command method function flag attribute variable field property class")
)
"""Kinds of things that a heading in documentation of code may name."""
_BRACKETED = re.compile(r"(\S[^()]*?)\s*\(([^()]*\w)\)")
LONGEST_NAME = 8
"""In words; longer phrases do not count as names."""
_LEAST = 2


def is_short(text: str) -> bool:
    """Whether a phrase is `the` with one noun."""
    first, *rest = text.split()
    return first.lower() == "the" and len(rest) == 1 and rest[0].isalpha() and rest[0].islower()


def names_setting(tokens: Sequence[Token]) -> bool:
    """Whether a phrase is `this option`, `this command` and the like."""
    return len(tokens) == _LEAST and tokens[0].lower_ == "this" and tokens[1].lower_ in _CODE_KINDS


def full_name(text: str, before: Token, docs: Sequence[Doc], topic: str, title: str) -> str | None:
    """The full name of a short phrase at the token `before`, or the phrase itself if it needs none; None if
    it cannot be resolved."""
    noun = singular(text.split()[-1].lower())
    found: dict[str, str] = {}
    for doc in docs:
        for token in doc:
            if doc is before.doc and token.i >= before.i:
                break
            if singular(token.lower_) == noun and token.pos_ in ("NOUN", "PROPN"):
                for name in _candidate_names(token, text):
                    found.setdefault(key(name), name)
    if len(found) == 1:
        return next(iter(found.values()))
    if not found or key(topic) in found or key(title) in found:
        for heading in (topic, title):
            if (named := _BRACKETED.fullmatch(heading)) and [*map(singular, words(named[2]))][-1:] == [noun]:
                return named[1]  # `Never the Twain (film)`
            parts = words(heading)
            if _LEAST <= len(parts) <= LONGEST_NAME and singular(parts[-1]) == noun:
                bare = heading[4:] if heading.lower().startswith("the ") else heading
                return f"the {bare}"
    return None if found or noun in _CONTEXT_DEPENDENT else text


def _candidate_names(token: Token, text: str) -> Iterator[str]:
    """The full names that an earlier occurrence of the noun may stand for."""
    head, verb = token.head, token.head
    if token.dep_ == "attr" and verb.lemma_ == "be" and verb.dep_ == "ROOT":
        subject = next((c for c in verb.children if c.dep_ == "nsubj"), None)
        if subject is not None and subject.pos_ == "PROPN":
            yield from _phrase_names(subject, text)
            return
    if token.dep_ == "appos" and head.pos_ == "PROPN":
        yield from _phrase_names(head, text)
        return
    if token.dep_ in ("compound", "poss") or (token.tag_ in ("NNS", "NNPS") and not text.endswith("s")):
        return
    yield from _phrase_names(token, text)


def _phrase_names(noun: Token, text: str) -> Iterator[str]:
    tokens = noun_phrase(noun, core=True)
    if any(
        t.pos_ == "PRON" or t.dep_ == "conj" or t.lower_ in ("this", "that", "these", "such") for t in tokens
    ):
        return
    if any(t.dep_ == "neg" or t.lower_ in ("no", "any", "each", "every", "other", "another") for t in tokens):
        return
    name = lowered(written(tokens), tokens[0]) if tokens else ""
    first, *rest = name.split() or [""]
    if first.lower() in ("a", "an", "the"):
        name = f"the {' '.join(rest)}"
        if len(rest) < _LEAST:
            return
    elif noun.pos_ != "PROPN" and (len(name.split()) < _LEAST or noun.tag_ == "NN"):
        return
    if len(name.split()) <= LONGEST_NAME and key(name) != key(text):
        yield name
