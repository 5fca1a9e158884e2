"""What pronouns stand for: the last subject that fits, or the heading; where two fit, nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from memory.ingest.propositions.parser import is_code
from memory.ingest.propositions.phrases import lowered, noun_phrase, written
from memory.language import key

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span, Token

PEOPLE = frozenset({"he", "she", "him", "her", "his", "hers"})
THINGS = frozenset({"it", "its"})
MANY = frozenset({"they", "them", "their", "theirs"})
POSSESSIVE = frozenset({"his", "her", "its", "their"})
POINTERS = frozenset(["this", "that", "these", "those", "such"])
"""Determiners and pronouns that point at another sentence."""
SPEAKERS = frozenset(["i", "we", "me", "us", "my", "our", "ours", "mine"])
_ORDINALS = frozenset(["first", "second", "third", "fourth", "fifth", "last", "next", "previous"])
_COUNTED_WORDS = """
    element case rule part step line example approach option problem type kind way thing item argument
    parameter value reason half time"""
_COUNTED = frozenset(_COUNTED_WORDS.split())
"""Nouns that an ordinal picks out of some list."""
_ELSEWHERE = frozenset(["here", "there", "above", "below", "former", "latter", "following"])
_HUMAN_WORDS = """
    president king queen emperor empress prince princess man woman person physician pharmacist scientist
    teacher student leader author writer director actor actress professor engineer member player bishop
    founder minister general soldier user worker child critic researcher historian official settler
    resident scholar people men women children poet artist composer singer pope priest monk lawyer judge
    farmer merchant manager owner doctor nurse patient coach captain governor mayor senator politician
    philosopher mathematician physicist chemist biologist inventor explorer architect painter musician
    employee employer customer developer administrator visitor applicant tenant driver passenger sailor
    widow widower husband wife mother father son daughter brother sister parent friend guest volunteer
    neighbour neighbor citizen voter tourist heir"""
HUMAN = frozenset(_HUMAN_WORDS.split())
"""Nouns for people, in the singular or as they are; spaCy's entities know names only."""
_KINDS = {
    **dict.fromkeys(PEOPLE, "person"),
    **dict.fromkeys(THINGS, "thing"),
    **dict.fromkeys(MANY, "many"),
}
REMEMBERED = 2
LONGEST_REFERENT = 10
"""Words; a longer phrase does not stand for a pronoun."""
_FITTING = {"person": ("person", "name"), "thing": ("thing", "name"), "many": ("many",)}
"""The kinds of nouns that a kind of pronoun may stand for."""


class Referents:
    """What one passage has spoken of so far; its heading (`topic`) and its title are known at once.

    Precision first: a pronoun that may stand for two things stands for none, and what was not spoken of for
    two sentences is forgotten.
    """

    def __init__(self, topic: str, title: str = "") -> None:
        self._topic = topic
        self._title = title
        self._names = _names_in(topic) | _names_in(title)
        self._before: list[list[_Mention]] = []
        """Mentions of the last sentences, the latest first."""
        self._here: list[_Mention] = []
        self._person_is_topic = False
        self._topic_is_told = False
        """Whether the text itself names its heading, so that `it` may stand for that."""

    def read(self, doc: Doc) -> None:
        """Notes the names of a text, and whether its title is a person's."""
        inside = " ".join(t.text for t in doc if not t.is_sent_start and t.pos_ == "PROPN")
        self._names |= _capitalised(inside)
        people = {e.text.removesuffix("'s") for e in doc.ents if e.label_ == "PERSON"}
        told = key(doc.text)
        self._topic_is_told |= bool(self._topic) and key(self._topic) in told
        self._person_is_topic |= any(name in self._topic for name in people if len(name) > 2)

    def enter(self, sentence: Span) -> None:
        """Reads the mentions of a sentence before its clauses are."""
        self._here = [mention for token in sentence if (mention := self._mention(token)) is not None]

    def leave(self) -> None:
        """Remembers the sentence's mentions."""
        self._before = [self._here, *self._before][:REMEMBERED]

    def resolved(self, tokens: Sequence[Token], *, subject: bool) -> str | None:
        """The phrase without pronouns; None where one stands for something that cannot be told.

        A possessive may stay outside the subject: its owner is then named in the same clause.
        """
        if any(points(t) for t in tokens):
            return None
        text: list[str] = []
        changed = False
        for token in tokens:
            word = token.lower_
            pronoun = token.pos_ == "PRON" and word in PEOPLE | THINGS | MANY
            owned = word in POSSESSIVE and token.dep_ == "poss"
            if not pronoun or (not subject and (owned or _bound(token, tokens))):
                text.append(token.text + token.whitespace_)
                continue
            referent = self._referent(token)
            if referent is None:
                return None
            changed = True
            text.append((_owner(referent) if owned else referent) + token.whitespace_)
        if changed:
            return " ".join("".join(text).split()).strip(" ,;:")
        return lowered(written(tokens), tokens[0], self._names)

    def _mention(self, token: Token) -> _Mention | None:
        """A thing or person that a later pronoun may stand for: a subject, an object, or a person's name."""
        is_subject = token.dep_ in ("nsubj", "nsubjpass")
        if is_subject and token.pos_ == "PRON":
            referent = self._referent(token) if token.lower_ in _KINDS else None
            if not referent:
                return None
            return _Mention(token.i, _KINDS[token.lower_], referent, token.head.dep_ == "ROOT", True)
        person = token.ent_type_ == "PERSON" and token.ent_iob_ == "B" and token.dep_ != "compound"
        if token.pos_ not in ("NOUN", "PROPN") or not (is_subject or person or token.dep_ == "dobj"):
            return None
        tokens = noun_phrase(token)
        if not tokens or any(points(t) or t.lower_ in PEOPLE | THINGS | MANY for t in tokens):
            return None
        text = lowered(written(tokens), tokens[0], self._names)
        if len(text.split()) > LONGEST_REFERENT:
            return None
        return _Mention(token.i, kind(token), text, is_subject and token.head.dep_ == "ROOT", is_subject)

    def _referent(self, token: Token) -> str | None:
        wanted = _KINDS[token.lower_]
        here = [m for m in self._here if m.kind in _FITTING[wanted] and m.position < token.i]
        own = token.head if token.dep_ in ("nsubj", "nsubjpass", "dobj") else None
        here = [m for m in here if own is None or token.doc[m.position].head != own]
        for mentions in (here, *self._before[: 2 if wanted == "person" else 1]):
            fitting = [m for m in mentions if m.kind in _FITTING[wanted] and (m.subject or wanted != "many")]
            if fitting:
                return self._only(fitting, wanted)
        if wanted == "person":
            return self._topic if self._person_is_topic else None
        first = wanted == "thing" and not any(self._before) and self._topic_is_told
        return self._topic if first and self._topic else None

    def _is_topic(self, text: str) -> bool:
        """Whether the passage is about it: its heading, its title, or `the ferry` on a ferry's page."""
        name = key(text)
        whole = [key(self._topic), key(self._title)]
        return name in whole or (
            text.lower().startswith("the ") and name in {n.rpartition(" ")[2] for n in whole}
        )

    def _only(self, mentions: Sequence[_Mention], wanted: str) -> str | None:
        """The one that is meant: of several the main subject, unless another thing might be meant as well."""
        texts = {m.text for m in mentions}
        if len(texts) == 1:
            return mentions[-1].text
        if wanted == "thing" and any(map(self._is_topic, texts)):
            return next(m.text for m in mentions if self._is_topic(m.text))
        main = [m for m in mentions if m.main]
        subjects = {m.text for m in mentions if m.subject}
        if len(main) != 1 or (wanted != "many" and len(subjects) > 1):
            return None
        definite = [m for m in mentions if not m.subject and m.text.lower().startswith(("the ", "its "))]
        return None if wanted == "thing" and definite else main[0].text


class _Mention(NamedTuple):
    position: int
    kind: str
    text: str
    main: bool
    """The subject of its sentence."""
    subject: bool


def _bound(token: Token, tokens: Sequence[Token]) -> bool:
    """Whether the phrase itself names what the pronoun stands for (`that he left`, after `Tesla`)."""
    return any(t.i < token.i and t.pos_ == "PROPN" and t.dep_ in ("nsubj", "nsubjpass") for t in tokens)


def _capitalised(text: str) -> frozenset[str]:
    return frozenset(w for w in text.split() if w[:1].isupper() and w.lower() not in ("the", "a", "an"))


def _names_in(title: str) -> frozenset[str]:
    """Words of a title that are names; its first one has a capital anyhow, and counts beside another."""
    words = title.split()
    first = 1 if (len(words) > 1 and not words[1][:1].isupper()) or len(words) == 1 else 0
    return _capitalised(" ".join(words[first:]))


def points(token: Token) -> bool:
    """Whether the word points at something outside its sentence, which is not looked for."""
    word = token.lower_
    if word in SPEAKERS:
        numeral = token.i > 0 and token.nbor(-1).pos_ == "PROPN"  # Elizabeth I
        return token.pos_ == "PRON" and not token.ent_type_ and not numeral
    if word in POINTERS:
        if word == "such":
            return token.i + 1 >= len(token.doc) or token.nbor().lower_ != "as"
        return (token.tag_ == "DT" and token.dep_ not in ("mark", "nsubj")) or (
            token.dep_ in ("nsubj", "nsubjpass", "dobj", "pobj") and token.tag_ == "DT"
        )
    if word in ("one", "ones", "other", "others", "another", "same", "some", "all", "most"):
        return token.pos_ in ("PRON", "NOUN") and not any(c.dep_ == "prep" for c in token.children)
    if word in ("listing", "figure", "fig") and token.i + 1 < len(token.doc) and token.nbor().like_num:
        return True
    if (
        token.tag_ == "JJ"
        and word in _ORDINALS
        and token.dep_ == "amod"
        and token.head.lemma_.lower() in _COUNTED
    ):
        return len(list(token.head.subtree)) <= 3
    if is_code(token) and len(token.text) <= 2:
        return True  # a variable of some listing
    return word in _ELSEWHERE and token.dep_ in ("advmod", "pobj", "nsubj", "dobj", "pcomp", "amod")


def kind(noun: Token) -> str:
    """`person`, `thing` or `many`."""
    if any(c.dep_ == "conj" for c in noun.children) or noun.tag_ in ("NNS", "NNPS"):
        return "many"
    if noun.ent_type_ == "PERSON" or noun.lemma_.lower() in HUMAN:
        return "person"
    return "name" if noun.pos_ == "PROPN" and not noun.ent_type_ else "thing"


def _owner(name: str) -> str:
    return f"{name}'" if name.endswith("s") else f"{name}'s"
