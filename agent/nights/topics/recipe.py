"""The thresholds by which topics are found, and the recipe of the service."""

from datetime import timedelta

from memory.records.base import Record, Share


class TopicRecipe(Record):
    """How questions become topics; cosines are those of the sentence model."""

    repeated: float = 0.95
    """Cosine from which on two questions of one user count once."""
    few: int = 15
    """Days with fewer questions are clustered by a cosine threshold: they have no density to speak of."""
    together: float = 0.5
    """Average cosine at which groups of questions are merged on such a day."""
    smallest_of_few: int = 2
    smallest: int = 3
    """Fewest questions of a topic, on a day with few questions and on others."""
    growth: float = 0.15
    """The fewest grow with the root of the day's questions, so that 2,000 do not give hundreds of topics:
    then a topic has at least 7."""
    member: float = 0.5
    """Cosine to a topic's centre from which on a question belongs to it. Of 1,200 unrelated questions, .25%
    reached .4 with one another (`agent.chat.routing.MIN_SIMILARITY`)."""
    same_topic: float = 0.7
    """Cosine of two centres from which on an earlier night's topic is the same."""
    words: int = 4
    """Words of a label, at most."""
    examples: int = 5
    """Questions that a topic shows."""
    history: timedelta = timedelta(days=14)
    """How far back earlier topics count for the trend."""
    significance: Share = 0.05
    """Level of the test by which a topic rises or falls."""


def topic_recipe() -> TopicRecipe:
    """The recipe of the service. `together` and `growth` are choices; the seed asks for `smallest` and
    `same_topic`."""
    return TopicRecipe()
