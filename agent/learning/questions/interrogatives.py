"""Which question word asks for a phrase: by its entity, its noun and the preposition before it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from memory.ingest.propositions.grammar import Argument, Phrase
from memory.ingest.propositions.parser import is_code
from memory.ingest.propositions.phrases import written
from memory.ingest.propositions.referents import HUMAN, PEOPLE
from memory.records import Form

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
_AGO = re.compile(
    r"\b(?:ago|last|next|this|early|late|mid|same|following|previous|end|beginning|start)\b", re.IGNORECASE
)
_TYPED = {
    "ORG": "which organization",
    "GPE": "which place",
    "LOC": "which place",
    "NORP": "which group",
    "WORK_OF_ART": "which work",
    "EVENT": "which event",
    "LANGUAGE": "which language",
    "LAW": "which law",
}
ENTITIES: dict[str, tuple[str, Form]] = {
    "PERSON": ("who", "who"),
    "DATE": ("when", "when"),
    "TIME": ("when", "when"),
    "MONEY": ("how much money", "how_much"),
    "PERCENT": ("what percentage", "how_much"),
    "QUANTITY": ("how much", "how_much"),
    "CARDINAL": ("how many", "how_many"),
    "ORDINAL": ("which", "which"),
    "PRODUCT": ("what", "what"),
    "FAC": ("which place", "where"),
    **{label: (word, "where" if word == "which place" else "which") for label, word in _TYPED.items()},
}
"""Question word and form for an entity where it stands in a sentence, by spaCy's scheme."""
_WHY = frozenset({"because", "because of", "due to", "owing to", "thanks to"})
NOT_ASKED = frozenset(
    {"despite", "except", "per", "including", "than", "instead", "besides", "unlike", "like"}
)
"""Last words of prepositions after which nobody asks."""
_VAGUE = frozenset(
    {"case", "way", "thing", "example", "respect", "sense", "fact", "purpose", "reason", "term"}
)
"""Nouns that name nothing by themselves."""
_HOW = frozenset({"through", "via", "using", "by means"})


class Asked(NamedTuple):
    """A question word (`in what year`, `who`), the form of its question, and a preposition left behind."""

    word: str
    form: Form
    stranded: str = ""


def entity(phrase: Phrase) -> str:
    """The kind of entity that the phrase's head belongs to, by spaCy's scheme; "" for none."""
    return str(phrase.head.ent_type_)


def is_human(phrase: Phrase) -> bool:
    """Whether it names a person or people."""
    head = phrase.head
    if is_code(head) or (head.text.isupper() and len(head.text) > 1):
        return False  # code, or an acronym, that was taken for a name
    if head.lower_ in PEOPLE:
        return True
    if head.pos_ == "PROPN" and any(c.dep_ == "det" and c.lower_ == "the" for c in head.children):
        return False  # a ship, a house
    others = [c for c in head.children if c.dep_ == "conj"]
    if any(c.lemma_.lower() not in HUMAN and c.ent_type_ != "PERSON" for c in others):
        return False  # people and vehicles
    if head.pos_ == "NOUN" and head.lemma_.lower().endswith(("man", "woman", "ist", "ian")):
        return True
    return head.ent_type_ == "PERSON" or head.lemma_.lower() in HUMAN or head.lower_ in HUMAN


def of_subject(phrase: Phrase) -> tuple[Asked, ...]:
    """How a subject is asked for, the plainest first."""
    if entity(phrase) in ("MONEY", "PERCENT"):
        return (Asked(*ENTITIES[entity(phrase)]),)
    asked = [Asked("who", "who") if is_human(phrase) else Asked("what", "what")]
    if _typed(phrase):
        asked.append(Asked(_TYPED[entity(phrase)], "which"))
    if asked[0].word == "who" and phrase.head.ent_type_ == "PERSON":
        asked.append(Asked("which person", "who"))
    return tuple(asked)


def _typed(phrase: Phrase) -> bool:
    """Whether the phrase is a name of two words or more, and its kind is known."""
    label = entity(phrase)
    if label not in _TYPED or label in _PLACES or is_human(phrase):
        return False
    entities = [e for e in phrase.head.doc.ents if e.start <= phrase.head.i < e.end]
    return bool(entities) and len(entities[0]) > 1 and entities[0].end_char == phrase.end


def of_argument(argument: Argument) -> tuple[Asked, ...]:
    """How an argument is asked for, the plainest first; () for one that nobody asks for."""
    phrase, marker = argument.phrase, argument.marker
    if argument.role == "complement" and phrase.head.head.lemma_ in ("name", "call", "title", "dub"):
        return (Asked("what", "what"),)
    if argument.role in ("object", "complement", "receiver"):
        return of_subject(phrase)
    if argument.role == "agent":
        who = of_subject(phrase)
        return (*(Asked(a.word, a.form, "by") for a in who),)
    if argument.role == "infinitive":
        return (Asked("what", "what", "to do"),)
    if argument.role == "clause":
        return (
            ()
            if phrase.text.split()[0].lower() in ("what", "which", "who", "how")
            else (Asked("what", "what"),)
        )
    if argument.role == "measure":
        return _time(phrase, "")
    if argument.role == "adverbial":
        return _adverbial(argument)
    if argument.role == "prepositional":
        return _prepositional(phrase, marker)
    return ()


def _prepositional(phrase: Phrase, marker: str) -> tuple[Asked, ...]:
    last = marker.split()[-1]
    if marker in _WHY:
        return (Asked("why", "why"), Asked("for what reason", "why"))
    if entity(phrase) in ("DATE", "TIME") or (
        phrase.head.text.isdigit() and _YEAR.fullmatch(phrase.head.text)
    ):
        return _time(phrase, marker)
    if entity(phrase) in _PLACES and marker in _AT_PLACES:
        typed = "which place" if marker in ("in", "at") else ""
        return (Asked("where", "where"), *((Asked(f"{marker} {typed}", "where"),) if typed else ()))
    if phrase.head.tag_ == "VBG" and marker == "by":
        return (Asked("how", "how"), Asked("in what way", "how"))
    if marker in _HOW:
        return (Asked("how", "how"), Asked(f"{marker} what", "how"))
    if marker in _WHERE:
        return (Asked("where", "where"),)
    who = of_subject(phrase)[0]
    if (
        last in NOT_ASKED
        or _idiom(phrase, marker)
        or phrase.head.pos_ == "PRON"
        or phrase.head.lemma_ in _VAGUE
    ):
        return ()
    if who.form == "who":
        return (Asked("who", "who", marker), Asked(f"{marker} whom", "who"))
    fronted = Asked(f"{marker} what", "what")
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
        return (fronted, *((Asked("when", "when"),) if when else ()))
    return (Asked("what", "what", marker), fronted)


def _idiom(phrase: Phrase, marker: str) -> bool:
    """`by default`, `on loan`, `in accordance`: a bare noun that the preposition makes an adverb of."""
    noun = phrase.head
    described = any(c.dep_ in ("det", "poss", "amod", "compound", "nummod") for c in noun.children)
    return (
        noun.tag_ == "NN"
        and not described
        and not noun.ent_type_
        and marker in ("in", "on", "by", "at", "under")
    )


def _time(phrase: Phrase, marker: str) -> tuple[Asked, ...]:
    text = phrase.text
    year = _YEAR.search(text)
    if (
        not year
        and _DURATION.search(text)
        and not _AGO.search(text)
        and marker in ("", "for", "over", "within", "in")
    ):
        if re.match(r"(?:every|each|once|twice|per)\b", text, re.IGNORECASE):
            return (Asked("how often", "how"),)
        return (
            (Asked("how long", "how_much"), Asked("for how long", "how_much"))
            if marker in ("", "for")
            else (Asked(f"{marker} what period", "when"),)
        )
    if entity(phrase) not in ("DATE", "TIME") and not year:
        return ()
    if marker in ("since", "until", "from", "after", "before", "between"):
        asked = (
            [Asked(f"{marker} when", "when")]
            if marker in ("since", "until", "from")
            else [Asked("when", "when")]
        )
    else:
        asked = [Asked("when", "when")]
    if year:
        asked.append(Asked("on what date" if marker == "on" else "in what year", "when"))
    elif entity(phrase) == "TIME" and marker == "at":
        asked.append(Asked("at what time", "when"))
    return tuple(asked)


def _adverbial(argument: Argument) -> tuple[Asked, ...]:
    if argument.marker == "because" or (
        argument.marker in ("since", "as") and not _YEAR.search(argument.text)
    ):
        return (Asked("why", "why"), Asked("for what reason", "why")) if argument.marker != "as" else ()
    if argument.marker == "to":
        return (Asked("why", "why"), Asked("for what purpose", "why"))
    if argument.marker in ("when", "once", "whenever", "after", "before", "until", "if"):
        return (
            (Asked("when", "when"), Asked("under what condition", "when"))
            if argument.marker != "until"
            else (Asked("until when", "when"),)
        )
    return ()


def number(head: Token) -> tuple[str, str] | None:
    """Number and counted noun of `about 24 interceptions`; None where nothing is counted."""
    numeral = next((c for c in head.children if c.dep_ == "nummod" and c.i < head.i), None)
    if numeral is None or head.ent_type_ in ("DATE", "TIME") or not (numeral.like_num or numeral.ent_type_):
        return None
    if head.tag_ not in ("NNS", "NNPS", "NN"):
        return None
    tokens = sorted(numeral.subtree, key=lambda t: t.i)
    return written(tokens), head.text
