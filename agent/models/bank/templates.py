"""Question templates by kind of fact; `{}` stands for the name.

Real and invented questions of one kind differ only in the name.
"""

from agent.models.bank.records import Topic
from memory.records.base import Record


class Template(Record):
    """The wordings of one kind of question."""

    domain: Topic
    wordings: tuple[str, ...]

    def ask(self, name: str) -> tuple[str, ...]:
        """The wordings with `name` filled in."""
        return tuple(wording.format(name) for wording in self.wordings)


def _template(domain: Topic, *wordings: str) -> Template:
    return Template(domain=domain, wordings=wordings)


TEMPLATES: dict[str, Template] = {
    # Countries and places
    "capital": _template(
        "factual",
        "What is the capital of {}?",
        "Which city is the capital of {}?",
        "Name the capital city of {}.",
    ),
    "capital_of": _template(
        "factual",
        "{} is the capital of which country?",
        "Which country has {} as its capital?",
        "What country is {} the capital of?",
    ),
    "continent": _template(
        "factual",
        "On which continent is {}?",
        "Which continent is {} part of?",
        "Name the continent where {} is located.",
    ),
    "currency": _template(
        "factual",
        "What is the currency of {}?",
        "Which currency do people in {} pay with?",
        "What money is used in {}?",
    ),
    "language": _template(
        "factual",
        "What is the official language of {}?",
        "Which language is official in {}?",
        "Name the official language of {}.",
    ),
    "city": _template(
        "factual",
        "In which country is the city of {}?",
        "Which country is the city of {} in?",
        "Name the country where the city of {} is located.",
    ),
    "domain_name": _template(
        "factual",
        "Which country uses the internet top-level domain {}?",
        "What country do web addresses ending in {} belong to?",
    ),
    "us_state": _template(
        "factual",
        "What is the capital of the US state of {}?",
        "Which city is the state capital of {} in the United States?",
    ),
    "river": _template(
        "factual",
        "Into which body of water does the river {} flow?",
        "Which sea, ocean, gulf or lake does the river {} empty into?",
        "Where is the mouth of the river {}?",
    ),
    "mountain": _template(
        "factual",
        "In which country is the summit of {}?",
        "Which country would you visit to climb {}?",
    ),
    # Science
    "symbol": _template(
        "factual",
        "What is the chemical symbol for {}?",
        "Which symbol stands for the element {}?",
        "What abbreviation does the element {} have on the periodic table?",
    ),
    "element": _template(
        "factual",
        "Which chemical element has the symbol {}?",
        "What element does the symbol {} stand for?",
        "Name the element written {} on the periodic table.",
    ),
    "atomic_number": _template(
        "factual",
        "What is the atomic number of {}?",
        "How many protons does an atom of {} have?",
        "Give the atomic number of the element {}.",
    ),
    "star": _template(
        "factual",
        "In which constellation is the star {}?",
        "Which constellation does the star {} belong to?",
        "Name the constellation that contains the star {}.",
    ),
    # People and companies
    "inventor": _template(
        "factual",
        "Who invented {}?",
        "Name the inventor of {}.",
        "Which inventor is {} credited to?",
    ),
    "founder": _template(
        "factual",
        "Who founded the company {}?",
        "Name a founder of the company {}.",
    ),
    "nationality": _template(
        "factual",
        "What nationality was the scientist {}?",
        "Which country did the scientist {} come from?",
    ),
    # Arts
    "author": _template(
        "creative",
        "Who wrote {}?",
        "Who is the author of {}?",
        "Name the writer of {}.",
    ),
    "painter": _template(
        "creative",
        "Who painted {}?",
        "Which artist made the painting {}?",
        "Name the painter of {}.",
    ),
    "composer": _template(
        "creative",
        "Who composed the opera {}?",
        "Which composer wrote the opera {}?",
        "Name the composer of the opera {}.",
    ),
    "director": _template(
        "creative",
        "Who directed the film {}?",
        "Which director made the movie {}?",
    ),
    "band": _template(
        "creative",
        "Which country does the band {} come from?",
        "What country was the band {} formed in?",
    ),
    "character": _template(
        "creative",
        "In which novel does the character {} appear?",
        "Which book features the character {}?",
    ),
    # Code
    "library": _template(
        "code",
        "Which programming language is the {} library mainly used with?",
        "What programming language do you write to use {}?",
    ),
    "stdlib": _template(
        "code",
        "Which module of Python's standard library provides `{}`?",
        "From which standard Python module do you import `{}`?",
        "What do I have to import to use `{}` in Python?",
    ),
    "designer": _template(
        "code",
        "Who designed the programming language {}?",
        "Who created the {} programming language?",
    ),
    "developer": _template(
        "code",
        "Which company first developed the software {}?",
        "What company created the software {}?",
    ),
    # Medicine, law, engineering
    "disease": _template(
        "specialised",
        "Which part of the body does {} mainly affect?",
        "What organ or part of the body is affected by {}?",
    ),
    "drug": _template(
        "specialised",
        "What is the drug {} used to treat?",
        "Which condition is {} prescribed for?",
        "Why would a doctor prescribe {}?",
    ),
    "mineral": _template(
        "specialised",
        "Which metal is extracted from the mineral {}?",
        "What metal is the mineral {} an ore of?",
    ),
    "enzyme": _template(
        "specialised",
        "Which substance does the enzyme {} break down?",
        "What does the enzyme {} act on?",
    ),
    "law": _template(
        "specialised",
        "Which country passed the {}?",
        "In which country did the {} become law?",
    ),
    "unit": _template(
        "specialised",
        "Which quantity is measured in the unit called the {}?",
        "What does the unit {} measure?",
    ),
}
