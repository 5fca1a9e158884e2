"""Chooses the question word for a phrase (`who`, `in what year`) by entity type, noun and preposition."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from agent.learning.questions import noun_kinds
from agent.learning.questions.askable_spans import time_word
from memory.ingest.propositions.phrases import written
from memory.language.clauses import Argument, Phrase
from memory.records.curricula import Form

if TYPE_CHECKING:
    from spacy.tokens import Token

_PLACES = frozenset({"GPE", "LOC", "FAC"})
_AT_PLACES = frozenset(
    {"in", "at", "on", "near", "inside", "within", "outside", "around", "across", "throughout"}
)
_WHERE = frozenset({"inside", "outside", "near", "beneath", "beside", "underneath"})
_WHEN = frozenset({"in", "on", "at", "during", "around", "by", "throughout"})
_DURATION = re.compile(
    r"\b(?:year|month|week|day|hour|minute|second|decade|centur)(?:s|ies|y)?\b", re.IGNORECASE
)
_YEAR = re.compile(r"\b(?:1\d{3}|20\d\d)\b")
_YEARS = re.compile(r"(?:about |around )?(?:1\d{3}|20\d\d)s?(?:[-\u2013]\d{2,4})?")
_MONTH = re.compile(
    r"(?:(?:early|late|mid) )?(?:January|February|March|April|May|June|July|August|September|October"
    r"|November|December)\b(?! [A-Z])"
)
_AGO = re.compile(
    r"\b(?:ago|last|next|this|early|late|mid|same|following|previous|end|beginning|start)\b", re.IGNORECASE
)
ENTITIES: dict[str, tuple[str, Form]] = {
    "MONEY": ("how much money", "how_much"),
    "PERCENT": ("what percentage", "how_much"),
}
"""Question phrase and form for amounts."""
_MOMENT = re.compile(
    r"(?:the|that|this|its) (?:\w+ )?(?:time|start|end|beginning|outbreak|moment|turn|date|age)\b"
)
_UNMOVED = frozenset({"as", "of", "like", "than", "by", "out of", "up to", "at", "about"})
"""Prepositions that stay at the end of a question."""
_WHY = frozenset({"because", "because of", "due to", "owing to", "thanks to"})
NOT_ASKED = frozenset(
    {"despite", "except", "per", "including", "than", "instead", "besides", "unlike", "like", "according"}
)
"""Last words of prepositions whose objects are not asked for."""
_VAGUE = frozenset(
    {"case", "way", "thing", "example", "respect", "sense", "fact", "purpose", "reason", "term"}
)
"""Nouns too vague to ask for."""
_STATE_WORDS = """
    include contain consist comprise involve mean be have become remain refer represent describe result cause
    last lie stand"""
_STATES = frozenset(_STATE_WORDS.split())
"""Verbs of state, whose subject does not act."""
_HOW = frozenset({"through", "via", "using", "by means"})


class QuestionPhrase(NamedTuple):
    """A question phrase (`in what year`, `who`), the question's form, and a stranded preposition."""

    word: str
    form: Form
    stranded: str = ""


def entity_type(phrase: Phrase) -> str:
    """spaCy's entity type of the phrase's head; "" for none."""
    return str(phrase.head.ent_type_)


def is_human(phrase: Phrase) -> bool:
    """Whether the phrase denotes a person or people."""
    return noun_kinds.is_human(phrase.head)


def for_subject(phrase: Phrase, *, acts: bool = False) -> tuple[QuestionPhrase, ...]:
    """Question phrases for a subject or object, plainest first; `acts` if it is an acting subject."""
    label, head = entity_type(phrase), phrase.head
    if re.search(r"^(?:\w+ ){0,3}[\d.]+ ?(?:%|per ?cent)", phrase.text):
        label = "PERCENT"
    if label in ("MONEY", "PERCENT"):
        return (QuestionPhrase(*ENTITIES[label]),)
    if label in ("DATE", "TIME"):
        time = time_word(head)
        return (QuestionPhrase(time[0], "when"),) if time else (QuestionPhrase("what", "what"),)
    several = any(c.dep_ == "conj" for c in head.children)
    if is_human(phrase):
        phrases = [QuestionPhrase("who", "who")]
        if label == "PERSON" and not several and not noun_kinds.words_of_description(head):
            phrases.append(QuestionPhrase("which person", "who"))
        return tuple(phrases)
    plain = not several and _whole_name(phrase) and not noun_kinds.words_of_description(head)
    named = noun_kinds.kind_of_noun(head) if plain else ""
    acts = acts and head.head.lemma_ not in _STATES
    if acts and not named and label in ("ORG", "GPE", "NORP") and (" " in phrase.text or head.text.isupper()):
        return (QuestionPhrase("who", "who"),)
    if not named:
        return (QuestionPhrase("what", "what"),)
    typed = [QuestionPhrase(f"which {named}", "which"), QuestionPhrase(f"what {named}", "which")]
    if label == "ORG" and acts:
        return (typed[0], QuestionPhrase("who", "which"), typed[1])
    if label in ("WORK_OF_ART", "PRODUCT", "EVENT", "LAW", ""):
        return (QuestionPhrase("what", "what"), *typed)
    return tuple(typed)


def _whole_name(phrase: Phrase) -> bool:
    """Whether the phrase is a name and little else."""
    return len(phrase.text.split()) <= 7 and phrase.head.right_edge.idx < phrase.end + 1


def for_argument(argument: Argument) -> tuple[QuestionPhrase, ...]:
    """Question phrases for an argument, plainest first; empty if it should not be asked for."""
    phrase, marker = argument.phrase, argument.marker
    if argument.role == "complement" and phrase.head.head.lemma_ in ("name", "call", "title", "dub"):
        return (QuestionPhrase("what", "what"),)
    if phrase.head.pos_ == "PRON" or phrase.text.lower().startswith("no ") or marker == "as with":
        return ()
    if argument.role in ("object", "complement", "receiver"):
        return for_subject(phrase)
    if argument.role == "agent":
        who = for_subject(phrase, acts=True)
        return (*(QuestionPhrase(a.word, a.form, "by") for a in who),)
    if argument.role == "infinitive" and phrase.text.startswith(("be ", "have ")):
        return ()
    if argument.role == "infinitive":
        return (QuestionPhrase("what", "what", "to do"),)
    if argument.role == "clause":
        return (
            ()
            if phrase.text.split()[0].lower() in ("what", "which", "who", "how")
            else (QuestionPhrase("what", "what"),)
        )
    if argument.role == "measure":
        doc, last = phrase.head.doc, phrase.head.right_edge.i + 1
        if last < len(doc) and doc[last].lower_ in ("after", "before", "later", "ago", "earlier", "since"):
            return ()
        return _time(phrase, "")
    if argument.role == "adverbial":
        return _adverbial(argument)
    if argument.role == "prepositional":
        return _prepositional(phrase, marker)
    return ()


def _prepositional(phrase: Phrase, marker: str) -> tuple[QuestionPhrase, ...]:
    last = marker.split()[-1]
    if marker == "as of":
        return (QuestionPhrase("as of when", "when"),)
    if marker.startswith("according"):
        return ()
    if marker in _WHY:
        return (QuestionPhrase("why", "why"), QuestionPhrase("for what reason", "why"))
    if entity_type(phrase) in ("DATE", "TIME") or _YEARS.fullmatch(phrase.text) or _MONTH.match(phrase.text):
        return _time(phrase, marker)
    named = (
        noun_kinds.kind_of_noun(phrase.head)
        if not any(c.dep_ == "conj" for c in phrase.head.children)
        else ""
    )
    if entity_type(phrase) in _PLACES and marker in _AT_PLACES:
        typed = [
            QuestionPhrase(f"{marker} which {named}", "where"),
            QuestionPhrase(f"{marker} what {named}", "where"),
        ]
        return (QuestionPhrase("where", "where"), *(typed if named and marker in ("in", "at", "on") else ()))
    if entity_type(phrase) in _PLACES and marker in ("to", "into", "from", "through"):
        place = named or "place"
        ends = (
            (QuestionPhrase("where", "where", marker if marker == "from" else ""),)
            if marker in ("to", "from")
            else ()
        )
        return (*ends, QuestionPhrase(f"{marker} which {place}", "where"))
    if phrase.head.tag_ == "VBG" and marker == "by":
        return (QuestionPhrase("how", "how"), QuestionPhrase("in what way", "how"))
    if marker in _HOW:
        return (QuestionPhrase("how", "how"), QuestionPhrase(f"{marker} what", "how"))
    if marker in _WHERE:
        return (QuestionPhrase("where", "where"),)
    phrases = for_subject(phrase)
    who = phrases[0]
    if (
        last in NOT_ASKED
        or _is_idiom(phrase, marker)
        or phrase.head.pos_ == "PRON"
        or phrase.head.lemma_ in _VAGUE
    ):
        return ()
    if who.form == "who":
        return (QuestionPhrase("who", "who", marker), QuestionPhrase(f"{marker} whom", "who"))
    if who.form != "what":  # `which company`, `how much money`
        word = who.word
        return (QuestionPhrase(word, who.form, marker), QuestionPhrase(f"{marker} {word}", who.form))
    fronted = QuestionPhrase(f"{marker} what", "what")
    if marker in (
        "during",
        "after",
        "before",
        "since",
        "until",
        "following",
        "under",
        "between",
        "among",
        "upon",
    ):
        when = marker in ("during", "after", "before")
        return (*((QuestionPhrase("when", "when"),) if when else ()), fronted)
    if marker in ("at", "around", "by", "towards") and _MOMENT.match(phrase.text):
        return (QuestionPhrase("when", "when"), QuestionPhrase(f"{marker} what time", "when"))
    if marker in _UNMOVED:
        return (QuestionPhrase("what", "what", marker),)
    return (QuestionPhrase("what", "what", marker), fronted)


def _is_idiom(phrase: Phrase, marker: str) -> bool:
    """Whether preposition and bare noun form an adverb: `by default`, `on loan`, `in accordance`."""
    noun = phrase.head
    described = any(c.dep_ in ("det", "poss", "amod", "compound", "nummod") for c in noun.children)
    return (
        noun.tag_ == "NN"
        and not described
        and not noun.ent_type_
        and marker in ("in", "on", "by", "at", "under")
    )


def _time(phrase: Phrase, marker: str) -> tuple[QuestionPhrase, ...]:
    text = phrase.text
    year = _YEAR.search(text)
    if (
        not year
        and _DURATION.search(text)
        and not _AGO.search(text)
        and marker in ("", "for", "over", "within", "in")
    ):
        if re.match(r"(?:every|each|once|twice|per)\b", text, re.IGNORECASE):
            return (QuestionPhrase("how often", "how"),)
        return (
            (QuestionPhrase("how long", "how_much"), QuestionPhrase("for how long", "how_much"))
            if marker in ("", "for")
            else (QuestionPhrase(f"{marker} what period", "when"),)
        )
    if entity_type(phrase) not in ("DATE", "TIME") and not year and not _MONTH.match(text):
        return ()
    if marker in ("since", "until", "from", "after", "before", "between"):
        phrases = (
            [QuestionPhrase(f"{marker} when", "when")]
            if marker in ("since", "until", "from")
            else [QuestionPhrase("when", "when")]
        )
    else:
        phrases = [QuestionPhrase("when", "when")]
    time = time_word(phrase.head)
    if time is not None and marker in ("in", "on", "during", "by", "since", "until", "from", ""):
        before = marker or "in"
        phrases.append(QuestionPhrase(f"{'on' if time[0] == 'what date' else before} {time[0]}", "when"))
        if time[0] == "what year" and marker == "in":
            phrases.append(QuestionPhrase("what year", "when"))
    elif entity_type(phrase) == "TIME" and marker == "at":
        phrases.append(QuestionPhrase("at what time", "when"))
    return tuple(phrases)


def _adverbial(argument: Argument) -> tuple[QuestionPhrase, ...]:
    if argument.marker == "because" or (
        argument.marker in ("since", "as") and not _YEAR.search(argument.text)
    ):
        return (
            (QuestionPhrase("why", "why"), QuestionPhrase("for what reason", "why"))
            if argument.marker != "as"
            else ()
        )
    if argument.marker == "to":
        return (QuestionPhrase("why", "why"), QuestionPhrase("for what purpose", "why"))
    if argument.marker in ("when", "once", "whenever", "after", "before", "until", "if"):
        return (
            (QuestionPhrase("when", "when"), QuestionPhrase("under what condition", "when"))
            if argument.marker != "until"
            else (QuestionPhrase("until when", "when"),)
        )
    return ()


def count_of(head: Token) -> tuple[str, str] | None:
    """Number and counted noun of a phrase such as `about 24 interceptions`; None if nothing is counted."""
    numeral = next((c for c in head.children if c.dep_ == "nummod" and c.i < head.i), None)
    if numeral is None or head.ent_type_ in ("DATE", "TIME") or not (numeral.like_num or numeral.ent_type_):
        return None
    if head.tag_ not in ("NNS", "NNPS", "NN"):
        return None
    tokens = sorted(numeral.subtree, key=lambda t: t.i)
    return written(tokens), head.text
