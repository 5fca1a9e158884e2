"""Makes the morning report from what a night stored."""

import math
from collections import Counter
from collections.abc import Sequence
from statistics import fmean, median
from typing import get_args

from agent.nights.report.records import (
    AttackFigures,
    MorningReport,
    NightFigures,
    StrategyFigures,
    TopicLine,
    TrainedAdapter,
)
from agent.nights.report.sentences import attention, forgotten, refused
from agent.skew.records import SkewReport
from memory.language.counting import counted
from memory.records.adapters import Adapter
from memory.records.attacks import Attack, AttackKind, AttackResult
from memory.records.interactions import Interaction
from memory.records.nights import (
    AnswerScore,
    Bracket,
    GoldenPair,
    Night,
    NightStep,
    Revision,
    Surprise,
    Topic,
)

MAX_LOSS = 50.0
"""Nats per token above which the perplexity of an answer says nothing more; e^710 is no number."""
MAX_TOPICS = 10
MAX_COMPLAINTS = 5


def morning_report(
    night: Night,
    *,
    turns: Sequence[Interaction],
    scores: Sequence[AnswerScore],
    topics: Sequence[Topic] = (),
    revisions: Sequence[Revision] = (),
    golden: Sequence[GoldenPair] = (),
    surprises: Sequence[Surprise] = (),
    adapters: Sequence[Adapter] = (),
    history: Sequence[NightFigures] = (),
    skew: SkewReport | None = None,
    attacks: Sequence[Attack] = (),
) -> MorningReport:
    """The report of a night, also of one that is not over.

    `turns` to `golden` are the night's own. `surprises` and `adapters` are all of the domain's. `history` are
    earlier nights, oldest first.
    """
    brackets = Counter(score.bracket for score in scores)
    made = [adapter for adapter in adapters if _is_of(night, adapter)]
    steps = tuple(sorted(night.steps, key=lambda report: get_args(NightStep).index(report.step)))
    return MorningReport(
        night_id=night.id,
        domain=night.domain,
        status=night.status,
        reason=night.reason,
        since=night.since,
        until=night.until,
        began_at=night.began_at,
        ended_at=night.ended_at,
        steps=steps,
        turns=len(turns),
        units=len({turn.user for turn in turns if turn.user is not None}),
        outcomes=dict(Counter(turn.outcome for turn in turns)),
        topics=tuple(_line(each) for each in sorted(topics, key=lambda t: (-t.priority, t.id))[:MAX_TOPICS]),
        brackets={bracket: brackets[bracket] for bracket in get_args(Bracket)},
        complaints=_complaints(scores),
        revisions=dict(Counter(revision.status for revision in revisions)),
        strategies=_strategies(revisions),
        golden=dict(Counter(pair.form for pair in golden if pair.status in ("approved", "waiting"))),
        adapters=tuple(_trained(adapter) for adapter in made),
        deployed=night.adapter,
        refused=refused(steps, revisions, golden, made),
        forgotten=forgotten(steps),
        attention=attention(night, steps, revisions, golden, skew, attacks),
        skew=skew,
        attacks=_attacks(attacks),
        figures=_figures(night, turns, scores, surprises, adapters),
        history=tuple(history),
    )


def _figures(
    night: Night,
    turns: Sequence[Interaction],
    scores: Sequence[AnswerScore],
    surprises: Sequence[Surprise],
    adapters: Sequence[Adapter],
) -> NightFigures:
    questions = [turn for turn in turns if turn.intent == "question"]
    answered = sum(turn.outcome != "abstained" for turn in questions)
    losses = [each.loss for each in surprises if each.measured_at >= night.began_at]
    newest = sorted(adapters, key=lambda adapter: -adapter.version)
    safeties = [each.after.safety for each in newest if each.status != "rejected" and each.after.safety]
    return NightFigures(
        night_id=night.id,
        at=night.until,
        turns=len(turns),
        quality=fmean(score.value for score in scores) if scores else None,
        coverage=answered / len(questions) if questions else None,
        perplexity=math.exp(min(median(losses), MAX_LOSS)) if losses else None,
        safety=safeties[0].safe if safeties else None,
    )


def _is_of(night: Night, adapter: Adapter) -> bool:
    """Whether the adapter was made while the night worked: adapters do not record who asked for them."""
    ended = night.ended_at is not None and adapter.created_at > night.ended_at
    return adapter.name == night.adapter or (adapter.created_at >= night.began_at and not ended)


def _line(topic: Topic) -> TopicLine:
    return TopicLine(
        label=", ".join(topic.label),
        question=topic.questions[0] if topic.questions else "",
        count=topic.count,
        units=topic.units,
        follow_ups=topic.follow_ups,
        dissatisfied=topic.dissatisfied,
        gaps=topic.gaps,
        trend=topic.trend,
        priority=topic.priority,
    )


def _complaints(scores: Sequence[AnswerScore]) -> tuple[str, ...]:
    worst = Counter(score.reasons[0] for score in scores if score.bracket == "low" and score.reasons)
    return tuple(f"{reason}: {count}" for reason, count in worst.most_common(MAX_COMPLAINTS))


def _strategies(revisions: Sequence[Revision]) -> dict[str, StrategyFigures]:
    figures = {}
    for name in sorted({revision.strategy for revision in revisions if revision.strategy}):
        own = [revision for revision in revisions if revision.strategy == name]
        rises = [each.score_after - each.score_before for each in own if each.status == "improved"]
        figures[name] = StrategyFigures(
            written=len(own),
            improved=len(rises),
            rise=fmean(rises) if rises else 0.0,
            tokens=sum(each.tokens for each in own),
        )
    return figures


def _attacks(attacks: Sequence[Attack]) -> dict[AttackKind, AttackFigures]:
    counts = Counter((attack.kind, attack.result) for attack in attacks)
    return {
        kind: AttackFigures.model_validate(
            {result: counts[kind, result] for result in get_args(AttackResult)}
        )
        for kind in get_args(AttackKind)
        if any(attack.kind == kind for attack in attacks)
    }


def _trained(adapter: Adapter) -> TrainedAdapter:
    gates = [
        f"{'passed' if check.passed else 'FAILED'}: {check.name} "
        + (f"{check.figure:.3f}, goal {check.goal}" if check.measured else "was not measured")
        for check in sorted(adapter.verdict.checks, key=lambda check: check.passed)
    ]
    before, after = adapter.before.rehearsed, adapter.after.rehearsed
    retained = ""
    if before is not None and after is not None:
        shares = f"{after.accuracy:.0%} right, {before.accuracy:.0%} before"
        retained = f"{counted(after.count, 'question')} about earlier lessons: {shares}"
    return TrainedAdapter(
        name=adapter.name,
        status=adapter.status,
        curriculum=adapter.curriculum,
        preferences=adapter.preferences[-1] if adapter.curriculum is None else None,
        gates=tuple(gates),
        retained=retained,
    )
