"""Trends: whether a topic is asked for more or less often than on earlier days."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from agent.nights.topics.recipe import TopicRecipe
from memory.embedding.embedder import Vectors
from memory.records.nights import Topic, Trend

DAY = timedelta(days=1)
SHORTEST = 1 / 24
"""Days that a period counts for at least."""


def matched_topics(
    centres: Vectors, earlier: Sequence[Topic], recipe: TopicRecipe
) -> tuple[tuple[Topic, ...], ...]:
    """The earlier topics that are the same as each of tonight's; each counts for the nearest one only.

    Topics of another embedding model, whose centres have another length, match nothing.
    """
    matched: list[list[Topic]] = [[] for _ in centres]
    for topic in earlier:
        if not len(centres) or len(topic.centre) != centres.shape[1]:
            continue
        cosines = centres @ np.asarray(topic.centre, dtype=np.float32)
        nearest = int(cosines.argmax())
        if cosines[nearest] >= recipe.same_topic:
            matched[nearest].append(topic)
    return tuple(map(tuple, matched))


def trend_of(
    count: int, since: datetime, until: datetime, earlier: Sequence[Topic], recipe: TopicRecipe
) -> Trend:
    """The trend of a topic with `count` questions from `since` to `until`, and its `earlier` occurrences.

    The days between count, so a topic that was not asked for meanwhile had none.
    """
    recent = [topic for topic in earlier if until - recipe.history <= topic.created_at < until]
    if not recent:
        return "new"
    first = min(topic.created_at for topic in recent)
    days = max(SHORTEST, (until - since) / DAY)
    earlier_days = max(SHORTEST, (until - first) / DAY)  # from the first one's period to tonight's
    return compare_rates(count, days, sum(topic.count for topic in recent), earlier_days, recipe.significance)


def compare_rates(
    count: int, days: float, earlier_count: int, earlier_days: float, significance: float
) -> Trend:
    """Whether two Poisson counts differ in their rates per day, by the conditional test (Przyborowski and
    Wilenski 1940).

    With equal rates, the later count is binomial among both, with the later period's share of the days.
    """
    from scipy.stats import binom  # type: ignore[import-untyped]  # takes a second to import

    total, share = count + earlier_count, days / (days + earlier_days)
    if binom.sf(count - 1, total, share) < significance:
        return "rising"
    if binom.cdf(count, total, share) < significance:
        return "falling"
    return "steady"
