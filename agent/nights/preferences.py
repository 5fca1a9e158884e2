"""The preference pairs of a night: its revisions over the answers that they replace, and answers by score."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from agent.feedback.pair_sources import (
    OWN_ANSWERS,
    Candidate,
    Evidence,
    PairRules,
    contributors,
    standard_rules,
)
from agent.feedback.pairs import PairCounts, TooFewPairs, build_set
from agent.grading import normalise
from memory.language.counting import counted
from memory.records.base import Domain
from memory.records.feedback import Algorithm, PreferencePair, PreferenceSet
from memory.records.interactions import Interaction, LoggedMessage
from memory.records.nights import AnswerScore, Revision

POINTS_APART = 2.0
"""Least difference between the scores of a better and a worse answer; chosen, as with less the scorer's own
error would decide."""
SCALE = 9.0
"""Points between the lowest and the highest score."""


class NightPreferences(NamedTuple):
    """The preference set of a night."""

    preferences: PreferenceSet | None
    """None if there are too few pairs."""
    counts: PairCounts | None
    """None without a set."""
    reason: str
    """What the set is made of, or why there is none, in words."""


def night_preferences(
    revisions: Sequence[Revision],
    evidence: Evidence,
    *,
    domain: Domain,
    evaluated: Collection[str],
    minimum: int,
    algorithm: Algorithm = "dpo",
    scores: Mapping[str, AnswerScore] | None = None,
    rules: PairRules | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> NightPreferences:
    """The set of the domain's improved revisions and of the period's feedback and annotation.

    `evidence` needs the revisions' turns, and is without what concerns a user alone; see
    `agent.feedback.preference_evidence`, also for `evaluated`.
    `scores`, by interaction, matter to GRPO alone, whose reward model learns from them as well.
    """
    rules = rules or standard_rules()
    turns = [turn for turn in evidence.interactions if turn.domain == domain]
    further = list(revision_pairs([each for each in revisions if each.domain == domain], turns, rules))
    if algorithm == "grpo" and scores:
        further += scored_pairs(turns, scores, rules)
    try:
        preferences, counts = build_set(
            domain,
            evidence,
            algorithm=algorithm,
            evaluated=evaluated,
            minimum=minimum,
            rules=rules,
            since=since,
            until=until,
            further=further,
        )
    except TooFewPairs as error:
        return NightPreferences(None, None, str(error))
    origins = ", ".join(f"{count} by {origin}" for origin, count in sorted(counts.by_origin.items()))
    pairs = counted(sum(counts.by_origin.values()), "pair")
    return NightPreferences(preferences, counts, f"{pairs}: {origins}")


def revision_pairs(
    revisions: Sequence[Revision], turns: Sequence[Interaction], rules: PairRules
) -> Iterator[Candidate]:
    """Each improved answer, over the one that it replaces if that was the model's own.

    Its question is the self-contained one, so that the pair needs no conversation. A revision whose turn is
    gone, because its user or retention deleted it, gives none.
    """
    by_id = {turn.id: turn for turn in turns}
    for revision in revisions:
        turn = by_id.get(revision.interaction_id)
        if revision.status != "improved" or turn is None or not revision.answer.strip():
            continue
        is_own = turn.outcome in OWN_ANSWERS and bool(revision.before.strip())
        if " ".join(revision.answer.split()) == " ".join(revision.before.split()):
            continue
        pair = PreferencePair(
            messages=(LoggedMessage(role="user", content=revision.question),),
            chosen=revision.answer,
            rejected=revision.before if is_own else None,
            origin="revision",
            source=revision.night_id,
            weight=rules.revision,
        )
        yield Candidate(pair, contributors(turn))


def scored_pairs(
    turns: Sequence[Interaction], scores: Mapping[str, AnswerScore], rules: PairRules
) -> Iterator[Candidate]:
    """The best answer to each conversation, over each one that scored at least POINTS_APART lower.

    Its weight grows with the distance. Only the model's own answers are compared.
    """
    answered: defaultdict[tuple[str, ...], list[Interaction]] = defaultdict(list)
    for turn in turns:
        if turn.id in scores and turn.outcome in OWN_ANSWERS and turn.answer.strip():
            answered[_conversation(turn)].append(turn)
    for group in answered.values():
        ordered = sorted(group, key=lambda turn: (-scores[turn.id].value, turn.id))
        best = ordered[0]
        messages = best.messages or (LoggedMessage(role="user", content=best.question),)
        if messages[-1].role != "user":
            continue
        for worse in ordered[1:]:
            apart = scores[best.id].value - scores[worse.id].value
            if apart < POINTS_APART or " ".join(best.answer.split()) == " ".join(worse.answer.split()):
                continue
            pair = PreferencePair(
                messages=messages,
                chosen=best.answer,
                rejected=worse.answer,
                origin="score",
                source=best.id,
                weight=rules.score * apart / SCALE,
            )
            yield Candidate(pair, contributors(best, worse))


def _conversation(turn: Interaction) -> tuple[str, ...]:
    """What the turn answers, to compare it with other turns."""
    if not turn.messages:
        return (f"user: {normalise(turn.question)}",)
    return tuple(f"{message.role}: {normalise(message.content)}" for message in turn.messages)
