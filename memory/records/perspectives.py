"""Perspectives: named viewpoints that sources speak from, as people declare them."""

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from memory.records.base import Domain, Record
from memory.records.knowledge import Fact, Passage


def _plain(name: str) -> str:
    """The name in composed letters. Raises ValueError for one with characters that nobody sees."""
    if any(unicodedata.category(character) == "Cf" for character in name):
        raise ValueError("a perspective's name has only characters that can be seen")
    return unicodedata.normalize("NFC", name)


PerspectiveName = Annotated[
    str,
    StringConstraints(pattern=r"^\w[\w .,'&/()-]{0,59}$", strip_whitespace=True),
    AfterValidator(_plain),
]
"""One line without quotation marks, because lessons name it: `According to botany, ...`. Names that differ in
case alone are one."""
Weight = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class Perspective(Record):
    """A viewpoint of one domain, and what an operator lets it count for."""

    name: PerspectiveName
    domain: Domain
    weight: Weight = 1.0
    """Its share of a lesson, and its place in it, relative to others; with 0 it is found, but not taught."""
    documents: int = 0
    """How many documents speak from it, of those that the asker may read."""


@dataclass(frozen=True)
class Viewpoints:
    """Who speaks from where: the perspectives of documents, and the perspectives' weights."""

    names: Mapping[tuple[str, str, str | None], str] = field(default_factory=dict)
    """By source, domain and owner."""
    weights: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """By domain and name."""

    def among(self, domains: Collection[str]) -> frozenset[str]:
        """All perspectives that documents of these domains speak from."""
        return frozenset(name for (_, domain, _), name in self.names.items() if domain in domains)

    def of(self, item: Passage | Fact) -> str:
        """The perspective that a passage or fact speaks from; empty if its document has none."""
        return self.names.get((item.source, item.domain, item.owner), "")

    def weight(self, item: Passage | Fact) -> float:
        """What the item's perspective counts for; 1 without one."""
        return self.weights.get((item.domain, self.of(item)), 1.0)


NO_VIEWPOINTS = Viewpoints()
"""Nobody has declared a perspective."""
