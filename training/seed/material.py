"""Owns what invented text is made from: words, pseudo-words, code spans, noisy questions.

Nothing here is reserved, and nothing is paired with its own meaning: only copying can answer.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.wordings import ask
from memory.records import Form
from training.seed import wordnet
from training.seed.bank import BankFact
from training.seed.facts import Facts

FORMS: tuple[Form, ...] = (
    *(("definition",) * 8), "kind_of", "part_of", "used_for", "requires", "prevents", "returns", "causes",
    "contains", "made_of", "located_in",
)  # fmt: skip
"""Forms of invented statements, definitions most often."""
_ONSETS = (
    "b", "br", "c", "ch", "cr", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "l", "m",
    "n", "p", "pl", "qu", "r", "s", "sh", "st", "t", "tr", "v", "w", "z",
)  # fmt: skip
_VOWELS = ["a", "e", "i", "o", "u", "ai", "ea", "oo"]
_CODAS = ("", "n", "r", "l", "s", "m", "ck", "x")
_SYLLABLES = [onset + vowel + coda for onset in _ONSETS for vowel in _VOWELS for coda in _CODAS]
_CODE_NOUNS = (" method", " function", " command", " trait", " type", " flag", " macro", " class")


@dataclass(frozen=True)
class Material:
    """The pool that examples draw on."""

    glossed: tuple[tuple[str, str], ...]
    words: tuple[str, ...]
    """Single words."""
    kinds: tuple[str, ...]
    known: tuple[BankFact, ...]
    quotes: tuple[str, ...]
    verbs: tuple[str, ...]
    fillers: tuple[str, ...]
    """Words that name nothing."""


def gather(facts: Facts) -> Material:
    """The material that this split leaves to training. Raises WordNetMissing."""
    quotes = wordnet.quotes()
    return Material(
        glossed=facts.reading,
        words=tuple(word for word, _ in facts.reading if " " not in word),
        kinds=tuple(fact.object for fact in facts.known if fact.form == "yes_no"),
        known=facts.known,
        quotes=quotes,
        verbs=wordnet.verbs(),
        fillers=tuple(dict.fromkeys(_names_nothing(quotes, facts))),
    )


def name(rng: random.Random, material: Material) -> str:
    """A name for something: mostly a real word, else a compound, an invented word or a code span."""
    draw = rng.random()
    if draw < 0.40:
        return rng.choice(material.glossed)[0]
    if draw < 0.55:
        return compound(rng, material)
    if draw < 0.70:
        return pseudo_word(rng)
    if draw < 0.90:
        return code_span(rng, material)
    return rng.choice(material.known).subject


def compound(rng: random.Random, material: Material) -> str:
    """Two words that do not belong together."""
    return f"{rng.choice(material.words)} {rng.choice(material.words)}"


def pseudo_word(rng: random.Random) -> str:
    """A pronounceable invented word of two or three syllables and at most 14 letters."""
    return "".join(rng.choice(_SYLLABLES) for _ in range(rng.choice((2, 2, 3))))[:14]


def code_span(rng: random.Random, material: Material) -> str:
    """An identifier in backticks, sometimes followed by what it is."""

    def part() -> str:
        return re.sub(r"[^a-z]", "", rng.choice(material.words).lower()) or "thing"

    shape = rng.randrange(8)
    title = part().capitalize()[:9]
    spans = (
        f"{title}<T>",
        f"{part()}_{part()}",
        f"{title}{part().capitalize()}",
        f"{part()}()",
        f"'{part()}",
        f"{part()} {part()}",
        f"{title[:3]}<{part().capitalize()[:5]}>",
        f"{part()[:4].upper()}",
    )
    noun = "" if rng.random() < 0.6 else rng.choice(_CODE_NOUNS)
    return f"`{spans[shape]}`{noun}"


def question(rng: random.Random, material: Material, form: Form, subject: str, object: str = "") -> str:
    """A taught wording, two times in three disturbed: a definition asked for in any words, a sentence before
    it, something after it, a word that is missing or another, or all in lower case.

    So the model learns to look for the subject, and not to take every word that it does not know for one.
    """
    draw = rng.random()
    if form == "definition" and draw < 0.22:
        return _in_any_words(rng, material, subject)
    text = ask(form, "taught", rng, subject=subject, object=object)
    names = f"{subject} {object}".lower().split()
    if 0.22 < draw < 0.32:
        text = f"{capital(rng.choice(material.quotes))}{rng.choice(('. ', ', ', ': '))}{text}"
    elif 0.32 < draw < 0.39:
        text = _without_a_word(rng, text, names)
    elif 0.39 < draw < 0.50:
        text = _with_another_word(rng, material, text, names)
    elif 0.50 < draw < 0.60:
        text = text.rstrip("?.") + _afterthought(rng, material) + rng.choice(("?", "."))
    elif 0.60 < draw < 0.64:
        text = text.lower()
    return text


def capital(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def _in_any_words(rng: random.Random, material: Material, subject: str) -> str:
    """The subject after a random verb, or somewhere among a few words that name nothing."""
    if rng.random() < 0.4:
        text = f"{rng.choice(material.verbs)} {subject}."
    else:
        before = [rng.choice(material.fillers) for _ in range(rng.randint(1, 5))]
        after = [rng.choice(material.fillers) for _ in range(rng.choice((0, 0, 0, 1, 2)))]
        text = " ".join((*before, subject, *after)) + rng.choice(("?", "?", ".", ""))
    return capital(text) if rng.random() < 0.7 else text


def _afterthought(rng: random.Random, material: Material) -> str:
    if rng.random() < 0.5:
        return f" {rng.choice(('in', 'for', 'as', 'to'))} {rng.choice(material.words)}"
    return rng.choice((", ", " ")) + " ".join(rng.choice(material.fillers) for _ in range(rng.randint(1, 4)))


def _without_a_word(rng: random.Random, text: str, names: Sequence[str]) -> str:
    """The text without one word, unless that is one of the names."""
    words = text.split(" ")
    index = rng.randrange(len(words))
    if len(words) > 3 and _bare(words[index]) not in names:
        words.pop(index)
    return " ".join(words)


def _with_another_word(rng: random.Random, material: Material, text: str, names: Sequence[str]) -> str:
    """The text with one or two words exchanged that are none of the names."""
    words = text.split(" ")
    for index in rng.sample(range(len(words)), min(len(words), rng.choice((1, 2)))):
        if _bare(words[index]) not in names:
            words[index] = rng.choice(material.fillers)
    return " ".join(words)


def _bare(word: str) -> str:
    return word.lower().strip('?.,:"`')


def _names_nothing(quotes: Sequence[str], facts: Facts) -> Iterator[str]:
    """The words of the quotes, without those that a question may be about."""
    parts = (facts.known, facts.unknown, facts.reserved)
    names = {word for part in parts for fact in part for word in fact.subject.lower().split()}
    names |= {word for fact in facts.known for word in fact.object.lower().split() if len(word) > 3}
    names |= {word for subject, _ in facts.reading for word in subject.lower().split()}
    for quote in quotes:
        yield from (word for word in quote.lower().replace(",", "").split() if word not in names)
