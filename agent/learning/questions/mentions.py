"""Tracks what a passage has mentioned, so that a later `the tower` can be replaced by its description."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from memory.ingest.propositions.coreference import POINTERS, CoreferenceResolver, points_elsewhere
from memory.ingest.propositions.phrases import lowered, noun_phrase, written
from memory.language.clauses import Clause, Phrase
from memory.language.text import key

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

MAX_WORDS = 7
"""Longest description, in words, that replaces a short phrase."""
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
"""Nouns that with `the` refer to something named before."""


class Mentions:
    """The descriptive noun phrases of a passage so far, by the noun's lemma, in order."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._descriptions: dict[str, list[str]] = defaultdict(list)

    def read(self, sentence: Span) -> None:
        """Records the phrases of a sentence; call it after the sentence's questions are written."""
        for token in sentence:
            if token.pos_ not in ("NOUN", "PROPN") or token.dep_ == "compound":
                continue
            tokens = noun_phrase(token, core=True)
            if not tokens or any(points_elsewhere(t) or t.pos_ == "PRON" for t in tokens):
                continue
            described = any(c.dep_ in _DESCRIBING for c in token.children)
            text = lowered(written(tokens), tokens[0])
            if (
                described
                and len(text.split()) <= MAX_WORDS
                and not any(c.dep_ == "conj" for c in token.children)
            ):
                descriptions = self._descriptions[token.lemma_.lower()]
                if text not in descriptions:
                    descriptions.append(text)

    def description_of(self, noun: Token) -> str | None:
        """The description behind a bare `the ship`: the last ship described, in the same number."""
        name = self._title
        if (
            re.search(rf"\b{re.escape(noun.lemma_)}$", name, re.IGNORECASE)
            and " " in name
            and noun.tag_ == "NN"
        ):
            return f"the {name}"
        descriptions = [t for t in self._descriptions.get(noun.lemma_.lower(), ()) if _same_number(t, noun)]
        if descriptions:
            return _definite(descriptions[-1]) if len({_bare(t) for t in descriptions}) <= 2 else None
        return None

    def clarified(self, clause: Clause) -> Clause:
        """The clause with bare definite phrases replaced by their descriptions."""
        subject = self._full(clause.subject) if clause.subject else None
        arguments = tuple(replace(a, phrase=self._full(a.phrase)) for a in clause.arguments)
        texts = {a.phrase.text for a in arguments}
        if subject is not None and clause.subject is not None and subject.text in texts:
            subject = clause.subject
        return replace(clause, subject=subject, arguments=arguments)

    def _full(self, phrase: Phrase) -> Phrase:
        if not is_bare(phrase):
            return phrase
        description = self.description_of(phrase.head)
        return replace(phrase, text=description, core="") if description else phrase

    def vague(self, clause: Clause) -> bool:
        """Whether the subject or object is vague without the preceding text."""
        parts = [clause.subject, *(a.phrase for a in clause.arguments if a.role in ("object", "agent"))]
        return any(part is not None and self.is_vague(part) for part in parts)

    def is_vague(self, phrase: Phrase) -> bool:
        """Whether the phrase is vague by itself: `the city`, `the first issue`, `the city's river`."""
        match = _VAGUE.fullmatch(phrase.text)
        if match is None or key(phrase.text) == key(self._title):
            return False
        return match["noun"] in _EPITHETS or match["noun"].removesuffix("s") in _EPITHETS


_VAGUE = re.compile(r"(?:[Tt]he|[Bb]oth|[Ii]ts) (?:[a-z-]+ ){0,2}?(?P<noun>[a-z]+)(?:['\u2019]s? .*)?")


class MentionReferents(CoreferenceResolver):
    """CoreferenceResolver that also resolve `these towers` to the towers described before."""

    def __init__(self, inner: CoreferenceResolver, mentions: Mentions) -> None:
        self._inner = inner
        self._mentions = mentions

    def resolved(self, tokens: Sequence[Token], *, subject: bool) -> str | None:
        """See `CoreferenceResolver`."""
        resolved_text = self._inner.resolved(tokens, subject=subject)
        if resolved_text is not None or not tokens:
            return resolved_text
        pointers = [t for t in tokens if t.lower_ in POINTERS and t.dep_ == "det" and t.head in tokens]
        if len(pointers) != 1 or pointers[0].lower_ == "such":
            return None
        pointer = pointers[0]
        noun = pointer.head
        full = self._mentions.description_of(noun) if noun.i == pointer.i + 1 else None
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
    """Whether the phrase is `the` and one common noun."""
    return phrase.head.pos_ == "NOUN" and re.fullmatch(r"(?:[Tt]he|[Bb]oth) [a-z]+", phrase.text) is not None


def _definite(text: str) -> str:
    text = re.sub(r"^(?:an?|some|several|many|various|the|The) ", "", text)
    owned = re.match(r"(?:\S+ ){0,3}\S+['\u2019]s? ", text)
    return text if owned else f"the {text}"


def _bare(text: str) -> str:
    return re.sub(r"^(?:an?|the|some) ", "", text.lower())


def _same_number(text: str, noun: Token) -> bool:
    """Whether the phrase contains the noun in the same number."""
    return re.search(rf"\b{re.escape(noun.text)}\b", text, re.IGNORECASE) is not None
