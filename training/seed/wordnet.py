"""Owns the reading of WordNet's noun files: what each word means first, and what it stands in relation to.

Later senses, other parts of speech and the question which words are taught are left out.
"""

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path("/usr/share/wordnet")
"""Where Debian's package `wordnet-base` puts the database."""

_QUOTE = re.compile(r'"([^"]{12,60})"')


class WordNetMissing(Exception):
    """WordNet's files are not on this machine; the message says how to get them."""


@dataclass(frozen=True)
class Synset:
    """One meaning. The relations are offsets of other synsets."""

    lemmas: tuple[str, ...]
    gloss: str
    classes: tuple[str, ...]
    """What it is an instance of: only a proper name has these."""
    wholes: tuple[str, ...]
    """What it is a part of."""


@dataclass(frozen=True)
class Noun:
    """A lemma in lower case with its first sense."""

    lemma: str
    first: Synset
    uses: int
    """In how many senses WordNet's corpora use it."""


def read(folder: Path = FOLDER) -> tuple[tuple[Noun, ...], dict[str, Synset]]:
    """All nouns in alphabetical order, and all synsets by their offset. Raises WordNetMissing."""
    synsets = {line.split(maxsplit=1)[0]: _synset(line) for line in _entries(folder / "data.noun")}
    nouns = []
    for line in _entries(folder / "index.noun"):
        parts = line.split()
        pointers = int(parts[3])
        first, uses = parts[6 + pointers], int(parts[5 + pointers])
        nouns.append(Noun(parts[0].replace("_", " "), synsets[first], uses))
    return tuple(nouns), synsets


def quotes(folder: Path = FOLDER) -> tuple[str, ...]:
    """The short example phrases of the glosses, letters and commas only."""
    found = (quote for line in _entries(folder / "data.noun") for quote in _QUOTE.findall(line))
    return tuple(quote for quote in found if re.fullmatch(r"[A-Za-z ,']+", quote))


def verbs(folder: Path = FOLDER) -> tuple[str, ...]:
    """Single-word verbs of three to ten letters."""
    found = (line.split(maxsplit=1)[0] for line in _entries(folder / "index.verb"))
    return tuple(verb for verb in found if re.fullmatch(r"[a-z]{3,10}", verb))


def _entries(path: Path) -> list[str]:
    """The lines of a database file without its licence, whose lines begin with a space."""
    if not path.is_file():
        raise WordNetMissing(f"{path} is missing: run `apt-get install wordnet-base`")
    return [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith(" ")]


def _synset(line: str) -> Synset:
    """See `man wndb` for the format: lemmas are counted in hexadecimal, pointers in decimal."""
    head, _, gloss = line.partition(" | ")
    parts = head.split()
    count = int(parts[3], 16)
    lemmas = tuple(parts[4 + 2 * i].replace("_", " ") for i in range(count))
    rest = parts[4 + 2 * count :]
    links: dict[str, list[str]] = {}
    for i in range(int(rest[0])):
        links.setdefault(rest[1 + 4 * i], []).append(rest[2 + 4 * i])
    return Synset(
        lemmas=lemmas,
        gloss=gloss.strip(),
        classes=tuple(links.get("@i", ())),
        wholes=tuple(links.get("#p", ())),
    )
