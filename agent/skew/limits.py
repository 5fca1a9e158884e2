"""The thresholds of the alarms about skew."""

from datetime import timedelta

from memory.records.base import Record, Share


class SkewLimits(Record):
    """From when on skew is worth a person's look."""

    items: int = 20
    """Below this many items, shares say little: one more moves them by 5 points."""
    share: Share = 0.5
    """Largest share of one category."""
    excess: Share = 0.2
    """How far that share may exceed the category's share of what is asked."""
    divergence: Share = 0.2
    """Bits. Two equal categories that become 95 and 5 have .21."""
    evenness: Share = 0.5
    """Least effective number of categories, relative to that of what is asked."""
    draws: int = 400
    """Shuffles of what was learned and asked, by which it is found what chance alone does."""
    level: Share = 0.05
    shown: int = 10
    """Categories that a report lists, at most."""
    period: timedelta = timedelta(days=30)
    """How far back it counts what was asked, unless told otherwise."""


def skew_limits() -> SkewLimits:
    """The limits of the service. `level` is the usual one; the others are choices, not measured."""
    return SkewLimits()
