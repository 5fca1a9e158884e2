"""Sentences of the morning report: what was refused, what no longer counts, what people should look at."""

from collections import Counter
from collections.abc import Sequence

from agent.skew.records import SkewReport
from memory.records.adapters import Adapter
from memory.records.attacks import Attack
from memory.records.nights import GoldenPair, Night, Revision, StepReport


def refused(
    steps: Sequence[StepReport],
    revisions: Sequence[Revision],
    golden: Sequence[GoldenPair],
    adapters: Sequence[Adapter],
) -> tuple[str, ...]:
    """What was not learned or not deployed, and why."""
    revised = Counter(revision.status for revision in revisions)
    withdrawn = next((each.figures for each in steps if each.step == "golden"), {}).get("withdrawn", 0)
    counts = _counts(
        ("Low answers left as they are, because nothing better was found", revised["no_better"]),
        ("Revised answers dropped, because no source supports them", revised["unverified"]),
        ("Revised answers rejected by a reviewer or a person", revised["rejected"]),
        ("Golden pairs declined by a person", sum(pair.status == "declined" for pair in golden)),
        ("Golden pairs of earlier nights withdrawn, because new ones contradict them", withdrawn),
    )
    rejected = [
        f"Adapter {adapter.name} was rejected: {'; '.join(adapter.verdict.reasons)}."
        for adapter in adapters
        if adapter.status == "rejected"
    ]
    skipped = [
        f"The step {each.step} was skipped: {_reason(each.reason)}."
        for each in steps
        if each.status == "skipped"
    ]
    return (*counts, *rejected, *skipped)


def forgotten(steps: Sequence[StepReport]) -> tuple[str, ...]:
    """What users stated and no longer counts: its time has passed, or they said otherwise later."""
    figures = next((each.figures for each in steps if each.step == "consolidate"), {})
    return _counts(
        ("Statements of users that are out of date", figures.get("stale", 0)),
        ("Statements of users that they contradicted later", figures.get("contradicted", 0)),
    )


def attention(
    night: Night,
    steps: Sequence[StepReport],
    revisions: Sequence[Revision],
    golden: Sequence[GoldenPair],
    skew: SkewReport | None = None,
    attacks: Sequence[Attack] = (),
) -> tuple[str, ...]:
    """What people should look at, most urgent first."""
    ended = {"failed": "failed", "stopped": "was stopped"}.get(night.status)
    early = [f"The night {ended}: {_reason(night.reason)}."] if ended else []
    failed = [
        f"The step {each.step} failed: {_reason(each.reason)}." for each in steps if each.status == "failed"
    ]
    queued = [pair for pair in golden if pair.is_queued]
    queue = _counts(
        ("Low answers that need a person", sum(each.status == "needs_person" for each in revisions)),
        ("Golden pairs that wait for a spot check", sum(pair.status == "waiting" for pair in queued)),
        ("Golden pairs to spot-check, taught meanwhile", sum(p.status == "approved" for p in queued)),
    )
    disputed = next((each.figures for each in steps if each.step == "consolidate"), {}).get("disputed", 0)
    users = _counts(
        (
            "Statements in which users contradict each other, see `nightschool statements disputed`",
            disputed,
        )
    )
    fell = _counts(
        (
            "Attacks that the model fell for, see `nightschool night attacks`",
            sum(each.result == "fell" for each in attacks),
        )
    )
    skewed = [f"Skew in {alarm}." for alarm in (() if skew is None else skew.alarms)]
    return (*early, *failed, *queue, *users, *fell, *skewed)


def one_line(reason: str) -> str:
    """A reason of several lines, one for each thing that was tried, on one line."""
    return " / ".join(line.strip() for line in reason.splitlines() if line.strip())


def _reason(reason: str) -> str:
    return one_line(reason).rstrip(".") or "no reason was given"


def _counts(*counted: tuple[str, float]) -> tuple[str, ...]:
    return tuple(f"{what}: {count:,.0f}." for what, count in counted if count > 0)
