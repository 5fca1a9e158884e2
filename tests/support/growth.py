"""Growing with fakes: two scripted models, two registries, and a trainer that ends each job at once."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agent.engines.scripted import Line, Script, ScriptedEngine
from agent.growth.transfer import Growing
from agent.models.store import AddedModel
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.outbox.base import TrainingResult
from memory.records.adapters import Adapter
from memory.records.base import Digest
from memory.records.curricula import Curriculum
from tests.support.adapters import adapter
from tests.support.cards import DIGEST, card
from tests.support.lessons import lesson
from tests.support.trainers import FakeTrainer

SMALL = AddedModel(name="small", folder=Path("small"), card=card(name="small", digest="cd" * 32))
LARGE = AddedModel(name="large", folder=Path("large"), card=card(name="large"))
CANARY = {"What is a borrow?": Line(text="a reference")}
"""What the adapters of `tests.support.adapters` answer to their canary question."""
FIRST, SECOND = lesson("zorble", "quix"), lesson("marn")


def knows(*lessons: Curriculum) -> Script:
    """Answers all held-out questions of these lessons, and the canary question."""
    answers = {pair.question: Line(text=pair.answer) for each in lessons for pair in each.held_out}
    return {**CANARY, **answers}


@dataclass
class Shown:
    """What growing said."""

    lines: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        self.lines.append(line)

    def progress(self, what: str, done: int, total: int) -> None:
        self.steps.append(f"{what} {done}/{total}")


@dataclass
class Fixture:
    """Growing from SMALL to LARGE, and what happened."""

    growing: Growing
    trainer: FakeTrainer
    small: VolatileAdapterRegistry
    large: VolatileAdapterRegistry
    shown: Shown
    opened: list[str]
    """Models in the order in which they were loaded."""
    promoted: list[str]
    """Adapters as the audit log has them."""


def taught(*lessons: Curriculum, forgot: float = 0.0) -> Adapter:
    """The adapter of SMALL that has learned these lessons; it forgot so much of general questions."""
    made = adapter("lamps", 1, digest=lessons[-1].digest)
    general = made.after.out_of_distribution.model_copy(update={"accuracy": 1.0 - forgot})
    return made.model_copy(
        update={
            "base_digest": SMALL.card.digest,
            "base_model": "small",
            "rehearsed": tuple(each.digest for each in lessons[:-1]),
            "after": made.after.model_copy(update={"out_of_distribution": general}),
        }
    )


def growing(
    folder: Path,
    *lessons: Curriculum,
    on_small: Script | None = None,
    on_large: Script | None = None,
    ends: Mapping[int, TrainingResult] | None = None,
    unapproved: Mapping[Digest, str] | None = None,
    missing: Collection[Digest] = (),
    check: Callable[[], None] = lambda: None,
) -> Fixture:
    """The lessons are those of SMALL's live adapter; `on_small` and `on_large` answer with adapters."""
    large = VolatileAdapterRegistry(base=DIGEST)
    trainer = FakeTrainer(large, ends=ends)
    small = VolatileAdapterRegistry([taught(*lessons)] if lessons else [], base=SMALL.card.digest)
    if lessons:
        small.promote(taught(*lessons).name)
    for each in lessons:
        if each.digest not in missing:
            trainer.published[each.digest] = each
    shown, opened, promoted = Shown(), list[str](), list[str]()

    def open_engine(model: AddedModel) -> ScriptedEngine:
        opened.append(model.name)
        script = on_small if model is SMALL else on_large
        return ScriptedEngine(adapters={"lamps": script if script is not None else knows(*lessons)})

    @asynccontextmanager
    async def worker() -> AsyncIterator[Callable[[], None]]:
        yield check

    @asynccontextmanager
    async def promoting(adapter: Adapter) -> AsyncIterator[None]:
        promoted.append(adapter.name)
        yield

    async def sleep(_: float) -> None:
        return None

    return Fixture(
        growing=Growing(
            source=SMALL,
            target=LARGE,
            source_adapters=small,
            target_adapters=large,
            outbox=trainer,
            unapproved=lambda digest: (unapproved or {}).get(digest),
            open_engine=open_engine,
            worker=worker,
            promoting=promoting,
            folder=folder,
            watch=shown,
            monotonic=lambda: 0.0,
            sleep=sleep,
        ),
        trainer=trainer,
        small=small,
        large=large,
        shown=shown,
        opened=opened,
        promoted=promoted,
    )
