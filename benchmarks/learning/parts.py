"""The parts of `benchmarks.learning`: the texts to learn, with limits that keep the run short.

`Part.reduction` says what a part leaves out compared with the product; the report prints it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.learning.data import (
    Text,
    manual,
    merge_texts,
    rust_book,
    sequence,
    single_passage_texts,
    squad,
    tollan_ferry,
    unanswerable_questions,
)
from benchmarks.learning.variants import ABLATIONS, BASELINES, VARIANTS
from training.evaluation_questions import QuestionCounts

SINGLE_PASSAGES = 20
"""Passages that are learned one per lesson, as in SEAL's protocol (arXiv 2506.10943)."""
EXTRACTION = "reading"
SMALL = QuestionCounts(most=60, general=100, unknown=30, own=20)
LARGE = QuestionCounts(most=120, general=300, unknown=60, own=60)
QUICK = QuestionCounts(most=40, general=100, unknown=20, own=10)


@dataclass(frozen=True)
class Part:
    """A part of the benchmark: texts to learn and how to evaluate them."""

    name: str
    title: str
    """Prefix of its figures."""
    texts: Callable[[Path], Sequence[Text]]
    seconds: float
    """Estimated time per text, including evaluation."""
    question_counts: QuestionCounts = LARGE
    max_facts: int | None = None
    """Maximum number of facts taught per text; None for the product's limit."""
    sourced_questions: int = 0
    """Number of questions that are also asked with sources."""
    all_seeds: bool = False
    """Whether to run it with every seed instead of the first one only."""
    attempts: int = 2
    """Maximum number of attempts per lesson; see `training.jobs.ATTEMPTS`."""
    replay_questions: int | None = None
    """Overrides `Recipe.known`."""
    bare_steps: int = 0
    """Number of steps of the bare loop that is timed for comparison."""
    reduction: str = ""
    """What it leaves out to save time."""


@dataclass(frozen=True)
class Trial:
    """A part with one variant and one seed."""

    part: Part
    variant: str
    seed: int

    @property
    def seconds(self) -> float:
        """Estimated time per text."""
        return self.part.seconds * VARIANTS[self.variant].relative_time


def find_part(name: str) -> Part:
    """The part of that name. Raises ValueError if there is none."""
    kind, _, suffix = name.rpartition("-")
    if name in NAMED_PARTS:
        return NAMED_PARTS[name]
    if suffix == "all":
        part = find_part(kind)
        title = f"{part.title}, all facts"
        return replace(part, name=name, title=title, seconds=4 * part.seconds, max_facts=None, reduction="")
    if kind == "sequence" and suffix.isdigit():
        return _sequence_part(int(suffix))
    if kind == "squad" and suffix.isdigit():
        return _squad_part(int(suffix))
    raise ValueError(
        f"there is no part {name!r}: name one of {', '.join(NAMED_PARTS)}, squad-N, squad-N-all or sequence-N"
    )


def trials(names: Sequence[str], seeds: Sequence[int]) -> list[Trial]:
    """The trials for a list of PART or PART:VARIANT. Raises ValueError for an unknown name."""
    listed = []
    for name in names:
        part_name, _, variant = name.partition(":")
        variant = variant or "product"
        if variant not in VARIANTS:
            raise ValueError(f"there is no variant {variant!r}: name one of {', '.join(VARIANTS)}")
        part = find_part(part_name)
        listed += [Trial(part, variant, seed) for seed in (seeds if part.all_seeds else seeds[:1])]
    # The product comes first, because the null adapter is made from its adapter.
    return sorted(listed, key=lambda trial: trial.variant != "product")


def _squad_part(count: int) -> Part:
    name = f"squad-{count}"

    def texts(data: Path) -> list[Text]:
        passages = squad(data, count, seed=count)
        return [merge_texts(name, passages, unanswerable_questions(data, passages, seed=count))]

    large = count >= 30
    return Part(
        name,
        f"squad, {count} passages",
        texts,
        seconds=(20 if large else 40) * count + 120,
        max_facts=400 if large else None,
        sourced_questions=0 if count < 10 else 40,
        all_seeds=not large,
        bare_steps=30 if count == 10 else 0,
        reduction=f"the product's first 400 facts of about {18 * count}; {name}-all teaches all in an hour"
        if large
        else "",
    )


def _sequence_part(count: int) -> Part:
    return Part(
        f"sequence-{count}",
        f"{count} lessons in sequence",
        lambda data: sequence(data, count),
        seconds=90,
        question_counts=SMALL,
        max_facts=10,
        reduction="10 facts per lesson, because each lesson also rehearses all earlier ones",
    )


def _manual_part(name: str) -> Part:
    return Part(
        f"manual-{name}",
        f"manual-{name}",
        lambda data: [manual(data, name)],
        seconds=360,
        max_facts=120,
        sourced_questions=40,
        reduction="the product's first 120 facts of the pages that answer a question; the library has all"
        f" pages; manual-{name}-all uses the product's own limit",
    )


NAMED_PARTS: dict[str, Part] = {
    part.name: part
    for part in (
        Part(EXTRACTION, "reading", lambda _: (), seconds=60, reduction="60 passages of each corpus"),
        Part(
            "squad-1",
            "squad, one passage a lesson",
            lambda data: single_passage_texts(data, SINGLE_PASSAGES),
            seconds=55,
            question_counts=SMALL,
            all_seeds=True,
        ),
        Part(
            "section-lift",
            "section lift",
            lambda data: single_passage_texts(data, 3),
            seconds=60,
            question_counts=SMALL,
            reduction="three passages; squad-1 has the same figure for twenty",
        ),
        _manual_part("httpx"),
        _manual_part("pihole"),
        Part(
            "rust-book",
            "rust-book",
            lambda data: [rust_book(data)],
            seconds=360,
            max_facts=120,
            sourced_questions=40,
            reduction="the product's first 120 facts of the pages that answer a question; rust-book-all uses"
            " the product's own limit",
        ),
        Part(
            "tollan-ferry",
            "tollan-ferry",
            lambda _: [tollan_ferry()],
            seconds=200,
            question_counts=QUICK,
            max_facts=10,
            sourced_questions=6,
            attempts=1,
            replay_questions=100,
            bare_steps=4,
            reduction="10 facts, one attempt and fewer questions of each kind: a smoke test",
        ),
    )
}
DEFAULT = (
    EXTRACTION,
    "squad-10",
    *(f"squad-10:{name}" for name in BASELINES),
    "squad-1",
    "manual-httpx",
    "manual-pihole",
    "sequence-10",
    "squad-50",
    "rust-book",
)
SMOKE = (EXTRACTION, "tollan-ferry")
"""Takes less than five minutes and needs no downloaded data."""
ABLATED = "squad-5"
ABLATION = (
    ABLATED,
    *(f"{ABLATED}:{name}" for name in ABLATIONS if name != "cumulative"),
    "sequence-3",
    "sequence-3:cumulative",
    "section-lift",
)
