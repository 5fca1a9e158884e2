"""The graph of passages and names: which passages mention a name, and which are titled by it.

Built in memory from the stored passages' names, and filtered by access at each look-up: what a caller may not
read leaves no trace, not even in how many passages have a name.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from numpy.typing import NDArray

from memory.language.names import names_in, names_of_title
from memory.language.normalisation import normalised
from memory.language.text import quotable
from memory.records.access import Access
from memory.records.knowledge import Passage

Rows = NDArray[np.int64]
UNKNOWN = -1
NAME_COLUMNS = (pa.field("titles", pa.list_(pa.string())), pa.field("names", pa.list_(pa.string())))
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("domain", pa.string(), nullable=False),
        pa.field("owner", pa.string()),
        *NAME_COLUMNS,
    ]
)
"""The columns of a passage that the graph is made of."""


def passage_titles(passage: Passage) -> tuple[str, ...]:
    """The keys of what a passage is about: its innermost heading, and its document's title."""
    heading = passage.section.rpartition(" > ")[2].strip("`*_# ")
    keys = (each for title in (heading, passage.title) for each in names_of_title(normalised(title)))
    return tuple(dict.fromkeys(keys))


def passage_names(passage: Passage) -> tuple[str, ...]:
    """The keys of the names that a passage mentions."""
    return tuple(dict.fromkeys(name for names in sentence_names(passage) for name in names))


def sentence_names(passage: Passage) -> list[tuple[str, ...]]:
    """The names in each sentence of a passage, see `quotable`."""
    spans = list(quotable(passage.text)) or [(0, len(passage.text))]
    return [names_in(normalised(passage.text[start:end])) for start, end in spans]


class Postings:
    """For each name, the rows that have it."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        """Takes a list of names for each row."""
        lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
        names, codes = _encoded(pc.list_flatten(column))
        order = np.argsort(codes, kind="stable")
        rows = np.repeat(np.arange(len(column)), lengths)
        self._codes = {name: code for code, name in enumerate(names)}
        self._rows = rows[order]
        self._starts = np.searchsorted(codes[order], np.arange(len(self._codes) + 1))

    def rows(self, name: str) -> Rows:
        """The rows, in order; none for an unknown name."""
        code = self._codes.get(name)
        if code is None:
            return np.empty(0, np.int64)
        return self._rows[self._starts[code] : self._starts[code + 1]]


class NameGraph:
    """Immutable: a store makes another one when its passages change."""

    def __init__(self, table: pa.Table) -> None:
        """Takes the passages' columns, see `SCHEMA`."""
        table = table.combine_chunks()
        self.ids: list[str] = table["id"].to_pylist()
        domains, domain_codes = _encoded(table["domain"])
        owners, owner_codes = _encoded(table["owner"])
        codes, self.groups = np.unique(domain_codes * len(owners) + owner_codes, return_inverse=True)
        self.group_keys = [(owners[code % len(owners)], domains[code // len(owners)]) for code in codes]
        """The owner and domain of each group of passages that share both; `groups` has each passage's."""
        self.titles, self.mentions = Postings(table["titles"]), Postings(table["names"])

    @classmethod
    def of(cls, passages: Iterable[Passage]) -> "NameGraph":
        """The graph of these passages."""
        return cls(pa.Table.from_pylist([columns(each) for each in passages], schema=SCHEMA))

    def readable(self, access: Access, domain: str | None = None) -> "ReadableNames":
        """The part of the graph that `access.may_read`, of one domain or of all."""
        return ReadableNames(self, access, domain)


class ReadableNames:
    """The names of the passages that a caller may read."""

    def __init__(self, graph: NameGraph, access: Access, domain: str | None) -> None:
        """Use `NameGraph.readable`."""
        self._graph, self._access, self._domain = graph, access, domain
        self._allowed = np.full(len(graph.group_keys), UNKNOWN)
        """Whether each group may be read, as far as it was asked."""

    def titled(self, name: str) -> list[str]:
        """The ids of the passages with this name as heading or title."""
        return [self._graph.ids[row] for row in self._readable(self._graph.titles.rows(name))]

    def mentioning(self, name: str, *, most: int) -> list[str]:
        """The ids of the passages that mention the name; none if more than `most` do."""
        rows = self._readable(self._graph.mentions.rows(name))
        return [self._graph.ids[row] for row in rows] if len(rows) <= most else []

    def _readable(self, rows: Rows) -> Rows:
        groups = self._graph.groups[rows]
        for group in set(groups[self._allowed[groups] == UNKNOWN].tolist()):
            owner, domain = self._graph.group_keys[group]
            self._allowed[group] = self._domain in (None, domain) and self._access.may_read(owner, domain)
        readable: Rows = rows[self._allowed[groups] == 1]
        return readable


def columns(passage: Passage) -> dict[str, Any]:
    """A passage's row, see `SCHEMA`."""
    return {
        "id": passage.id,
        "domain": passage.domain,
        "owner": passage.owner,
        "titles": passage_titles(passage),
        "names": passage_names(passage),
    }


def _encoded(column: pa.ChunkedArray) -> tuple[list[Any], Rows]:
    """The distinct values, and the position of each row's value among them."""
    encoded = pa.concat_arrays([pa.array([], column.type), *column.chunks]).dictionary_encode("encode")
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
