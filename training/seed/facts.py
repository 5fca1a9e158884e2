"""Owns the facts of the base model and their split: known, unknown, reserved for benchmarks, or for reading.

The split follows from WordNet and the hashes of its lemmas, so that no run can move a word. How facts are
asked is elsewhere.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.scoring import normalise

from agent.curriculum import NO_KINDS, head, opening
from memory.records import Form
from training.seed import wordnet
from training.seed.bank import BankFact
from training.seed.wordnet import Noun, Synset

KNOWN_WORDS = 1000
"""Few enough to be seen often, in as many wordings: a fact that is known by a wide margin survives better
what adapters do to its neighbours."""
RELATED_WORDS = 300
"""Known besides, for what they are used for, made of, contain: or such questions would mean nothing to it."""
KNOWN_COMPOUNDS = 500
"""Names of several words, known besides: if all of them were unknown words, a model would take it for a rule.
Half of them are never asked for their kind, so that it pays to infer it."""
MOST_KIND_WORDS = 3
_NO_NOUNS = frozenset({"", "that", "those", "what", "something", "anything", "someone", "state"})
MOST_WORDS = 12
"""A longer answer is cut or left out, so that normalised exact match stays meaningful."""

_LEMMA = re.compile(r"[a-z][a-z' -]{2,24}")
_PERSON = re.compile(r"^(?P<what>[^;(]+?)\s*\((?:born )?(?P<years>\d{3,4}(?:-\d{3,4})?)\)")
_PLACE = re.compile(r"\b(?:located )?(?P<where>(?:in|on|off|near) (?:the )?[a-z' ]*[A-Z][A-Za-z' ]+)")
_WITHIN_GLOSS: tuple[tuple[Form, re.Pattern[str]], ...] = (
    ("used_for", re.compile(r"\bused (?:for|in|to) (?P<object>.+)$")),
    ("made_of", re.compile(r"\bmade (?:of|from) (?P<object>.+)$")),
    ("contains", re.compile(r"\b(?:containing|contains) (?P<object>.+)$")),
    ("causes", re.compile(r"\b(?:causing|that causes) (?P<object>.+)$")),
    ("prevents", re.compile(r"\b(?:preventing|that prevents) (?P<object>.+)$")),
    ("requires", re.compile(r"\b(?:requiring|that requires) (?P<object>.+)$")),
)


@dataclass(frozen=True)
class Facts:
    """All facts by what training does with them; no word is in two of the parts."""

    known: tuple[BankFact, ...]
    unknown: tuple[BankFact, ...]
    """Taught to be unknown: what they are is never told."""
    reserved: tuple[BankFact, ...]
    """Never asked for or answered with."""
    reading: tuple[tuple[str, str], ...]
    """Words and glosses, to be paired anew in every example."""


def divide() -> Facts:
    """WordNet's facts in their four parts; known are common words and names of several words.

    Raises WordNetMissing.
    """
    nouns, synsets = wordnet.read()
    words = [noun for noun in nouns if _usable(noun)]
    words.sort(key=lambda noun: (-noun.uses, share(noun.lemma)))
    known: list[BankFact] = []
    unknown: list[BankFact] = []
    reserved: list[BankFact] = []
    reading: list[tuple[str, str]] = []
    answers: set[str] = set()
    compounds = 0
    for noun in words:
        facts = facts_of(noun, synsets)
        if not facts:
            continue
        drawn = share(f"split|{noun.lemma}")
        common = len(answers) - compounds < KNOWN_WORDS + RELATED_WORDS * _related(facts)
        if drawn < 0.12:
            reserved.extend(facts)
        elif drawn >= 0.25 and (common or (" " in noun.lemma and compounds < KNOWN_COMPOUNDS)):
            if facts[0].object not in answers:
                compounds += not common
                answers.add(facts[0].object)
                known.extend(_taught(noun.lemma, facts))
        elif drawn < 0.5:
            unknown.extend(facts)
        else:
            reading.append((facts[0].subject, facts[0].object))
    never = {normalise(fact.subject) for fact in reserved}
    readable = ((word, gloss) for word, gloss in reading if normalise(opening(gloss)) not in never)
    return Facts(tuple(known), tuple(unknown), tuple(reserved), tuple(readable))


def share(text: str) -> float:
    """A fixed number in [0, 1) for a text, whatever its case: the first 48 bits of its SHA-256."""
    return int.from_bytes(hashlib.sha256(text.lower().encode()).digest()[:6], "big") / 2**48


def facts_of(noun: Noun, synsets: Mapping[str, Synset]) -> list[BankFact]:
    """Everything that this word can be asked about, its definition first; empty without a usable gloss."""
    synset = noun.first
    name = next((lemma for lemma in synset.lemmas if lemma.lower() == noun.lemma), noun.lemma)
    person = _PERSON.match(synset.gloss)
    if person and synset.classes:
        return _person(name, person["what"], person["years"])
    gloss = answer_of(synset.gloss)
    if gloss is None or noun.lemma in gloss.lower():
        return []
    found = [BankFact(name, "definition", gloss)]
    if synset.classes and (place := _PLACE.search(gloss)):
        found.append(BankFact(name, "located_in", place["where"].strip()))
    if kind_of(gloss) is not None:
        found.append(BankFact(name, "kind_of", opening(gloss)))
    if synset.wholes:
        found.append(BankFact(name, "part_of", synsets[synset.wholes[0]].lemmas[0]))
    for form, pattern in _WITHIN_GLOSS:
        match = pattern.search(gloss)
        if match and 1 <= len(match["object"].split()) <= MOST_WORDS:
            found.append(BankFact(name, form, match["object"].strip()))
            break
    return found


def kind_of(answer: str) -> str | None:
    """The kind that a definition opens with, by a rule like that of curricula; None where it is no kind.

    Taught for most words beside the definition, it teaches that the one follows from the other.
    """
    kind = head(answer)
    plain = kind != answer and 1 <= len(kind.split()) <= MOST_KIND_WORDS
    return kind if plain and normalise(kind) not in NO_KINDS | _NO_NOUNS else None


def answer_of(gloss: str) -> str | None:
    """The first clause of a gloss as an answer of 2 to 12 words, or None if it makes no plain one."""
    text = re.split(r';|:|--| "', gloss)[0]
    text = re.sub(r"\([^)]*\)", " ", text)
    text = " ".join(text.split()).strip(" ,.")
    for cut in (r", (?:which|who|that|especially|usually|often|including)\b", r", "):
        if len(text.split()) > MOST_WORDS:
            text = re.split(cut, text)[0].strip(" ,")
    plain = 2 <= len(text.split()) <= MOST_WORDS and not re.search(r"[^A-Za-z0-9 ,'-]", text)
    return text if plain else None


def _related(facts: Sequence[BankFact]) -> bool:
    """Whether one of the facts was found within the gloss."""
    return any(fact.form == form for fact in facts for form, _ in _WITHIN_GLOSS)


def _usable(noun: Noun) -> bool:
    """Whether it is a plain word that the synset is mainly named by."""
    if not _LEMMA.fullmatch(noun.lemma) or len(noun.lemma.split()) > 3:
        return False
    return noun.first.lemmas[0].lower() == noun.lemma or bool(noun.uses and len(noun.first.lemmas) < 4)


def _person(name: str, what: str, years: str) -> list[BankFact]:
    answer = answer_of(what)
    if answer is None:
        return []
    lived: list[BankFact] = [BankFact(name, "when", years)] if "-" in years else []
    return [BankFact(name, "who", answer), *lived]


def _taught(lemma: str, facts: list[BankFact]) -> list[BankFact]:
    """The facts of a known word in the forms that it is asked in: not all, so that the rest is a test."""
    first = facts[0]
    kinds = [fact for fact in facts[1:] if fact.form == "kind_of"]
    taught = [first, *(fact for fact in facts[1:] if fact.form != "kind_of")]
    if kinds and share(f"kind|{lemma}") < (0.5 if " " in lemma else 0.85):
        taught.append(kinds[0])
    if first.form == "definition" and len(first.object.split()) >= 4 and share(f"term|{lemma}") < 0.25:
        taught.append(BankFact(first.subject, "term_for", first.object))
    if kinds and share(f"yes|{lemma}") < 0.6:
        taught.append(BankFact(first.subject, "yes_no", head(kinds[0].object)))
    return taught
