"""Extracts what users stated about themselves, their people, things, plans and work, as sentences that can be
understood alone.

`I moved to Bern in May`, said in June 2023, becomes `Ann moved to Bern in May 2023.` Precision comes first:
what cannot be understood outside the conversation is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from agent.nights.statements.clause_parts import ClauseParts, clause_parts
from agent.nights.statements.dates import DatePhrase, date_phrases, latest_end
from agent.nights.statements.mentions import PRONOUNS, Mentions
from agent.nights.statements.names import given_name
from agent.nights.statements.ownership import (
    claims_about_others,
    concerns_speaker,
    is_theirs,
    names_made_known,
)
from agent.nights.statements.sentence_split import parse_clauses
from agent.nights.statements.stated_clauses import clause_verbs, listens, speaks, stated_verbs
from agent.nights.statements.third_person import ThirdPerson, owner
from agent.nights.statements.utterances import NAME_OF_USER, THE_USER, Utterance, unnamed
from agent.nights.statements.words import OWN_PEOPLE, words_of
from memory.ingest.propositions.phrases import noun_phrase
from memory.ingest.propositions.predicates import negation_of
from memory.ingest.propositions.prose import prose
from memory.language.text import key
from memory.records.base import digest_of
from memory.records.interactions import speaker_id
from memory.records.nights import Statement

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

SHORTEST, LONGEST = 3, 45
"""In words, of a statement."""
LONGEST_MESSAGE = 4000
"""Characters of a message that are read; longer ones are pasted documents rather than talk."""
_QUOTED_LINE = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
_PICTURES = re.compile(r"[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f]+|(?<!\w)[:;]-?[)(DP](?!\w)")
_CASUAL = (
    (re.compile(r"(?<=\w)\s&\s(?=\w)"), " and "),
    (re.compile(r"(?<=\bname)'s(?=\s+[A-Z])"), " is"),
    (re.compile(r"(?:^|(?<=[.!?]\s))gonna\b", re.IGNORECASE), "I am going to"),
    (re.compile(r"\bgonna\b", re.IGNORECASE), "going to"),
    (re.compile(r"\bwanna\b", re.IGNORECASE), "want to"),
    (re.compile(r"\b(?:have |'ve )?gotta\b", re.IGNORECASE), "have to"),
)
"""Spellings of speech, which the parser does not know."""
_REPEATS = re.compile(r"\b(?:every|each|birthday|anniversary)\b", re.IGNORECASE)


def extract_statements(
    utterances: Sequence[Utterance], names: Mapping[str, str] = MappingProxyType({})
) -> tuple[Statement, ...]:
    """The statements in the messages, in order. Blocks, because it parses: about 20 ms a message.

    Messages of one unit should come together and oldest first: later ones build on earlier ones. `names` are
    those that users gave themselves earlier, by `speaker_id`.
    """
    found: list[Statement] = []
    called = dict(names)
    known: dict[tuple[str, str], set[str]] = {}
    texts = [(text, utterance) for utterance in utterances for text in prose(_readable(utterance.text))]
    for utterance, sentences in groupby(parse_clauses(texts), key=lambda parsed: parsed[1]):
        theirs = known.setdefault((speaker_id(utterance.unit, utterance.owner), utterance.speaker), set())
        message = _Message(utterance, theirs, called)
        for sentence, _ in sentences:
            found += message.read(sentence)
    return tuple(found)


def _readable(text: str) -> str:
    """The message without quoted lines and pictures, with one kind of apostrophe."""
    plain = _PICTURES.sub(" ", _QUOTED_LINE.sub("", text[:LONGEST_MESSAGE])).replace("\u2019", "'")
    for pattern, replacement in _CASUAL:
        plain = pattern.sub(replacement, plain)
    return plain


class _Message:
    """One message while it is read, with what it has mentioned so far."""

    def __init__(self, utterance: Utterance, known: set[str], called: dict[str, str]) -> None:
        self._utterance = utterance
        self._known = known
        self._called = called
        """Names that users without a name gave themselves, by `speaker_id`."""
        self._anonymous = utterance.speaker == THE_USER
        self._user = speaker_id(utterance.unit, utterance.owner)
        self._speaker = called.get(self._user, THE_USER) if self._anonymous else utterance.speaker
        self._mentions = Mentions()
        self._writer = ThirdPerson(self._speaker, utterance.listener, self._mentions)
        self._sentence = -1

    def read(self, sentence: Span) -> Iterator[Statement]:
        """The statements of the next sentence."""
        self._sentence += 1
        if any(t.lemma_.lower() in words_of("household") | words_of("home") for t in sentence):
            self._writer.come_home()
        self._mention(sentence)
        introduction = given_name(sentence) if self._anonymous else None
        if introduction is not None:
            yield self._introduced(introduction[1], sentence)
        for verb in stated_verbs(sentence):
            statement = None if introduction and verb == introduction[0] else self._statement(verb)
            if statement is not None:
                yield statement

    def _introduced(self, name: str, sentence: Span) -> Statement:
        """The statement of the speaker's name, by which they are called from now on."""
        self._speaker = self._called[self._user] = name
        self._writer.rename(name)
        written = _Written(f"{NAME_OF_USER} is {name}", NAME_OF_USER, "is", name)
        return self._made(written, sentence, (), None)

    def _statement(self, verb: Token) -> Statement | None:
        parts = clause_parts(verb, clause_verbs(verb.sent), listener=self._utterance.listener)
        if parts is None or not self._may_be_said(parts):
            return None
        dates = self._dates(parts)
        announced = not parts.past and any(d.relative for d in dates)
        subject_words = parts.subject_tokens
        theirs = (
            is_theirs(parts.subject, subject_words, known=self._known, announced=announced)
            or self._continues(subject_words)
            or concerns_speaker(parts.subject, verb)
        )
        if not theirs:
            return None
        if claims_about_others(verb, self._known):
            return None
        written = self._written(parts, dates)
        if written is None or not SHORTEST <= len(written.text.split()) <= LONGEST:
            return None
        self._known |= names_made_known(verb, parts.subject, [*subject_words, *parts.predicate])
        until = None if parts.past else latest_end(dates)
        return self._made(written, verb.sent, dates, until)

    def _continues(self, tokens: Sequence[Token]) -> bool:
        """Whether a pronoun in the subject stands for something of the speaker's, such as their daughter."""
        pronouns = [t for t in tokens if t.pos_ == "PRON" and t.lower_ in PRONOUNS]
        return any(self._names_theirs(self._mentions.referent(t, self._sentence) or "") for t in pronouns)

    def _names_theirs(self, text: str) -> bool:
        names = {owner(self._speaker), *self._known}
        return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) for name in names)

    def _may_be_said(self, parts: ClauseParts) -> bool:
        """Nothing about the listener: offers, requests, praise and advice."""
        if any(listens(t) for t in parts.subject_tokens):
            return False
        negated = bool(negation_of(parts.verb))
        spoken_to = any(listens(t) for t in parts.predicate)
        return not (spoken_to and (negated or self._utterance.listener is None))

    def _dates(self, parts: ClauseParts) -> tuple[DatePhrase, ...]:
        sentence = parts.verb.sent
        if _REPEATS.search(sentence.text):
            return ()
        day = self._utterance.said_at.date()
        offset = sentence.start_char
        found = date_phrases(sentence.text, day, past=parts.past)
        moved = (d._replace(start=d.start + offset, end=d.end + offset) for d in found)
        words = [*parts.subject_tokens, *parts.predicate]
        return tuple(d for d in moved if any(d.start <= t.idx < d.end for t in words))

    def _written(self, parts: ClauseParts, dates: tuple[DatePhrase, ...]) -> _Written | None:
        subject = self._subject(parts, dates)
        if subject is None:
            return None
        singular = parts.subject is None or self._writer.becomes_singular(parts.subject)
        finite = parts.finite if parts.agrees and singular else None
        text = self._write(parts, parts.predicate, dates, finite)
        if text is None and (shorter := self._without_vague(parts, dates)) is not None:
            text = self._write(parts, shorter, dates, finite)
        group = [t for t in parts.group if not any(d.start <= t.idx < d.end for d in dates)]
        relation = self._write(parts, group, dates, finite)
        object_ = self._write(parts, parts.object_tokens, dates, None)
        if not text or not relation or not object_:
            return None
        relation, object_ = _with_preposition(relation, object_)
        if parts.own_subject:
            tokens = sorted([*parts.subject_tokens, *parts.predicate], key=lambda t: t.i)
            fronted = [t for t in parts.predicate if t.i < parts.subject_tokens[0].i]
            if fronted:
                whole = self._write(parts, tokens, dates, finite)
                return None if whole is None else _Written(whole, subject, relation, object_)
        if parts.dropped:
            text, relation = (t[:1].lower() + t[1:] for t in (text, relation))
        return _Written(f"{subject} {text}", subject, relation, object_)

    def _subject(self, parts: ClauseParts, dates: tuple[DatePhrase, ...]) -> str | None:
        if parts.subject is None:
            return self._speaker
        text = self._writer.write(
            parts.subject_tokens,
            sentence=self._sentence,
            dates=dates,
            own_subject=False,
            subject=parts.subject,
        )
        article = next((c for c in parts.subject.children if c.dep_ == "det" and c.lower_ == "the"), None)
        if text and article is not None and parts.subject.lemma_.lower() in OWN_PEOPLE:
            return f"{owner(self._speaker)} {text[4:]}"
        return text

    def _write(
        self, parts: ClauseParts, tokens: Sequence[Token], dates: tuple[DatePhrase, ...], finite: Token | None
    ) -> str | None:
        return self._writer.write(
            tokens, sentence=self._sentence, dates=dates, subject=parts.subject, finite=finite
        )

    def _without_vague(self, parts: ClauseParts, dates: tuple[DatePhrase, ...]) -> list[Token] | None:
        """The predicate without the optional parts that cannot be understood alone; None if all can."""
        vague = [
            part for part in parts.optional if self._write(parts, list(part.subtree), dates, None) is None
        ]
        left_out = {t for part in vague for t in part.subtree}
        return [t for t in parts.predicate if t not in left_out] if left_out else None

    def _made(
        self, written: _Written, sentence: Span, dates: tuple[DatePhrase, ...], until: datetime | None
    ) -> Statement:
        said = self._utterance
        text = written.text[:1].upper() + written.text[1:] + "."
        valid_until = until if until is not None and until > said.said_at else None
        subject, object_ = written.subject, written.object
        if self._anonymous and subject != NAME_OF_USER:  # the same as before they gave their name
            subject, object_ = unnamed(subject, self._speaker), unnamed(object_, self._speaker)
        return Statement(
            id=statement_id(
                said.unit, subject, written.relation, object_, [*(d.text for d in dates), valid_until]
            ),
            domain=said.domain,
            unit=said.unit,
            owner=said.owner,
            speaker=self._speaker,
            text=text,
            quote=" ".join(sentence.text.split()),
            subject=written.subject,
            relation=written.relation,
            object=written.object,
            said_at=said.said_at,
            valid_until=valid_until,
            interaction_id=said.id,
        )

    def _mention(self, sentence: Span) -> None:
        """Remembers the nouns of the sentence, under names that others can understand."""
        for token in sentence:
            together = {t.lower_ for t in (token, *token.conjuncts)}
            tokens = noun_phrase(token, core=True) if token.pos_ in ("NOUN", "PROPN", "PRON") else []
            if not tokens or token.dep_ in ("compound", "poss", "npadvmod", "conj", "attr", "acomp"):
                continue
            text = self._writer.write(tokens, sentence=self._sentence, own_subject=False)
            if "i" in together and len(together) > 1 and text:
                self._writer.meet(text)
            if token.pos_ == "PRON" or token.dep_ == "appos":
                continue
            self._mentions.add(token, self._sentence, self._named(token, text or ""))

    def _named(self, noun: Token, text: str) -> str:
        """The text by which later sentences may name the noun; '' if they cannot."""
        article = next((c for c in noun.children if c.dep_ == "det"), None)
        if article is not None and article.lower_ in ("a", "an", "the"):
            verb = noun.head
            subject = next((c for c in verb.children if c.dep_ == "nsubj"), None)
            theirs = verb.lemma_.lower() in words_of("acquiring") and subject is not None and speaks(subject)
            if article.lower_ == "the":
                theirs = noun.lemma_.lower() in OWN_PEOPLE
            return f"{owner(self._speaker)} {text.partition(' ')[2]}" if theirs and text else ""
        return text if noun.pos_ == "PROPN" or self._names_theirs(text) else ""


class _Written(NamedTuple):
    text: str
    subject: str
    relation: str
    object: str


def statement_id(
    unit: str, subject: str, relation: str, object_: str, validity: Sequence[str | datetime | None]
) -> str:
    """The id of a statement: the same for the same content of the same unit, whenever it is said."""
    when = [str(each) for each in validity if each is not None]
    return digest_of([unit, key(subject), key(relation), key(object_), when])[:32]


def _with_preposition(relation: str, object_: str) -> tuple[str, str]:
    """Moves the preposition before a date from the object to the relation: `ships`, `on Friday`."""
    first, _, rest = object_.partition(" ")
    if first in ("on", "in", "by", "until", "at", "from", "since") and rest[:1].isalnum() and relation:
        return f"{relation} {first}", rest
    return relation, object_
