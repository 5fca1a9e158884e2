"""Collects the turns that a night goes over: the newest of its period, without those it must not use."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from agent.feedback.pair_sources import Evidence
from agent.nights.reported import ReportedTurns, read_reported
from memory.feedback.feedback import FeedbackStore
from memory.feedback.interactions import InteractionLog
from memory.records.access import Access
from memory.records.base import Record
from memory.records.interactions import Interaction
from memory.records.nights import Night

EXCLUDED_OWNER = "its owner is excluded"
PRIVATE = "reported as private, or quotes a turn that was"
NOT_SHARED = "it quotes a document that is not shared, or of another closed domain"
EMPTY = "no question or no answer"
OVER_LIMIT = "older than the newest that are gone over"
LONGEST_GAP = timedelta(days=7)
"""Longer times between nights are not made up for: the first night after them goes over a day."""


class Collected(Record):
    """The turns of a night, and how many were left out, by reason."""

    turns: tuple[Interaction, ...]
    """Oldest first."""
    left_out: dict[str, int]

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the turns, oldest first."""
        return tuple(turn.id for turn in self.turns)

    @property
    def figures(self) -> dict[str, float]:
        """Counts of the turns and of those left out."""
        return {
            "turns": len(self.turns),
            "questions": sum(turn.intent == "question" for turn in self.turns),
            "abstained": sum(turn.outcome == "abstained" for turn in self.turns),
            "units": len({turn.user for turn in self.turns if turn.user is not None}),
            "owners": len({turn.owner for turn in self.turns if turn.owner is not None}),
            "left_out": sum(self.left_out.values()),
        }


async def collect(log: InteractionLog, feedback: FeedbackStore, night: Night, access: Access) -> Collected:
    """The turns of the night's domain and period that may be used, at most `max_turns`, the newest.

    Turns in which the service itself abstained are among them, those that quote what `access` may not read
    are not. Raises StoreUnavailable.
    """
    newest: deque[Interaction] = deque(maxlen=night.options.max_turns)
    usable = 0
    left_out: Counter[str] = Counter()
    reported = await read_reported(log, feedback)
    async for page in log.stream(night.since, night.until, domain=night.domain):
        for turn in page:
            reason = _why_not(turn, night, reported, access)
            if reason is None:
                newest.append(turn)
                usable += 1
            else:
                left_out[reason] += 1
    if len(newest) < usable:
        left_out[OVER_LIMIT] = usable - len(newest)
    return Collected(turns=tuple(newest), left_out=dict(left_out))


def covered_until(nights: Iterable[Night]) -> datetime | None:
    """The end of the period that nights of one domain have gone over without a gap; None if none was done.

    A night that was asked to begin later leaves a gap, which the next one goes over. Gaps of more than
    LONGEST_GAP are left.
    """
    covered: datetime | None = None
    for night in sorted(nights, key=lambda night: (night.began_at, night.id)):
        if night.status != "done":
            continue
        if covered is None or not timedelta(0) < night.since - covered <= LONGEST_GAP:
            covered = night.until if covered is None else max(covered, night.until)
    return covered


async def usable_evidence(
    evidence: Evidence, log: InteractionLog, feedback: FeedbackStore, night: Night, access: Access
) -> Evidence:
    """The evidence without turns that the night must not use, also older ones, and what is about them.

    Raises StoreUnavailable.
    """
    turns = {turn.id: turn for turn in evidence.interactions}
    annotated = {item.interaction_id for item in evidence.items if item.interaction_id is not None}
    turns |= {turn.id: turn for turn in await log.of(annotated - turns.keys())}
    reported = await read_reported(log, feedback)
    left_out = {
        turn.id
        for turn in turns.values()
        if _why_not(turn, night, reported, access) in (EXCLUDED_OWNER, PRIVATE, NOT_SHARED)
    }
    excluded = night.options.exclude_owners
    return Evidence(
        interactions=[turn for turn in evidence.interactions if turn.id not in left_out],
        feedback=[
            each
            for each in evidence.feedback
            if each.interaction_id not in left_out and (each.owner is None or each.owner not in excluded)
        ],
        items=[item for item in evidence.items if item.interaction_id not in left_out],
        judgements=evidence.judgements,
    )


def by_unit(turns: Sequence[Interaction]) -> tuple[Interaction, ...]:
    """The turns with those of one user or conversation side by side, each in order of time."""
    return tuple(sorted(turns, key=lambda turn: (turn.user or "", turn.created_at, turn.id)))


def _why_not(turn: Interaction, night: Night, reported: ReportedTurns, access: Access) -> str | None:
    if turn.owner is not None and turn.owner in night.options.exclude_owners:
        return EXCLUDED_OWNER
    if reported.cover(turn):
        return PRIVATE
    if not access.may_quote(turn.citations):
        return NOT_SHARED
    return None if turn.question.strip() and turn.answer.strip() else EMPTY
