"""Owns the learning of one lesson after the other through the product's own jobs, registry and gates.

What is taught is in `topics` and `prose`; what the figures mean is told in `learning_page`.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from agent import forgetting
from agent.curriculum import compose, write
from agent.verify import verify
from memory import outbox
from memory.records import Adapter, Curriculum, Fact, Job, Passage, Record
from training.jobs import Workshop
from training.worker import run

WORDINGS = 32
"""Of each fact and form: the default of the setting `wordings_per_fact`."""


class Learned(Record):
    """What came of one lesson."""

    topic: str
    adapter: Adapter
    seconds: float
    """Of the whole job: measuring, training, measuring again."""
    megabytes: float
    """Size of the adapter's weights."""


def curriculum(topic: str, domain: str, facts: Sequence[Fact], passages: Sequence[Passage]) -> Curriculum:
    """What the product's teacher and verifier make of it; raises ValueError if that is nothing."""
    draft = write(facts, per_form=WORDINGS)
    kept = verify(draft.pairs, draft.facts, {passage.id: passage for passage in passages}).kept
    made = compose(topic, domain, draft, kept, teacher="rules")
    if made is None:
        raise ValueError(f"{topic} gives no curriculum")
    return made


def learn(shop: Workshop, lessons: Sequence[Curriculum]) -> tuple[Learned, ...]:
    """Each lesson as a job of its own; what passes the gates is promoted before the next begins.

    Raises RuntimeError for a lesson of which no adapter came.
    """
    return tuple(_learn(shop, lesson) for lesson in lessons)


def forget(shop: Workshop, lesson: Curriculum) -> Learned:
    """Takes the lesson out of its domain as `nightschool adapters forget` does: what stays is taught anew.

    Raises RuntimeError if the domain's live adapter learned nothing else, or if no adapter came of it.
    """
    live = shop.registry.live(lesson.domain)
    shop.registry.quarantine(lesson.digest, "forgotten: the benchmark asks for it")
    kept = forgetting.remaining(live, shop.registry) if live else ()
    if live is None or not kept:
        raise RuntimeError(f"{lesson.domain} serves nothing else that could stay")
    last = outbox.read(shop.home / "outbox", kept[-1])
    return _learn(shop, forgetting.instead(live, kept, last))


def _learn(shop: Workshop, lesson: Curriculum) -> Learned:
    started = time.monotonic()
    digest = outbox.publish(shop.home / "outbox", lesson)
    job = Job(digest=digest, domain=lesson.domain, run_id=f"bench {lesson.topic}")
    result = run(shop, job, lambda _, step: step())
    seconds = time.monotonic() - started
    if result.adapter is None:
        raise RuntimeError(f"{lesson.topic}: {result.reason}")
    if result.status == "candidate":
        shop.registry.promote(result.adapter)
    adapter = shop.registry.get(result.adapter)
    weights = Path(adapter.path) / "adapter_model.safetensors"
    return Learned(
        topic=lesson.topic, adapter=adapter, seconds=seconds, megabytes=weights.stat().st_size / 1e6
    )
