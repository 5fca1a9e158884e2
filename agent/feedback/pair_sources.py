"""Where preference pairs come from (judgements, corrections, votes, answers asked for again), and weights."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from agent.feedback.agreement import trusted
from agent.feedback.annotated_pairs import annotated_pairs
from agent.feedback.implicit import seed_weights, sessions, was_regenerated
from memory.feedback.feedback import by_interaction, latest
from memory.records.base import Domain, Record, Share
from memory.records.feedback import AnnotationItem, Feedback, Judgement, PairOrigin, PreferencePair
from memory.records.interactions import ChatOutcome, Interaction, LoggedMessage

OWN_ANSWERS: frozenset[ChatOutcome] = frozenset({"answered", "answered_unsure"})
"""Outcomes whose answer is the model's own; others are worded by the service."""
LIKED_STARS = 4
DISLIKED_STARS = 2


class PairRules(Record):
    """Weights of the origins, and the limits of a set."""

    annotation: Share
    """Times the share of the annotators who agree."""
    correction: Share
    regeneration: Share
    vote: Share
    """Of a vote, a rating or a report; a pair of a liked and a disliked answer has it too."""
    revision: Share
    """Of an answer that a night revised, and that the sources support."""
    score: Share
    """Of two answers that a scorer rated nine points apart; of closer ones in proportion."""
    per_user: Share
    """Largest share of all evidence that one user may contribute, and as many pairs that are combined of it;
    each may contribute `least_per_user`. See `contributors`."""
    least_per_user: int
    held_out: Share
    """Share of the prompts that are held out for evaluation, with all their pairs."""
    seed: int = 0


def standard_rules() -> PairRules:
    """The rules of the service; chosen, not measured.

    Annotators compare answers and are checked by gold items. A correction is deliberate, but nobody has
    verified it. A vote is deliberate and compares nothing. A regeneration often means something else, such as
    curiosity. A revision is verified against the sources, but no person has seen it; a scorer's judgement is
    verified by nobody.
    """
    return PairRules(
        annotation=1.0,
        correction=0.7,
        regeneration=0.4,
        vote=0.5,
        revision=0.8,
        score=0.5,
        per_user=0.05,
        least_per_user=10,
        held_out=0.15,
    )


class Evidence(NamedTuple):
    """What pairs are made from; with all judgements and items there are, as they show who is careless."""

    interactions: Sequence[Interaction] = ()
    feedback: Sequence[Feedback] = ()
    items: Sequence[AnnotationItem] = ()
    judgements: Sequence[Judgement] = ()


class Candidate(NamedTuple):
    """A pair with the users that it comes from, if any are known; see `contributors`."""

    pair: PreferencePair
    users: frozenset[str] = frozenset()


def contributors(*turns: Interaction) -> frozenset[str]:
    """The users of these turns, by whom their pairs are bounded.

    All turns of an API key that names no users count as one user's, because one person may have sent them
    all. Without authentication and without a named user, nobody is known, and nothing is bounded.
    """
    users = (turn.user or (f"key of {turn.owner}" if turn.owner is not None else None) for turn in turns)
    return frozenset(user for user in users if user is not None)


def candidates(
    domain: Domain,
    evidence: Evidence,
    rules: PairRules,
    dropped: Counter[str],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[Candidate]:
    """All pairs that the evidence gives, contradictions included; counts in `dropped` what gives none."""

    def is_in_period(moment: datetime) -> bool:
        return (since is None or moment >= since) and (until is None or moment < until)

    items = [item for item in evidence.items if item.domain == domain]
    ids = {item.id for item in items}
    reliable = trusted(evidence.judgements, evidence.items)
    if careless := len([each for each in evidence.judgements if each.choice != "skip"]) - len(reliable):
        dropped["judged by a careless annotator"] += careless
    judgements = [each for each in reliable if each.item_id in ids and is_in_period(each.created_at)]
    for pair in annotated_pairs(items, judgements):
        yield Candidate(pair.model_copy(update={"weight": pair.weight * rules.annotation}))
    turns = [turn for turn in evidence.interactions if turn.domain == domain]
    given = by_interaction(latest(each for each in evidence.feedback if is_in_period(each.created_at)))
    for turn in turns:
        for each in given.get(turn.id, ()):
            candidate = _from_feedback(turn, each, rules, dropped)
            if candidate is not None:
                yield candidate
    in_time = [turn for turn in turns if is_in_period(turn.created_at)]
    yield from _regenerations(in_time, given, rules, dropped)


def _from_feedback(
    turn: Interaction, feedback: Feedback, rules: PairRules, dropped: Counter[str]
) -> Candidate | None:
    """A corrected, liked or disliked answer; None for feedback that says nothing of the answer."""
    is_own = turn.outcome in OWN_ANSWERS and bool(turn.answer.strip())
    if feedback.kind == "correction":
        text = (feedback.text or "").strip()
        if not text or text == turn.answer.strip():
            return None
        rejected = turn.answer if is_own else None
        return _candidate(turn, text, rejected, "correction", rules.correction, dropped)
    liked = _is_liked(feedback)
    if liked is None:
        return None
    if not is_own:
        dropped["worded by the service, not by the model"] += 1
        return None
    chosen, rejected = (turn.answer, None) if liked else (None, turn.answer)
    return _candidate(turn, chosen, rejected, "vote", rules.vote, dropped)


def _is_liked(feedback: Feedback) -> bool | None:
    """Whether a vote, rating or report likes the answer; None if it says neither."""
    if feedback.kind == "reported":
        return False
    if feedback.value is None or feedback.kind not in ("vote", "rating"):
        return None
    if feedback.kind == "vote":
        return None if feedback.value == 0 else feedback.value > 0
    if feedback.value >= LIKED_STARS:
        return True
    return False if feedback.value <= DISLIKED_STARS else None


def _regenerations(
    turns: Sequence[Interaction],
    given: Mapping[str, Sequence[Feedback]],
    rules: PairRules,
    dropped: Counter[str],
) -> Iterator[Candidate]:
    """The last answer of those that a user asked for again and again, over each one before it.

    An answer that was disliked or reported was not kept.
    """
    ordered = sorted(turns, key=lambda turn: (turn.created_at, turn.id))
    for session in sessions(ordered, seed_weights().session_pause):
        chain = [session[0]]
        for earlier, later in pairwise([*session, None]):
            if later is not None and earlier is not None and was_regenerated(earlier, later):
                chain.append(later)
                continue
            kept = chain[-1]
            if len(chain) > 1 and not any(_is_liked(each) is False for each in given.get(kept.id, ())):
                for before in chain[:-1]:
                    own = {turn.outcome for turn in (kept, before)} <= OWN_ANSWERS
                    if not own:
                        dropped["worded by the service, not by the model"] += 1
                    elif before.answer.strip() != kept.answer.strip():
                        found = _candidate(
                            kept, kept.answer, before.answer, "regeneration", rules.regeneration, dropped
                        )
                        if found is not None:
                            yield found
            if later is not None:
                chain = [later]


def _candidate(
    turn: Interaction,
    chosen: str | None,
    rejected: str | None,
    origin: PairOrigin,
    weight: float,
    dropped: Counter[str],
) -> Candidate | None:
    messages = turn.messages or (LoggedMessage(role="user", content=turn.question),)
    if messages[-1].role != "user":
        dropped["its conversation was not kept"] += 1
        return None
    if any(answer is not None and not answer.strip() for answer in (chosen, rejected)):
        dropped["an empty answer"] += 1
        return None
    pair = PreferencePair(
        messages=messages, chosen=chosen, rejected=rejected, origin=origin, source=turn.id, weight=weight
    )
    return Candidate(pair, contributors(turn))
