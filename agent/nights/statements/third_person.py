"""Writes what somebody said in the third person: names for `I` and `you`, dates for `tomorrow`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from agent.nights.statements.dates import DatePhrase
from agent.nights.statements.mentions import POSSESSIVE, PRONOUNS, Mentions
from agent.nights.statements.stated_clauses import listens, speaks
from memory.ingest.propositions.coreference import points_elsewhere
from memory.ingest.propositions.predicates import SUBJECTS
from memory.language.verb_groups import base_form, inflected

if TYPE_CHECKING:
    from spacy.tokens import Token

_SPELLED = {
    "'m": "am", "m": "am", "'re": "are", "re": "are", "'ve": "have", "ve": "have",
    "'ll": "will", "ll": "will",
    "n't": "not", "nt": "not", "ca": "can", "wo": "will", "'d": "had", "'bout": "about", "&": "and",
    "cuz": "because", "'cause": "because", "w/": "with",
}  # fmt: skip
_SHORT_AUXILIARIES = frozenset({"m", "re", "ve", "ll", "nt", "ca", "wo"})
"""Also words of their own, unless they are parts of a contraction."""
_GROUP_SUBJECTS = frozenset({"we"})
_OBJECTS = frozenset({"me", "us"})
_OWN = frozenset({"my", "our"})
_ALONE = frozenset({"mine", "ours", "yours"})
_REFLEXIVE = frozenset({"myself", "ourselves", "yourself"})


class ThirdPerson:
    """Writes the clauses of one message; pronouns are resolved by its `mentions`."""

    def __init__(self, speaker: str, listener: str | None, mentions: Mentions) -> None:
        self._speaker = speaker
        self._listener = listener
        self._mentions = mentions
        self._met: str | None = None
        self._at_home = listener is not None

    def rename(self, speaker: str) -> None:
        """From now on the speaker has this name."""
        self._speaker = speaker

    def meet(self, together: str) -> None:
        """From now on `we` are these, such as `Ann's wife and Ann`."""
        self._met = together

    def come_home(self) -> None:
        """From now on `we` are not the speaker's team: the message is about their home or leisure."""
        self._at_home = True

    @property
    def _group(self) -> str:
        """Who `we` are: to the assistant people speak of their team, to each other of anybody."""
        if self._met is not None:
            return self._met
        return f"{self._speaker} and others" if self._at_home else f"{owner(self._speaker)} team"

    def becomes_singular(self, subject: Token) -> bool:
        """Whether the verb of `I`, `we` or `you` takes the third person singular."""
        if any(c.dep_ == "conj" for c in subject.children):
            return False
        team = subject.lower_ == "we" and self._met is None and not self._at_home
        return team or subject.lower_ == "i" or (listens(subject) and self._listener is not None)

    def write(
        self,
        tokens: Sequence[Token],
        *,
        sentence: int,
        dates: Collection[DatePhrase] = (),
        subject: Token | None = None,
        finite: Token | None = None,
        own_subject: bool = True,
    ) -> str | None:
        """The tokens as text; None if something in them cannot be understood elsewhere.

        `subject` is the clause's subject, to which possessives may refer, and None if the speaker is meant
        without a word; `finite` is the verb that has to agree with a speaker or listener as subject. Without
        `own_subject`, the tokens are only a part of the clause, such as its subject.
        """
        agreeing = self._agreeing(tokens)
        if finite is not None and (form := third_person_form(finite)) is not None:
            agreeing[finite.i] = form
        pieces: list[str] = []
        written: set[DatePhrase] = set()
        speakers_clause = own_subject and (subject is None or speaks(subject))
        for token in tokens:
            phrase = next((d for d in dates if d.start <= token.idx < d.end), None)
            if phrase is not None:
                if phrase not in written:
                    pieces += [" ", phrase.text, " "]
                    written.add(phrase)
                continue
            text = self._word(token, sentence, subject, speakers_clause, own_subject)
            if text is None:
                return None
            if token.i in agreeing:
                text = agreeing[token.i]
            spelled = text != token.text and token.text not in (",", ".")
            pieces += [" " if spelled else "", text, " " if spelled or _gap(token, tokens) else ""]
        return tidy("".join(pieces))

    def _word(
        self, token: Token, sentence: int, subject: Token | None, speakers_clause: bool, own_subject: bool
    ) -> str | None:
        word = token.lower_.replace("\u2019", "'")
        if speaks(token):
            return self._person(word, self._speaker, speakers_clause and not _within(token, subject))
        if listens(token):
            if self._listener is None:
                return None
            name = word in ("your", "ur", "yours")
            return owner(self._listener) if name else self._listener
        if token.pos_ == "PRON" and word in PRONOUNS:
            return self._third(token, word, sentence, subject, speakers_clause, own_subject)
        if points_elsewhere(token):
            return _article(token) if shows(token) and token.head.dep_ not in SUBJECTS else None
        return spelled_word(token)

    def _person(self, word: str, name: str, again: bool) -> str:
        """The speaker's name for `I`, `me` or `my`; `again` if they are the clause's subject already."""
        if word in _OWN:
            return "their" if again else owner(name)
        if word in _ALONE:
            return owner(name)
        if word in _REFLEXIVE:
            return "themselves" if again else name
        return self._group if word in ("we", "us") else name

    def _third(
        self,
        token: Token,
        word: str,
        sentence: int,
        subject: Token | None,
        speakers_clause: bool,
        own_subject: bool,
    ) -> str | None:
        bound = own_subject and not speakers_clause and not _within(token, subject)
        if bound and (word in POSSESSIVE or word.endswith(("self", "selves"))):
            return token.text
        referent = self._mentions.referent(token, sentence)
        if referent is None:
            return None
        return owner(referent) if word in POSSESSIVE and token.dep_ == "poss" else referent

    def _agreeing(self, tokens: Sequence[Token]) -> dict[int, str]:
        """The verbs whose subject becomes singular, with their new forms."""
        found: dict[int, str] = {}
        for token in tokens:
            if token.dep_ not in SUBJECTS or not self.becomes_singular(token):
                continue
            finite = finite_verb(token.head)
            if (form := third_person_form(finite)) is not None:
                found[finite.i] = form
        return found


def finite_verb(verb: Token) -> Token:
    """The word of the verb group that agrees with the subject."""
    auxiliaries = [c for c in verb.children if c.dep_ in ("aux", "auxpass") and c.i < verb.i]
    return auxiliaries[0] if auxiliaries else verb


def third_person_form(finite: Token) -> str | None:
    """The form after a singular name, such as `goes` for `go`; None if it stays."""
    word = finite.lower_.replace("\u2019", "'")
    if word in ("am", "are", "'m", "'re", "m", "re"):
        return "is"
    if word in ("was", "were"):
        return "was"
    if word in ("have", "'ve", "ve"):
        return "has" if finite.tag_ != "VB" or finite.dep_ != "xcomp" else None
    if word == "do":
        return "does"
    bare = finite.tag_ == "VB" and not any(c.dep_ == "aux" for c in finite.children)
    if finite.tag_ == "VBP" or (bare and finite.dep_ in ("ROOT", "conj", "ccomp")):
        return inflected(base_form(finite), "VBZ")
    return None


def spelled_word(token: Token) -> str:
    """The word, with contractions spelled out."""
    word = token.lower_.replace("\u2019", "'")
    if word in ("'s", "s") and token.pos_ in ("AUX", "VERB"):
        return "has" if token.dep_ == "aux" and token.head.tag_ == "VBN" else "is"
    if word in _SHORT_AUXILIARIES and token.i > 0 and token.nbor(-1).whitespace_ and word not in ("ca", "wo"):
        return token.text
    return _SPELLED.get(word, token.text)


def tidy(text: str) -> str:
    """The text with single spaces, and without marks at its ends."""
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s+([,.;:!?%)])", r"\1", text)
    text = re.sub(r"([,;:])(?:\s*[,;:])+", r"\1", text)
    if text.count('"') % 2:
        text = text.replace('"', "")
    return text.strip(" ,;:.!-\u2013\u2014")


def shows(token: Token) -> bool:
    """Whether `this` or `that` points at something that the sentence describes: `that painting of a lake`."""
    describing = ("amod", "compound", "prep", "relcl", "acl")
    described = any(c.dep_ in describing for c in token.head.children)
    return token.dep_ == "det" and token.lower_ in ("this", "that", "these", "those") and described


def _article(token: Token) -> str:
    """The indefinite article in place of `this` or `that`; none in the plural."""
    if token.lower_ in ("these", "those") or token.head.tag_ in ("NNS", "NNPS"):
        return ""
    return "an" if token.nbor().lower_[:1] in "aeiou" else "a"


def _gap(token: Token, tokens: Sequence[Token]) -> bool:
    """Whether a space follows: there was one, or the next tokens are left out."""
    following = next((t for t in tokens if t.i > token.i), None)
    return bool(token.whitespace_) or (following is not None and following.i != token.i + 1)


def _within(token: Token, subject: Token | None) -> bool:
    return subject is not None and (token == subject or subject.is_ancestor(token))


def owner(name: str) -> str:
    """The possessive of a name."""
    return f"{name}'" if name.endswith("s") else f"{name}'s"


def names_in(tokens: Sequence[Token]) -> Iterator[Token]:
    """The names among the tokens that are no places, peoples or languages: those the world knows."""
    for token in tokens:
        if token.pos_ == "PROPN" and token.ent_type_ not in (
            "GPE",
            "LOC",
            "NORP",
            "LANGUAGE",
            "DATE",
            "TIME",
        ):
            yield token
