"""Batches for annotation: finds an alternative to each sampled interaction, and makes the items."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from agent.concurrency import gather_limited
from agent.errors import AdapterNotLoaded, AdapterRefused, CanaryFailed, PromptTooLong
from agent.feedback.alternatives import Answerer, annotation_item, find_alternative
from agent.feedback.sampling import Sampled
from memory.errors import AdapterNotServable, UnknownAdapter
from memory.records.base import Record
from memory.records.feedback import AnnotationItem
from memory.records.interactions import Interaction

CONCURRENCY = 4
"""Alternatives that are generated at once; chat shares the engine."""
NO_ADAPTER = (UnknownAdapter, AdapterNotServable, AdapterNotLoaded, AdapterRefused, CanaryFailed)


class Batch(Record):
    """Items for annotation, and how many interactions were dropped, by reason."""

    items: tuple[AnnotationItem, ...]
    dropped: dict[str, int]


async def make_batch(
    sampled: Sequence[Sampled],
    source: str,
    answerer_of: Callable[[Interaction], Answerer],
    *,
    name: str,
    annotators: int,
    seed: int,
    new_id: Callable[[], str],
    now: datetime,
) -> Batch:
    """Makes an item of each interaction that an alternative is found for.

    Raises EngineUnavailable and TeacherError; what concerns one interaction alone drops that one.
    """

    async def make(each: Sampled) -> AnnotationItem | str:
        interaction = each.interaction
        try:
            found = await find_alternative(interaction, source, answerer_of(interaction), seed=seed)
        except NO_ADAPTER:
            return "its adapter cannot be used"
        except PromptTooLong:
            return "its conversation does not fit into the context"
        if found is None:
            return "every alternative is equal to the served answer"
        return annotation_item(
            interaction,
            found,
            id=new_id(),
            batch=name,
            annotators=annotators,
            priority=each.priority if each.by == "priority" else 0.0,
            seed=seed,
            now=now,
        )

    made = await gather_limited([partial(make, each) for each in sampled], CONCURRENCY)
    return Batch(
        items=tuple(item for item in made if isinstance(item, AnnotationItem)),
        dropped=dict(Counter(reason for reason in made if isinstance(reason, str))),
    )
