"""Owns what invented text is made from: words, pseudo-words, code spans, noisy questions.

Nothing here is reserved, and nothing is paired with its own meaning: only copying can answer.
"""

import random
import re
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
HELD_OUT_VERBS = frozenset(
    ("clarify", "enlighten", "spell", "summarise", "summarize", "characterise", "characterize", "cite",
     "mention", "introduce", "date", "classify")
)  # fmt: skip
"""Verbs of held-out wordings, which no random command may use."""

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


def gather(facts: Facts) -> Material:
    """The material that this split leaves to training. Raises WordNetMissing."""
    return Material(
        glossed=facts.reading,
        words=tuple(word for word, _ in facts.reading if " " not in word),
        kinds=tuple(fact.object for fact in facts.known if fact.form == "kind_of"),
        known=facts.known,
        quotes=wordnet.quotes(),
        verbs=tuple(verb for verb in wordnet.verbs() if verb not in HELD_OUT_VERBS),
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
    """A taught wording, three times in ten disturbed: a random command, a sentence before it, a missing
    word, a domain after it, or all in lower case. So the model learns to look for the subject."""
    draw = rng.random()
    if form == "definition" and draw < 0.06:
        text = f"{rng.choice(material.verbs)} {subject}."
        return capital(text) if rng.random() < 0.7 else text
    text = ask(form, "taught", rng, subject=subject, object=object)
    if 0.06 < draw < 0.13:
        text = f"{capital(rng.choice(material.quotes))}. {text}"
    elif 0.13 < draw < 0.20:
        text = _without_a_word(rng, text, f"{subject} {object}")
    elif 0.20 < draw < 0.26:
        domain = rng.choice(material.words)
        text = text.rstrip("?.") + f" in {domain}" + rng.choice(("?", "."))
    elif 0.26 < draw < 0.30:
        text = text.lower()
    return text


def capital(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def _without_a_word(rng: random.Random, text: str, kept: str) -> str:
    """The text without one word, unless that is one of the `kept` words."""
    words = text.split(" ")
    index = rng.randrange(len(words))
    if len(words) > 3 and words[index].lower().strip('?.,"`') not in kept.lower().split():
        words.pop(index)
    return " ".join(words)
