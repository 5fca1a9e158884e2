"""The day's questions for clustering: self-contained, and each once per user, however often it was sent."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from agent.feedback.implicit import seed_weights, sessions, was_regenerated
from agent.nights.scoring.evidence import standalone_question
from agent.nights.topics.recipe import TopicRecipe
from memory.embedding.embedder import Embedder, Vectors
from memory.feedback.feedback import by_interaction, latest
from memory.records.base import Record
from memory.records.feedback import Feedback
from memory.records.interactions import Interaction
from memory.records.nights import AnswerScore

NEUTRAL = 0.5
"""The feedback criterion of a score below which users disliked the answer."""
BAD_RATING = 2
"""Most stars that count as dissatisfied."""


class AskedQuestion(Record):
    """A question of one user, with all turns in which it was asked."""

    text: str
    """Self-contained."""
    turns: tuple[str, ...]
    """Interaction ids, first one first."""
    unit: str | None
    completed: bool
    """Whether it could not be understood without the conversation before it."""
    dissatisfied: bool
    """Whether the answer to it had a low score, was disliked or reported, or was asked for again."""
    gap_ids: frozenset[str] = frozenset()


def asked_questions(
    turns: Sequence[Interaction],
    scores: Mapping[str, AnswerScore],
    feedback: Iterable[Feedback],
    *,
    embedder: Embedder,
    recipe: TopicRecipe,
) -> tuple[tuple[AskedQuestion, ...], Vectors]:
    """The questions in an order that depends on their texts alone, each with its embedding. Blocks."""
    asked = [turn for turn in turns if turn.intent == "question" and turn.question.strip()]
    asked.sort(key=lambda turn: (turn.created_at, turn.id))
    disliked = _disliked(asked, scores, feedback)
    texts = [standalone_question(turn) for turn in asked]
    vectors = embedder.embed(texts)
    found = [
        (_question([asked[row] for row in rows], texts[rows[0]], disliked), rows[0])
        for rows in _repetitions(asked, vectors, recipe.repeated)
    ]
    found.sort(key=lambda each: (each[0].text, each[0].turns))
    return tuple(question for question, _ in found), vectors[[row for _, row in found]]


def follow_ups(questions: Sequence[AskedQuestion], turns: Sequence[Interaction]) -> frozenset[int]:
    """Indices of the questions of one topic that follow another one of it, in a conversation or session."""
    of_turn = {turn_id: index for index, question in enumerate(questions) for turn_id in question.turns}
    found = {index for index, question in enumerate(questions) if question.completed}
    relevant = [turn for turn in turns if turn.id in of_turn]
    relevant.sort(key=lambda turn: (turn.created_at, turn.id))
    for session in sessions(relevant, seed_weights().session_pause):
        indices = list(dict.fromkeys(of_turn[turn.id] for turn in session))
        found |= set(indices[1:])
    return frozenset(found)


def _question(turns: Sequence[Interaction], text: str, disliked: frozenset[str]) -> AskedQuestion:
    return AskedQuestion(
        text=text,
        turns=tuple(turn.id for turn in turns),
        unit=turns[0].user,
        completed=text != turns[0].question.strip(),
        dissatisfied=any(turn.id in disliked for turn in turns),
        gap_ids=frozenset(turn.gap_id for turn in turns if turn.gap_id is not None),
    )


def _repetitions(turns: Sequence[Interaction], vectors: Vectors, threshold: float) -> list[list[int]]:
    """Rows of the same unit with nearly the same question, together; turns without a unit stay alone."""
    groups: defaultdict[tuple[str | None, str], list[list[int]]] = defaultdict(list)
    alone: list[list[int]] = []
    for row, turn in enumerate(turns):
        if turn.unit is None:
            alone.append([row])
            continue
        groups_of_unit = groups[turn.owner, turn.unit]
        same = next((g for g in groups_of_unit if float(vectors[g[0]] @ vectors[row]) >= threshold), None)
        if same is None:
            groups_of_unit.append([row])
        else:
            same.append(row)
    return [*alone, *(group for groups_of_unit in groups.values() for group in groups_of_unit)]


def _disliked(
    turns: Sequence[Interaction], scores: Mapping[str, AnswerScore], feedback: Iterable[Feedback]
) -> frozenset[str]:
    """Ids of the turns whose answer left the user dissatisfied; `turns` are sorted by time."""
    given = by_interaction(latest(feedback))
    found = {turn.id for turn in turns if any(map(is_negative, given.get(turn.id, ())))}
    for turn in turns:
        score = scores.get(turn.id)
        if score is not None and (score.bracket == "low" or score.criteria.get("feedback", 1.0) < NEUTRAL):
            found.add(turn.id)
    for session in sessions(turns, seed_weights().session_pause):
        found |= {turn.id for turn, later in pairwise(session) if was_regenerated(turn, later)}
    return frozenset(found)


def is_negative(feedback: Feedback) -> bool:
    """Whether the feedback says that the answer was bad; what was taken back (0) does not."""
    if feedback.kind in ("reported", "correction"):
        return feedback.value != 0
    if feedback.kind == "regenerated":
        return bool(feedback.value)
    if feedback.kind == "vote":
        return feedback.value is not None and feedback.value < 0
    return feedback.kind == "rating" and feedback.value is not None and feedback.value <= BAD_RATING
