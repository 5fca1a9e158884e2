"""Facts about chemical elements (mendeleev) and stars (ephem)."""

from collections.abc import Iterator

import ephem
import ephem.stars
from mendeleev.fetch import fetch_table
from wordfreq import zipf_frequency

from agent.models.bank.mining.bank_facts import BankFact

SPELLINGS = {
    "Aluminum": ("aluminium", "aluminum"),
    "Cesium": ("caesium", "cesium"),
    "Sulfur": ("sulfur", "sulphur"),
}
ALSO_WORDS = frozenset({"I", "S", "As", "At", "Be", "He", "In", "No", "Am"})
"""Symbols that are also ordinary words, so that they cannot be graded."""
STAR_LEAST_ZIPF = 1.0


def facts() -> Iterator[BankFact]:
    """Three facts per chemical element, and one per well-known star."""
    table = fetch_table("elements").sort_values("atomic_number")
    for number, symbol, name in zip(table["atomic_number"], table["symbol"], table["name"], strict=True):
        forms = SPELLINGS.get(name, (name.lower(),))
        if symbol not in ALSO_WORDS:
            yield _element("symbol", forms[0], (symbol,), forms)
        yield _element("element", symbol, forms, forms)
        yield _element("atomic_number", forms[0], (str(number),), forms)
    yield from _stars()


def _element(kind: str, name: str, answers: tuple[str, ...], forms: tuple[str, ...]) -> BankFact:
    return BankFact(kind=kind, name=name, answers=answers, known_by=forms[:1], source="mendeleev")


def _stars() -> Iterator[BankFact]:
    for name in sorted(ephem.stars.stars):
        if zipf_frequency(name, "en") < STAR_LEAST_ZIPF or name in STARS_IN_DOUBT:
            continue
        star = ephem.star(name)
        star.compute("2000/1/1")
        constellation = str(ephem.constellation(star)[1])
        yield BankFact(
            kind="star",
            name=name,
            answers=CONSTELLATIONS.get(constellation, (constellation,)),
            known_by=(name, constellation),
            source="ephem",
        )


STARS_IN_DOUBT = frozenset({"Adara", "Agena", "Kaus Australis", "Naos", "Sirrah", "Suhail"})
"""Older names and spellings."""
CONSTELLATIONS = {
    "Bootes": ("Boötes", "Bootes"),
    "Crux": ("Crux", "Southern Cross"),
    "Ursa Major": ("Ursa Major", "Great Bear", "Big Dipper"),
    "Ursa Minor": ("Ursa Minor", "Little Bear", "Little Dipper"),
    "Scorpius": ("Scorpius", "Scorpio"),
}
