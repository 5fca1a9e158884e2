"""The levers by name, and the examples that a growth job trains with its own."""

from collections.abc import Mapping
from pathlib import Path

from agent.errors import ModelError
from agent.models.store import ModelStore
from memory.adapters.mlflow import MlflowAdapterRegistry
from memory.records import runs
from memory.records.base import Digest, Domain
from memory.records.curricula import Curriculum
from memory.records.runs import Job
from training.backends.base import Example
from training.base_model import StudiedModel, open_base_model
from training.errors import CurriculumRefused
from training.growth.base import Lever, MovingLesson, SmallTeacher
from training.growth.distillation import distillation


def curriculum(moving: MovingLesson) -> tuple[Example, ...]:
    """Nothing beside the lesson: it is taught as it was taught before."""
    return ()


LEVERS: Mapping[runs.Lever, Lever] = {"curriculum": curriculum, "distillation": distillation}


def growth_examples(
    job: Job,
    lesson: Curriculum,
    target: StudiedModel,
    *,
    registry: MlflowAdapterRegistry,
    models: Path | None,
) -> tuple[Example, ...]:
    """What the job's lever trains beside the lesson; nothing for a lesson that does not move.

    `registry` has the source's adapters too, and `models` is the folder of the added models. Raises
    CurriculumRefused, StoreUnavailable, CorruptRecord.
    """
    growth = job.growth
    if growth is None:
        return ()
    source = growth.source
    moving = MovingLesson(lesson, target, lambda: _teacher(job.domain, source, registry, models))
    return LEVERS[growth.lever](moving)


def _teacher(
    domain: Domain, source: Digest, registry: MlflowAdapterRegistry, models: Path | None
) -> SmallTeacher:
    """The live adapter of the domain on the source, and the added model that it belongs to."""
    adapter = registry.on_base(source).live(domain)
    if adapter is None:
        raise CurriculumRefused(f"{domain} has no live adapter on the small model any more: promote it again")
    store = ModelStore(models) if models is not None else None
    for name in store.names() if store is not None else ():
        assert store is not None, "it has names"
        try:
            if store.origin(name).digest == source:
                return SmallTeacher(open_base_model(store.path(name)), registry.fetch(adapter.name))
        except ModelError:
            continue  # a damaged model is no teacher
    raise CurriculumRefused(
        f"{adapter.base_model}, on which {adapter.name} was trained, is not added any more: add it again"
    )
