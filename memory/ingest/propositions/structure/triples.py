"""Reads tables of triples (subject, relation, object): what they state is taken as it is."""

from collections.abc import Iterator, Sequence

from memory.ingest.propositions.structure.markdown import plain, trimmed
from memory.ingest.propositions.structure.statements import LONGEST_CELL, Statement

HEADER = ("subject", "relation", "object")
Span = tuple[int, int]


def is_header(cells: Sequence[str]) -> bool:
    """Whether a table with this header holds triples."""
    return tuple(cell.strip().lower() for cell in cells) == HEADER


def read_triples(text: str, rows: Sequence[tuple[Span, Sequence[Span]]]) -> Iterator[Statement]:
    """A statement for each row, given with the spans of its cells; rows with long cells are left out."""
    for (start, end), cells in rows:
        if len(cells) != len(HEADER):
            continue
        subject, relation = (plain(text, *cell)[0].strip() for cell in cells[:2])
        value, answer = trimmed(*plain(text, *cells[2]))
        if all(0 < len(part.split()) <= LONGEST_CELL for part in (subject, relation, value)):
            yield Statement(subject, relation, value, start, end, answer, "triple")
