"""The net gain of growing, the one number that says whether it paid, and the report around it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from agent.growth.records import ClosedBook, GrownDomain, GrownLesson, GrowthReport, NetGain
from memory.records.adapters import Adapter
from memory.records.runs import Lever

Z95 = 1.96


@dataclass(frozen=True)
class Measured:
    """What was measured of one domain."""

    source: Adapter
    target: Adapter | None
    """The adapter that is live on the target now."""
    lessons: Sequence[GrownLesson]
    attempts: Sequence[Adapter]
    """What the target's worker trained for these lessons."""
    on_source: Sequence[ClosedBook]
    """Answers without the adapter, and with it."""
    on_target: Sequence[ClosedBook]


def growth_report(source: str, target: str, lever: Lever, measured: Sequence[Measured]) -> GrowthReport:
    """The report over all domains; each question counts once."""
    domains = tuple(_domain(each) for each in measured)
    asked = [(each, domain) for each, domain in zip(measured, domains, strict=True) if domain.questions]
    count = sum(domain.questions for _, domain in asked)
    gain = None
    if count:
        gain = net_gain(
            [right for each, _ in asked for right in each.on_source[-1].right],
            [right for each, _ in asked for right in each.on_target[-1].right],
            forgot_more=sum(domain.questions * _forgot_more(domain) for _, domain in asked) / count,
        )
    return GrowthReport(source=source, target=target, lever=lever, domains=domains, gain=gain)


def _domain(measured: Measured) -> GrownDomain:
    (source_before, source_after), (target_before, target_after) = measured.on_source, measured.on_target
    domain = GrownDomain(
        domain=measured.source.domain,
        source_adapter=measured.source.name,
        target_adapter=measured.target.name if measured.target else None,
        lessons=tuple(measured.lessons),
        questions=len(source_after.right),
        source_before=source_before.accuracy,
        source_after=source_after.accuracy,
        target_before=target_before.accuracy,
        target_after=target_after.accuracy,
        source_forgot=_forgot(measured.source),
        target_forgot=_forgot(measured.target) if measured.target else 0.0,
        training_seconds=sum(adapter.training_seconds for adapter in measured.attempts),
        measuring_seconds=sum(each.seconds for each in (*measured.on_source, *measured.on_target)),
        gain=None,
        notes=_notes(measured),
    )
    if not source_after.right:
        return domain
    gain = net_gain(source_after.right, target_after.right, forgot_more=_forgot_more(domain))
    return domain.model_copy(update={"gain": gain})


def _notes(measured: Measured) -> tuple[str, ...]:
    notes = []
    if measured.source.preferences:
        sets = ", ".join(digest[:12] for digest in measured.source.preferences)
        notes.append(f"preferences are not moved, train them again: {sets}")
    if not measured.on_source[-1].right:
        notes.append("no lesson has a held-out wording, so nothing was asked")
    return tuple(notes)


def _forgot(adapter: Adapter) -> float:
    """As its evaluation measured it, in points."""
    before, after = adapter.before.out_of_distribution, adapter.after.out_of_distribution
    return 100 * (before.accuracy - after.accuracy)


def _forgot_more(domain: GrownDomain) -> float:
    return max(0.0, domain.target_forgot - domain.source_forgot)


def net_gain(source: Sequence[bool], target: Sequence[bool], *, forgot_more: float = 0.0) -> NetGain:
    """The net gain over questions that both models were asked, in the same order.

    `forgot_more` is what the target forgot of general questions beyond what the source forgot, in points, and
    at least zero: nobody gains by having learned little. The interval is Wald's for paired
    proportions with the Agresti-Min adjustment (Agresti and Min 2005, Statistics in Medicine 24), which holds
    its level for small samples too. Raises ValueError without questions, or for two lengths.
    """
    if not source or len(source) != len(target):
        raise ValueError(f"paired answers are needed, but there are {len(source)} and {len(target)}")
    count = len(source)
    won = sum(after and not before for before, after in zip(source, target, strict=True))
    lost = sum(before and not after for before, after in zip(source, target, strict=True))
    adjusted, half_won, half_lost = count + 2, won + 0.5, lost + 0.5
    centre = (half_won - half_lost) / adjusted
    spread = Z95 * math.sqrt(half_won + half_lost - (half_won - half_lost) ** 2 / adjusted) / adjusted
    return NetGain(
        points=100 * (won - lost) / count - forgot_more,
        low=100 * (centre - spread) - forgot_more,
        high=100 * (centre + spread) - forgot_more,
        questions=count,
    )
