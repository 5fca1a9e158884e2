"""The gaps to explore: open ones in the topics of highest priority, those with one meaning together."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np

from agent.nights.topics.membership import nearest_centres
from agent.nights.topics.recipe import TopicRecipe, topic_recipe
from memory.embedding.embedder import Embedder, Vectors
from memory.records.interactions import Gap
from memory.records.nights import Topic

SAME_GAP = 0.85
"""Cosine from which on two gaps are one."""
PAUSE = timedelta(days=7)
"""How long a gap is left alone after it was explored without success."""


def trending_gaps(
    topics: Sequence[Topic],
    gaps: Sequence[Gap],
    limit: int,
    *,
    embedder: Embedder,
    now: datetime,
    explored: Mapping[str, datetime] | None = None,
    recipe: TopicRecipe | None = None,
) -> tuple[Gap, ...]:
    """At most `limit` gaps whose learn runs to start, most wanted first. Blocks: it embeds them.

    `gaps` may have any status: one with the meaning of a dismissed gap, or of one that a run is learning, is
    left out. So is one that was explored within PAUSE (`explored`: end of the last run by gap id); as it is
    still open, without success. The topics take turns, by priority, and in each the gap that was opened most
    often comes first.
    """
    recipe = recipe or topic_recipe()
    ranked = sorted(topics, key=lambda topic: (-topic.priority, topic.id))
    ranked = [topic for topic in ranked if len(topic.centre) == embedder.dimension]
    relevant = sorted((gap for gap in gaps if gap.status != "closed"), key=_age)
    if not ranked or not relevant or limit < 1:
        return ()
    vectors = embedder.embed([gap.question for gap in relevant])
    centres = np.array([topic.centre for topic in ranked], dtype=np.float32)
    nearest = nearest_centres(vectors, centres, recipe)
    wanted: list[list[tuple[int, Gap]]] = [[] for _ in ranked]
    for rows in _same_meaning(vectors):
        merged = [relevant[row] for row in rows]
        topic = nearest[rows[0]]
        if topic is not None and not any(_is_settled(gap, explored or {}, now) for gap in merged):
            wanted[topic].append((len(merged), merged[0]))
    for of_topic in wanted:
        of_topic.sort(key=lambda each: (-each[0], _age(each[1])))
    rounds = range(max(map(len, wanted)))
    return tuple(of_topic[place][1] for place in rounds for of_topic in wanted if place < len(of_topic))[
        :limit
    ]


def _age(gap: Gap) -> tuple[datetime, str]:
    return gap.opened_at, gap.id


def _is_settled(gap: Gap, explored: Mapping[str, datetime], now: datetime) -> bool:
    """Whether a gap, and any that means the same, is not to be explored now."""
    if gap.status == "learning" or (gap.status == "dismissed" and gap.merged_into is None):
        return True
    return gap.id in explored and now - explored[gap.id] < PAUSE


def _same_meaning(vectors: Vectors) -> list[list[int]]:
    """Rows that are near to the first of their group, in order."""
    groups: list[list[int]] = []
    for row in range(len(vectors)):
        same = next((g for g in groups if float(vectors[g[0]] @ vectors[row]) >= SAME_GAP), None)
        if same is None:
            groups.append([row])
        else:
            same.append(row)
    return groups
