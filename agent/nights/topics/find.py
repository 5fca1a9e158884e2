"""Finds the day's topics: clusters of questions with labels, counts, trend and priority."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import numpy as np

from agent.nights.topics.clusters import NOISE, Labels, centre_of, cluster
from agent.nights.topics.labels import class_labels
from agent.nights.topics.membership import nearest_centres
from agent.nights.topics.priority import priority
from agent.nights.topics.questions import AskedQuestion, asked_questions, follow_ups
from agent.nights.topics.recipe import TopicRecipe, topic_recipe
from agent.nights.topics.trend import matched_topics, trend_of
from memory.embedding.embedder import Embedder, Vectors
from memory.records.base import Record, digest_of
from memory.records.feedback import Feedback
from memory.records.interactions import Gap, Interaction
from memory.records.nights import AnswerScore, Night, Topic

ID_DIGITS = 16


class DayTopics(Record):
    """The day's topics, and counts of the questions that they were found among."""

    topics: tuple[Topic, ...]
    """Highest priority first."""
    questions: int
    """Different questions, each once per user."""
    repeated: int
    """Turns that asked the same again."""
    unclustered: int
    """Questions that are in no topic."""


def examine_day(
    turns: Sequence[Interaction],
    scores: Mapping[str, AnswerScore],
    open_gaps: Sequence[Gap],
    earlier: Sequence[Topic],
    *,
    embedder: Embedder,
    night: Night,
    now: datetime,
    feedback: Iterable[Feedback] = (),
    recipe: TopicRecipe | None = None,
) -> DayTopics:
    """Clusters the questions of the night's turns. Blocks: it embeds them.

    `scores` are by interaction id, `earlier` are topics of the domain's earlier nights. The result depends
    neither on the order of the turns nor on chance, and a repeated call gives the same ids.
    """
    recipe = recipe or topic_recipe()
    mine = [turn for turn in turns if turn.domain == night.domain]
    questions, vectors = asked_questions(mine, scores, feedback, embedder=embedder, recipe=recipe)
    clusters = cluster(vectors, recipe) if questions else np.zeros(0, dtype=np.int64)
    groups = [np.flatnonzero(clusters == label) for label in range(int(clusters.max(initial=NOISE)) + 1)]
    centres = _centres(vectors, groups, embedder.dimension)
    labels = class_labels([question.text for question in questions], clusters, recipe.words)
    gaps = _gaps_of(centres, open_gaps, night, embedder, recipe)
    matched = matched_topics(centres, [t for t in earlier if t.night_id != night.id], recipe)
    topics = []
    for number, rows in enumerate(groups):
        members = [questions[row] for row in rows]
        ids = {id for member in members for id in member.gap_ids} & {gap.id for gap in open_gaps}
        followed, dissatisfied = len(follow_ups(members, mine)), sum(m.dissatisfied for m in members)
        missing = len(ids | gaps[number])
        topics.append(
            Topic(
                id=digest_of([night.id, [member.turns for member in members]])[:ID_DIGITS],
                night_id=night.id,
                domain=night.domain,
                label=labels[number],
                questions=_typical(members, vectors[rows], centres[number], recipe.examples),
                count=len(members),
                units=len({member.unit for member in members if member.unit is not None}),
                follow_ups=followed,
                dissatisfied=dissatisfied,
                gaps=missing,
                trend=trend_of(len(members), night.since, night.until, matched[number], recipe),
                priority=priority(
                    asked=len(members), follow_ups=followed, dissatisfied=dissatisfied, gaps=missing
                ),
                centre=tuple(centres[number].tolist()),
                created_at=now,
            )
        )
    return DayTopics(
        topics=tuple(sorted(topics, key=lambda topic: (-topic.priority, topic.label, topic.id))),
        questions=len(questions),
        repeated=sum(len(question.turns) - 1 for question in questions),
        unclustered=int((clusters == NOISE).sum()),
    )


def _centres(vectors: Vectors, groups: Sequence[Labels], dimension: int) -> Vectors:
    centres = [centre_of(vectors[rows]) for rows in groups]
    return np.stack(centres) if centres else np.zeros((0, dimension), dtype=np.float32)


def _gaps_of(
    centres: Vectors, open_gaps: Sequence[Gap], night: Night, embedder: Embedder, recipe: TopicRecipe
) -> list[set[str]]:
    """Ids of the domain's open gaps near each centre."""
    found: list[set[str]] = [set() for _ in centres]
    gaps = [gap for gap in open_gaps if gap.domain == night.domain and gap.status == "open"]
    if not gaps or not found:
        return found
    vectors = embedder.embed([gap.question for gap in gaps])
    for gap, nearest in zip(gaps, nearest_centres(vectors, centres, recipe), strict=True):
        if nearest is not None:
            found[nearest].add(gap.id)
    return found


def _typical(
    members: Sequence[AskedQuestion], vectors: Vectors, centre: Vectors, count: int
) -> tuple[str, ...]:
    """The questions nearest to the centre, without repetitions."""
    ranked = sorted(zip(-(vectors @ centre), (member.text for member in members), strict=True))
    return tuple(dict.fromkeys(text for _, text in ranked))[:count]
