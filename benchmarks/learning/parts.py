"""What `benchmarks.learning` measures, part by part: which texts are taught, and how much of them.

What was scaled down to save time is said in `Part.scaled`, which the results print.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.learning.data import (
    Text,
    manual,
    one_a_lesson,
    rust_book,
    sequence,
    squad,
    strange,
    together,
    tollan_ferry,
)
from benchmarks.learning.variants import ABLATIONS, BASELINES, VARIANTS
from training.evaluation_questions import QuestionCounts

ALONE = 20
"""Passages that are taught alone, as in SEAL's protocol (arXiv 2506.10943)."""
READING = "reading"
SMALL = QuestionCounts(most=60, general=100, unknown=30, own=20)
LARGE = QuestionCounts(most=120, general=300, unknown=60, own=60)
QUICK = QuestionCounts(most=40, general=100, unknown=20, own=10)


@dataclass(frozen=True)
class Part:
    """One part."""

    name: str
    title: str
    """What its figures are called."""
    texts: Callable[[Path], Sequence[Text]]
    seconds: float
    """About what a text takes, measuring included."""
    sizes: QuestionCounts = LARGE
    facts: int | None = None
    """Most facts that are taught of a text; None for the product's own limit."""
    sourced: int = 0
    """Questions that are asked with sources as well."""
    seeded: bool = False
    """Measured for each seed; else for the first one only."""
    attempts: int = 2
    """Times that the product tries a lesson; see `training.jobs.ATTEMPTS`."""
    known: int | None = None
    """Questions that the model knows whose answers are held; None for the recipe's."""
    bare_steps: int = 0
    """Steps of the bare loop that is timed beside it."""
    scaled: str = ""
    """What was scaled down, and why."""


@dataclass(frozen=True)
class Lot:
    """One part taught in one way with one seed."""

    part: Part
    variant: str
    seed: int

    @property
    def seconds(self) -> float:
        """About what each of its texts takes."""
        return self.part.seconds * VARIANTS[self.variant].effort


def part_of(name: str) -> Part:
    """The part of that name. Raises ValueError if there is none."""
    kind, _, count = name.rpartition("-")
    if name in FIXED:
        return FIXED[name]
    if count == "all":
        part = part_of(kind)
        title = f"{part.title}, all facts"
        return replace(part, name=name, title=title, seconds=4 * part.seconds, facts=None, scaled="")
    if kind == "sequence" and count.isdigit():
        return _sequence(int(count))
    if kind == "squad" and count.isdigit():
        return _squad(int(count))
    raise ValueError(
        f"there is no part {name!r}: name {', '.join(FIXED)}, squad-N, squad-N-all or sequence-N"
    )


def lots(names: Sequence[str], seeds: Sequence[int]) -> list[Lot]:
    """The lots of parts, each named as PART or PART:VARIANT. Raises ValueError for an unknown one."""
    found = []
    for name in names:
        part_name, _, variant = name.partition(":")
        variant = variant or "product"
        if variant not in VARIANTS:
            raise ValueError(f"there is no variant {variant!r}: name one of {', '.join(VARIANTS)}")
        part = part_of(part_name)
        found += [Lot(part, variant, seed) for seed in (seeds if part.seeded else seeds[:1])]
    return sorted(found, key=lambda lot: lot.variant != "product")  # the controls need the product's adapter


def _squad(count: int) -> Part:
    name = f"squad-{count}"

    def texts(data: Path) -> list[Text]:
        found = squad(data, count, seed=count)
        return [together(name, found, strange(data, found, seed=count))]

    large = count >= 30
    return Part(
        name,
        f"squad, {count} passages",
        texts,
        seconds=(20 if large else 40) * count + 120,
        facts=400 if large else None,
        sourced=0 if count < 10 else 40,
        seeded=not large,
        bare_steps=30 if count == 10 else 0,
        scaled=f"400 facts of about {18 * count}, in the product's order: {name}-all teaches all, in an hour"
        if large
        else "",
    )


def _sequence(count: int) -> Part:
    return Part(
        f"sequence-{count}",
        f"{count} lessons in sequence",
        lambda data: sequence(data, count),
        seconds=90,
        sizes=SMALL,
        facts=10,
        scaled="10 facts a lesson: ten lessons take time, each with a rehearsal of those before",
    )


def _manual(name: str) -> Part:
    return Part(
        f"manual-{name}",
        f"manual-{name}",
        lambda data: [manual(data, name)],
        seconds=360,
        facts=120,
        sourced=40,
        scaled="120 facts of the pages that people's questions ask about, in the product's order; the library"
        f" holds all pages: manual-{name}-all teaches as many facts as the product would",
    )


FIXED: dict[str, Part] = {
    part.name: part
    for part in (
        Part(READING, "reading", lambda _: (), seconds=60, scaled="60 passages of each corpus"),
        Part(
            "squad-1",
            "squad, one passage a lesson",
            lambda data: one_a_lesson(data, ALONE),
            seconds=55,
            sizes=SMALL,
            seeded=True,
        ),
        Part(
            "section-lift",
            "section lift",
            lambda data: one_a_lesson(data, 3),
            seconds=60,
            sizes=SMALL,
            scaled="three passages; squad-1 gives the same figure over twenty",
        ),
        _manual("httpx"),
        _manual("pihole"),
        Part(
            "rust-book",
            "rust-book",
            lambda data: [rust_book(data)],
            seconds=360,
            facts=120,
            sourced=40,
            scaled="120 facts of the pages asked about, in the product's order: rust-book-all teaches"
            " as many as the product would",
        ),
        Part(
            "tollan-ferry",
            "tollan-ferry",
            lambda _: [tollan_ferry()],
            seconds=200,
            sizes=QUICK,
            facts=10,
            sourced=6,
            attempts=1,
            known=100,
            bare_steps=4,
            scaled="10 facts, one attempt, fewer questions of each kind: a check that everything runs",
        ),
    )
}
DEFAULT = (
    READING,
    "squad-10",
    *(f"squad-10:{name}" for name in BASELINES),
    "squad-1",
    "manual-httpx",
    "manual-pihole",
    "sequence-10",
    "squad-50",
    "rust-book",
)
SMOKE = (READING, "tollan-ferry")
"""Under five minutes, and without any data that is not ours."""
ABLATED = "squad-5"
ABLATION = (
    ABLATED,
    *(f"{ABLATED}:{name}" for name in ABLATIONS if name != "cumulative"),
    "sequence-3",
    "sequence-3:cumulative",
    "section-lift",
)
