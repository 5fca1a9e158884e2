"""What skew is measured as: an aspect, such as sources, with its categories as learned and as asked."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from memory.records.base import Domain, Record, Share

Aspect = Literal["sources", "topics", "languages", "users", "annotators"]
Counts = dict[str, int]


class Category(Record):
    """One source, topic, language, user or annotator."""

    name: str
    learned: Share
    """Share of what was learned."""
    asked: Share
    """Share of what was asked."""


class AspectSkew(Record):
    """How one aspect of what was learned compares with what was asked."""

    aspect: Aspect
    learned: int = Field(ge=0)
    """Learned facts, golden pairs or judgements that were counted."""
    asked: int = Field(ge=0)
    """Quotes, questions or judgements that they are compared with."""
    effective: float = Field(ge=0)
    """Effective number of categories in what was learned; 0 if nothing was."""
    effective_asked: float = Field(ge=0)
    divergence: Share | None = None
    """Jensen-Shannon divergence of what was learned from what was asked, in bits; None without both."""
    chance: Share | None = None
    """Divergence that is exceeded one time in twenty if items are learned and asked alike."""
    categories: tuple[Category, ...] = ()
    """Those with the largest shares, largest first."""
    alarms: tuple[str, ...] = ()
    """What is out of bounds, in sentences."""


class SkewReport(Record):
    """The skew of what one domain has learned."""

    domain: Domain
    since: datetime
    """What was asked and judged from then on counts, and all that the live adapter knows."""
    until: datetime
    aspects: tuple[AspectSkew, ...] = ()

    @property
    def alarms(self) -> tuple[str, ...]:
        """The alarms of all aspects."""
        return tuple(alarm for aspect in self.aspects for alarm in aspect.alarms)
