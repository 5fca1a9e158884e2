"""The implicit score: what a user's behaviour says about an answer, by a named recipe."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise

from memory.feedback.feedback import by_interaction, latest
from memory.language.text import key
from memory.records.base import Record
from memory.records.feedback import Feedback, FeedbackKind
from memory.records.interactions import Interaction


class ImplicitWeights(Record):
    """Weights of the signals, and the limits from which on they count."""

    continued: float
    long_session: float
    copied: float
    regenerated: float
    short_dwell: float
    reported: float
    session_pause: timedelta
    """Longest pause within a session."""
    session_length: timedelta
    """A session that is longer counts as long."""
    dwell_seconds: float
    """A dwell that is shorter counts as short."""


def seed_weights() -> ImplicitWeights:
    """The weights of the seed documents, as issue 17 quotes them.

    The pause of 30 minutes is the usual one of web analytics (Catledge and Pitkow 1995 measured 25.5).
    """
    return ImplicitWeights(
        continued=2,
        long_session=1,
        copied=2,
        regenerated=-2,
        short_dwell=-1,
        reported=-5,
        session_pause=timedelta(minutes=30),
        session_length=timedelta(minutes=5),
        dwell_seconds=30,
    )


def implicit_scores(
    interactions: Iterable[Interaction], feedback: Iterable[Feedback], weights: ImplicitWeights
) -> dict[str, float]:
    """The score of each interaction, by its id; 0 where nothing is known.

    `continued` and `regenerated` are inferred from the unit's next turn unless feedback says otherwise, so
    `interactions` should hold the turns around those of interest.
    """
    turns = sorted(interactions, key=lambda turn: (turn.created_at, turn.id))
    given = by_interaction(latest(feedback))
    scores = {turn.id: 0.0 for turn in turns}
    for session in sessions(turns, weights.session_pause):
        following = {turn.id: later for turn, later in pairwise(session)}
        is_long = session[-1].created_at - session[0].created_at > weights.session_length
        for turn in session:
            signals = {each.kind: each for each in given.get(turn.id, ())}
            scores[turn.id] = _score(turn, following.get(turn.id), signals, weights, is_long=is_long)
    return scores


def sessions(turns: Sequence[Interaction], pause: timedelta) -> Iterator[tuple[Interaction, ...]]:
    """Turns of one unit with no longer pause between them; a turn without a unit is a session of its own.

    `turns` have to be sorted by time.
    """
    units: defaultdict[tuple[str | None, str], list[Interaction]] = defaultdict(list)
    for turn in turns:
        if turn.unit is None:
            yield (turn,)
        else:
            units[turn.owner, turn.unit].append(turn)
    for unit in units.values():
        session = [unit[0]]
        for earlier, later in pairwise(unit):
            if later.created_at - earlier.created_at > pause:
                yield tuple(session)
                session = []
            session.append(later)
        yield tuple(session)


def was_regenerated(turn: Interaction, later: Interaction) -> bool:
    """Whether the unit's next turn asks the same again. Choices of one request do not count."""
    return _follows(turn, later) and key(later.question) == key(turn.question)


def was_continued(turn: Interaction, later: Interaction) -> bool:
    """Whether the unit's next turn goes on from the answer with something else."""
    answer = turn.answer.strip()
    quoted = any(
        message.role == "assistant" and message.content.strip() == answer for message in later.messages
    )
    return _follows(turn, later) and quoted and key(later.question) != key(turn.question)


def _follows(turn: Interaction, later: Interaction) -> bool:
    """Whether the later turn began after the answer, and not beside it as another choice of the request."""
    begun_at = later.created_at - timedelta(milliseconds=later.latency_ms or 0.0)
    return begun_at > turn.created_at


def _score(
    turn: Interaction,
    later: Interaction | None,
    signals: Mapping[FeedbackKind, Feedback],
    weights: ImplicitWeights,
    *,
    is_long: bool,
) -> float:
    def holds(kind: FeedbackKind, inferred: bool = False) -> bool:
        return inferred if kind not in signals else signals[kind].value != 0

    continued = holds("continued", later is not None and was_continued(turn, later))
    regenerated = holds("regenerated", later is not None and was_regenerated(turn, later))
    dwell = signals["dwell"].value if "dwell" in signals else None
    return (
        weights.continued * continued
        + weights.long_session * is_long
        + weights.copied * holds("copied")
        + weights.regenerated * regenerated
        + weights.short_dwell * (dwell is not None and dwell < weights.dwell_seconds)
        + weights.reported * holds("reported")
    )
