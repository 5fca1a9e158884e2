"""Things that a passage has named, so that a later `the tower` or `these towers` can be told outside it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from memory.ingest.propositions.phrases import lowered, noun_phrase, written
from memory.ingest.propositions.referents import POINTERS, Referents, points
from memory.language.clauses import Clause, Phrase
from memory.language.text import key

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

MOST_WORDS = 7
"""A longer phrase does not stand in for a short one."""
_DESCRIBING = frozenset({"amod", "compound", "nummod", "prep", "poss", "nmod", "acl", "appos", "relcl"})
_EPITHET_WORDS = """
    series work company city country team book film movie band group song album case conference region area
    building event program programme project organization organisation negotiation institution network show
    act law treaty war battle disease author season game province town village river agreement deal decision
    proposal plan bill report study survey paper article document image picture idea concept theory method
    approach technique term word name phrase title post role job campaign attack operation mission
    expedition journey trip period era time year day date place site location party movement college
    university club society league union council committee commission court family king queen emperor
    president minister leader general man woman boy girl child couple marriage wedding meeting ceremony
    festival tournament match race contest competition award prize record episode character player coach
    singer actor director writer poet artist problem newspaper journal issue magazine volume edition text
    passage section chapter poem play novel agency firm business institute centre center department board
    tribe nation county district border capital relationship difference dynasty empire kingdom state
    question matter situation condition effect change increase decline reduction"""
_EPITHETS = frozenset(_EPITHET_WORDS.split())
"""Nouns that with `the` stand for something that was named before."""


class Mentions:
    """The noun phrases of a passage that say more than their noun, by the noun's lemma, in order."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._told: dict[str, list[str]] = defaultdict(list)

    def read(self, sentence: Span) -> None:
        """Notes the phrases of a sentence, after its questions are written."""
        for token in sentence:
            if token.pos_ not in ("NOUN", "PROPN") or token.dep_ == "compound":
                continue
            tokens = noun_phrase(token, core=True)
            if not tokens or any(points(t) or t.pos_ == "PRON" for t in tokens):
                continue
            described = any(c.dep_ in _DESCRIBING for c in token.children)
            text = lowered(written(tokens), tokens[0])
            if (
                described
                and len(text.split()) <= MOST_WORDS
                and not any(c.dep_ == "conj" for c in token.children)
            ):
                told = self._told[token.lemma_.lower()]
                if text not in told:
                    told.append(text)

    def richer(self, noun: Token) -> str | None:
        """What a bare `the ship` stands for: the last ship that was described, in the same number."""
        name = self._title
        if (
            re.search(rf"\b{re.escape(noun.lemma_)}$", name, re.IGNORECASE)
            and " " in name
            and noun.tag_ == "NN"
        ):
            return f"the {name}"
        told = [t for t in self._told.get(noun.lemma_.lower(), ()) if _many(t, noun)]
        if told:
            return _definite(told[-1]) if len({_bare(t) for t in told}) <= 2 else None
        return None

    def clarified(self, clause: Clause) -> Clause:
        """The clause with its bare definite subject and arguments told in full."""
        subject = self._full(clause.subject) if clause.subject else None
        arguments = tuple(replace(a, phrase=self._full(a.phrase)) for a in clause.arguments)
        texts = {a.phrase.text for a in arguments}
        if subject is not None and clause.subject is not None and subject.text in texts:
            subject = clause.subject
        return replace(clause, subject=subject, arguments=arguments)

    def _full(self, phrase: Phrase) -> Phrase:
        if not is_bare(phrase):
            return phrase
        found = self.richer(phrase.head)
        return replace(phrase, text=found, core="") if found else phrase

    def vague(self, clause: Clause) -> bool:
        """Whether its subject or object can only be told by who has read on to there."""
        parts = [clause.subject, *(a.phrase for a in clause.arguments if a.role in ("object", "agent"))]
        return any(part is not None and self.is_vague(part) for part in parts)

    def is_vague(self, phrase: Phrase) -> bool:
        """Whether it names nothing by itself: `the city`, `the first issue`, `the city's river`."""
        found = _VAGUE.fullmatch(phrase.text)
        if found is None or key(phrase.text) == key(self._title):
            return False
        return found["noun"] in _EPITHETS or found["noun"].removesuffix("s") in _EPITHETS


_VAGUE = re.compile(r"(?:[Tt]he|[Bb]oth|[Ii]ts) (?:[a-z-]+ ){0,2}?(?P<noun>[a-z]+)(?:['\u2019]s? .*)?")


class MentionReferents(Referents):
    """Referents that also tell `these towers` by the towers that were described before."""

    def __init__(self, inner: Referents, mentions: Mentions) -> None:
        self._inner = inner
        self._mentions = mentions

    def resolved(self, tokens: Sequence[Token], *, subject: bool) -> str | None:
        """See `Referents`."""
        found = self._inner.resolved(tokens, subject=subject)
        if found is not None or not tokens:
            return found
        pointers = [t for t in tokens if t.lower_ in POINTERS and t.dep_ == "det" and t.head in tokens]
        if len(pointers) != 1 or pointers[0].lower_ == "such":
            return None
        pointer = pointers[0]
        noun = pointer.head
        full = self._mentions.richer(noun) if noun.i == pointer.i + 1 else None
        if full is None:
            return None
        before = [t for t in tokens if t.i < pointer.i]
        after = [t for t in tokens if t.i > noun.i]
        pieces = [
            self._inner.resolved(before, subject=subject) if before else "",
            full,
            self._inner.resolved(after, subject=subject) if after else "",
        ]
        if any(piece is None for piece in pieces):
            return None
        return " ".join(piece for piece in pieces if piece)


def is_bare(phrase: Phrase) -> bool:
    """Whether it is `the` and one common noun."""
    return phrase.head.pos_ == "NOUN" and re.fullmatch(r"(?:[Tt]he|[Bb]oth) [a-z]+", phrase.text) is not None


def _definite(text: str) -> str:
    text = re.sub(r"^(?:an?|some|several|many|various|the|The) ", "", text)
    owned = re.match(r"(?:\S+ ){0,3}\S+['\u2019]s? ", text)
    return text if owned else f"the {text}"


def _bare(text: str) -> str:
    return re.sub(r"^(?:an?|the|some) ", "", text.lower())


def _many(text: str, noun: Token) -> bool:
    """Whether the phrase has the noun in the same number."""
    return re.search(rf"\b{re.escape(noun.text)}\b", text, re.IGNORECASE) is not None
