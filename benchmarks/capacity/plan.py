"""What so many users need, from measured coefficients."""

import math

from memory.records.base import Record

BUSY = 0.6
"""Share of its throughput at which a process is run: queues grow fast above it."""
SECONDS_A_DAY = 86_400


class Load(Record):
    """What the users of a service do."""

    users: int = 1_000_000
    active: float = 0.1
    """Share of the users who chat on a day."""
    turns: float = 8.0
    """Turns of an active user a day."""
    busiest: float = 0.1
    """Share of a day's turns in its busiest hour; an even day has 1/24."""
    unsure: float = 0.2
    """Share of the turns that are answered from sources: a search, and at most a second model call."""
    tokens: int = 120
    """Tokens of an answer."""
    passages: int = 1_000_000
    taught: int = 2_000
    """Passages that are taught in a night, of all domains."""

    @property
    def turns_a_day(self) -> float:
        """Turns of all users."""
        return self.users * self.active * self.turns

    @property
    def turns_a_second(self) -> float:
        """In the busiest hour."""
        return self.turns_a_day * self.busiest / 3600


class Coefficients(Record):
    """What one unit of work takes, as measured."""

    api_turns: float
    """Turns a second of one api process on one core, without the model."""
    model_tokens: float
    """Tokens a second of one engine with adapters, at 32 clients."""
    search_seconds: float
    """Processor seconds of a search."""
    ingest: float
    """Passages a second of one process, with facts and vectors."""
    teach_seconds: float
    """Seconds of a trainer for each passage of a lesson."""
    passage_bytes: float
    """Of a passage in LanceDB, with its vector and full text."""
    turn_bytes: float
    """Of a logged turn with its feedback, in the database."""
    adapter_bytes: float
    """Of an adapter's weights, on disk and in the engine."""


class Need(Record):
    """One line of the plan."""

    part: str
    amount: str
    because: str


def plan(load: Load, measured: Coefficients) -> tuple[Need, ...]:
    """What the load needs in each part of the service."""
    turns, calls = load.turns_a_second, load.turns_a_second * (1 + load.unsure)
    tokens = calls * load.tokens
    searches = turns * load.unsure
    night_hours = load.taught * measured.teach_seconds / 3600
    return (
        _need("api processes", turns / measured.api_turns / BUSY, f"{turns:.0f} turns/s in the busiest hour"),
        _need("engines", tokens / measured.model_tokens / BUSY, f"{tokens:,.0f} tokens/s"),
        _need("cores for searches", searches * measured.search_seconds / BUSY, f"{searches:.0f} searches/s"),
        _need("trainers for a night of 6 h", night_hours / 6, f"{load.taught:,} passages are taught"),
        Need(
            part="first reading of the library",
            amount=f"{load.passages / measured.ingest / 3600:,.0f} process hours",
            because=f"{load.passages:,} passages",
        ),
        Need(
            part="passages on disk",
            amount=_size(load.passages * measured.passage_bytes),
            because=f"{load.passages:,} passages",
        ),
        Need(
            part="database, a year of turns",
            amount=_size(365 * load.turns_a_day * measured.turn_bytes),
            because=f"{load.turns_a_day:,.0f} turns a day",
        ),
        Need(
            part="adapters in 1 GiB of an engine's memory",
            amount=f"{math.floor(2**30 / measured.adapter_bytes)}",
            because=f"{_size(measured.adapter_bytes)} each",
        ),
    )


def _need(part: str, amount: float, because: str) -> Need:
    return Need(part=part, amount=f"{math.ceil(amount):,}", because=because)


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
