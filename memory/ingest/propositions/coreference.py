"""Resolves pronouns to the last matching subject or the heading; ambiguous pronouns stay unresolved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from memory.ingest.propositions.definite_phrases import full_name, is_short, names_setting
from memory.ingest.propositions.parser import is_code
from memory.ingest.propositions.phrases import lowered, noun_phrase, written
from memory.language.text import key

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span, Token

PEOPLE = frozenset({"he", "she", "him", "her", "his", "hers"})
THINGS = frozenset({"it", "its"})
MANY = frozenset({"they", "them", "their", "theirs"})
POSSESSIVE = frozenset({"his", "her", "its", "their"})
POINTERS = frozenset(["this", "that", "these", "those", "such"])
"""Determiners and pronouns that refer to another sentence."""
_SUBJECT = ("nsubj", "nsubjpass")
_COUNT_AND_NOUN = 2
SPEAKERS = frozenset(["i", "we", "me", "us", "my", "our", "ours", "mine"])
_ORDINALS = frozenset(["first", "second", "third", "fourth", "fifth", "last", "next", "previous"])
_COUNTED_WORDS = """
    element case rule part step line example approach option problem type kind way thing item argument
    parameter value reason half time command method sentence"""
_COUNTED = frozenset(_COUNTED_WORDS.split())
"""Nouns that an ordinal selects from a list elsewhere in the text."""
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
    neighbour neighbor citizen voter tourist heir editor organiser organizer chairman secretary commander
    officer chief producer trainer runner participant successor predecessor"""
HUMAN = frozenset(_HUMAN_WORDS.split())
"""Nouns for people, mostly singular; spaCy's entities cover only names."""
_KINDS = {
    **dict.fromkeys(PEOPLE, "person"),
    **dict.fromkeys(THINGS, "thing"),
    **dict.fromkeys(MANY, "many"),
}
_POINTING = {"this": "thing", "that": "thing", "these": "many", "those": "many"}
REMEMBERED = 2
LONGEST_REFERENT = 10
"""In words; a longer phrase does not replace a pronoun."""
_FITTING = {"person": ("person", "name"), "thing": ("thing", "name"), "many": ("many",)}
"""The kinds of nouns that each kind of pronoun may refer to."""


class CoreferenceResolver:
    """Tracks the mentions of one passage and resolves pronouns and short phrases to them.

    The heading (`topic`), the title, and the option or function named in the heading (`setting`) are known
    from the start. Precision comes first: an ambiguous pronoun is not resolved, and mentions are dropped
    after two sentences.
    """

    def __init__(self, topic: str, title: str = "", setting: str = "") -> None:
        self._topic = topic
        self._setting = setting
        self._title = title
        self._names = _names_in(topic) | _names_in(title)
        self._before: list[list[_Mention]] = []
        """Mentions of the previous sentences, latest first."""
        self._here: list[_Mention] = []
        self._docs: list[Doc] = []
        self._person_is_topic = False
        self._topic_is_named = False
        """Whether the text names its heading, so that `it` may refer to it."""

    def read(self, doc: Doc) -> None:
        """Collects the names in a text, and whether its topic is a person."""
        self._docs.append(doc)
        inside = " ".join(t.text for t in doc if not t.is_sent_start and t.pos_ == "PROPN")
        self._names |= _capitalised(inside)
        people = {e.text.removesuffix("'s") for e in doc.ents if e.label_ == "PERSON"}
        text_key = key(doc.text)
        self._topic_is_named |= bool(self._topic) and key(self._topic) in text_key
        self._person_is_topic |= any(name in self._topic for name in people if len(name) > 2)

    def full(self, text: str, before: Token) -> str | None:
        """The phrase at the token `before`, replaced by its full name if it is short; None if it cannot be
        understood alone."""
        first, of, rest = text.partition("'s ")
        if of and is_short(first):
            owner = full_name(first, before, self._docs, self._topic, self._title)
            return None if owner is None else f"{_owner(owner)} {rest}"
        return full_name(text, before, self._docs, self._topic, self._title) if is_short(text) else text

    def enter(self, sentence: Span) -> None:
        """Collects the mentions of a sentence; call it before its clauses are extracted."""
        self._here = [mention for token in sentence if (mention := self._mention(token)) is not None]

    def leave(self) -> None:
        """Ends the sentence and remembers its mentions."""
        self._before = [self._here, *self._before][:REMEMBERED]

    def resolved(self, tokens: Sequence[Token], *, subject: bool) -> str | None:
        """The phrase with its pronouns replaced; None if one cannot be resolved.

        Outside the subject a possessive may stay, because its owner is named in the same clause.
        """
        if self._setting and names_setting(tokens):
            return self._setting
        if any(points_elsewhere(t) for t in tokens):
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
        """The token's mention, if later pronouns may refer to it: a subject, object or person's name."""
        is_subject = token.dep_ in ("nsubj", "nsubjpass")
        main = is_subject and token.head.dep_ == "ROOT"
        if is_subject and token.pos_ == "PRON":
            kind_of = _KINDS.get(token.lower_) or _POINTING.get(token.lower_)
            if kind_of is None:
                return None
            known = token.lower_ in _KINDS
            return _Mention(token.i, kind_of, (self._referent(token) if known else None) or "", main, True)
        owner = token.dep_ == "poss" and token.pos_ == "PROPN"
        person = token.ent_type_ == "PERSON" and token.ent_iob_ == "B" and token.dep_ != "compound"
        if token.pos_ not in ("NOUN", "PROPN") or not (is_subject or person or owner or token.dep_ == "dobj"):
            return None
        tokens = [t for t in noun_phrase(token) if not (t.dep_ == "case" and t.head == token)]
        text = lowered(written(tokens), tokens[0], self._names) if tokens else ""
        if len(text.split()) > LONGEST_REFERENT or any(
            points_elsewhere(t) or t.lower_ in PEOPLE | THINGS | MANY for t in tokens
        ):
            text = self._setting if names_setting(tokens) else ""
        return _Mention(token.i, kind(token), text, main, is_subject) if text or is_subject else None

    def _referent(self, token: Token) -> str | None:
        """The text that a pronoun refers to; None if it is unknown or ambiguous."""
        pronoun_kind = _KINDS[token.lower_]
        here = [m for m in self._here if m.kind in _FITTING[pronoun_kind] and m.position < token.i]
        governors = _governors(token)
        here = [m for m in here if token.doc[m.position].head not in governors]
        if pronoun_kind == "many" and token.dep_ in ("nsubj", "nsubjpass"):
            others = {
                t.lower_
                for t in token.sent
                if t.tag_ in ("NNS", "NNPS") and t.i < token.i and t.dep_ != "compound"
            }
            if here and len(others) > 1:
                return None
        for mentions in (here, *self._before[: 2 if pronoun_kind == "person" else 1]):
            subjects_only = pronoun_kind == "many" or (pronoun_kind == "thing" and token.dep_ in _SUBJECT)
            fitting = [
                m for m in mentions if m.kind in _FITTING[pronoun_kind] and (m.subject or not subjects_only)
            ]
            if fitting:
                return self._only(fitting, pronoun_kind)
        if pronoun_kind == "person":
            return self._topic if self._person_is_topic else None
        first = pronoun_kind == "thing" and not any(self._before)
        if first and self._setting:
            return self._setting
        first &= self._topic_is_named
        return self._topic if first and self._topic else None

    def _is_topic(self, text: str) -> bool:
        """Whether the text names the passage's topic: its heading, its title, or their last noun."""
        name = key(text)
        whole = [key(self._topic), key(self._title)]
        return name in whole or (
            text.lower().startswith("the ") and name in {n.rpartition(" ")[2] for n in whole}
        )

    def _only(self, mentions: Sequence[_Mention], pronoun_kind: str) -> str | None:
        """The mention that the pronoun refers to: the main subject among several; None if ambiguous."""
        texts = {m.text for m in mentions}
        if len(texts) == 1:
            return mentions[-1].text or None
        if pronoun_kind == "person" and any(not m.subject for m in mentions) and not self._person_is_topic:
            return None
        if pronoun_kind == "thing" and any(map(self._is_topic, texts)):
            return next(m.text for m in mentions if self._is_topic(m.text))
        main = [m for m in mentions if m.main]
        subjects = {m.text for m in mentions if m.subject}
        if len(main) != 1 or (pronoun_kind != "many" and len(subjects) > 1):
            return None
        definite = [m for m in mentions if not m.subject and m.text.lower().startswith(("the ", "its "))]
        return None if pronoun_kind == "thing" and definite else main[0].text or None


class _Mention(NamedTuple):
    position: int
    kind: str
    text: str
    """'' if it cannot be named; a pronoun may still refer to it, and is then unresolved."""
    main: bool
    """Whether it is the subject of the main clause."""
    subject: bool


def _governors(token: Token) -> frozenset[Token]:
    """The verbs whose subject the pronoun cannot refer to, because it depends on them."""
    if token.dep_ in ("nsubj", "nsubjpass"):
        return frozenset({token.head})
    if token.dep_ not in ("dobj", "pobj", "dative"):
        return frozenset()
    node = token.head.head if token.head.dep_ in ("prep", "agent", "dative") else token.head
    found = {node}
    while node.dep_ in ("xcomp", "pcomp", "prep", "conj", "advcl", "ccomp") and node.head != node:
        if any(c.dep_ in ("nsubj", "nsubjpass") for c in node.children):
            break
        node = node.head
        found.add(node)
    return frozenset(found)


def _bound(token: Token, tokens: Sequence[Token]) -> bool:
    """Whether the phrase itself contains the pronoun's antecedent (`that Tesla said he left`)."""
    return any(t.i < token.i and t.pos_ == "PROPN" and t.dep_ in ("nsubj", "nsubjpass") for t in tokens)


def _capitalised(text: str) -> frozenset[str]:
    words = (w.strip(",.;:()\"'") for w in text.split())
    return frozenset(w for w in words if w[:1].isupper() and w.lower() not in ("the", "a", "an"))


def _names_in(title: str) -> frozenset[str]:
    """The words of a title that are names; the first word, always capitalised, counts only with another."""
    words = title.split()
    first = 1 if (len(words) > 1 and not words[1][:1].isupper()) or len(words) == 1 else 0
    return _capitalised(" ".join(words[first:]))


def points_elsewhere(token: Token) -> bool:
    """Whether the word refers to something outside its sentence that is not resolved here."""
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
    if word in ("both", "other") and token.dep_ in ("det", "predet", "amod") and token.head.dep_ in _SUBJECT:
        return (word == "both" and not any(c.dep_ in ("prep", "conj") for c in token.head.children)) or (
            word == "other" and any(c.lower_ == "the" for c in token.head.children)
        )
    if token.dep_ == "nummod" and token.head.dep_ in _SUBJECT and token.head.tag_ == "NNS":
        alone = len(list(token.head.subtree)) == _COUNT_AND_NOUN and token.i == token.head.i - 1
        return alone and token.ent_type_ != "DATE"
    if word == "same" and token.dep_ == "amod":
        return not any(c.dep_ in ("prep", "relcl") for c in token.head.children)
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
    """The kind of a noun: `person`, `thing`, `name` or `many`."""
    if any(c.dep_ == "conj" for c in noun.children) or noun.tag_ in ("NNS", "NNPS"):
        return "many"
    if noun.ent_type_ == "PERSON" or noun.lemma_.lower() in HUMAN:
        return "person"
    return "name" if noun.pos_ == "PROPN" and not noun.ent_type_ else "thing"


def _owner(name: str) -> str:
    return f"{name}'" if name.endswith("s") else f"{name}'s"
