"""Which topic a question belongs to: the one with the nearest centre, if that is near enough."""

from collections.abc import Sequence

import numpy as np

from agent.nights.topics.recipe import TopicRecipe, topic_recipe
from memory.embedding.embedder import Embedder, Vectors
from memory.records.nights import Topic

NAME_WORDS = 3
"""Words of a topic's name."""


def topic_name(topic: Topic) -> str:
    """A short name: the most typical words of the label."""
    return " ".join(topic.label[:NAME_WORDS])


def topics_of(
    questions: Sequence[str],
    topics: Sequence[Topic],
    *,
    embedder: Embedder,
    recipe: TopicRecipe | None = None,
) -> tuple[Topic | None, ...]:
    """The topic of each question; None for those that no topic's centre is near to. Blocks to embed."""
    comparable = [topic for topic in topics if len(topic.centre) == embedder.dimension]
    if not questions or not comparable:
        return (None,) * len(questions)
    centres = np.array([topic.centre for topic in comparable], dtype=np.float32)
    nearest = nearest_centres(embedder.embed(questions), centres, recipe or topic_recipe())
    return tuple(None if index is None else comparable[index] for index in nearest)


def nearest_centres(vectors: Vectors, centres: Vectors, recipe: TopicRecipe) -> tuple[int | None, ...]:
    """The index of each vector's nearest centre; None if it is not near enough."""
    if not len(vectors) or not len(centres):
        return (None,) * len(vectors)
    cosines = vectors @ centres.T
    nearest = cosines.argmax(axis=1)
    return tuple(
        int(index) if row[index] >= recipe.member else None
        for row, index in zip(cosines, nearest, strict=True)
    )
