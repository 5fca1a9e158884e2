"""What a night trains is deployed if it is better, and taught again if overtaken; gaps are explored."""

from dataclasses import replace
from typing import Any

from agent.engines.scripted import Line, ScriptedEngine
from graphs.server.learn_spec import learn_gap
from graphs.server.run_spec import RunSpec
from graphs.state import Runtime
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.outbox.base import TrainingResult
from memory.outbox.volatile import VolatileOutbox
from memory.records.interactions import Gap
from memory.records.nights import Night, StepReport
from tests.support.adapters import adapter
from tests.support.night_runs import OPTIONS, TRAINED, NightRun
from tests.support.nights import WHEN

ADDED = TRAINED.model_copy(update={"name": "rust-v3-aaaaaaaa", "version": 3})


def step(night: Night, name: str) -> StepReport:
    return next(each for each in night.steps if each.step == name)


async def test_an_adapter_that_is_not_better_enough_is_not_deployed(runtime: Runtime) -> None:
    night = await NightRun(runtime).whole(options=OPTIONS.model_copy(update={"improvement": 0.9}))
    assert (night.status, night.adapter) == ("done", None)
    assert "the present adapter is kept: not better enough" in step(night, "deploy").reason
    assert runtime.registry.live("rust") is None


async def test_a_rejected_lesson_leaves_the_present_adapter(runtime: Runtime) -> None:
    rejected = VolatileOutbox(TrainingResult(status="rejected", adapter=None, reason="a gate failed"))
    night = await NightRun(replace(runtime, outbox=rejected)).whole()
    assert (night.status, night.adapter) == ("done", None)
    assert "kept: rejected: a gate failed" in step(night, "deploy").reason


async def test_a_lesson_that_the_trainer_refused_as_unsigned_is_in_the_audit_log(runtime: Runtime) -> None:
    unsigned = TrainingResult(status="failed", adapter=None, reason="nobody signed it", unsigned=True)
    outbox = VolatileOutbox(unsigned)
    await NightRun(replace(runtime, outbox=outbox)).whole()
    rows = await runtime.audit.list(action="signature.refuse")
    assert {row.subject for row in rows} == set(outbox.submitted)
    assert {(row.by, row.details["reason"]) for row in rows} == {("training worker", "nobody signed it")}


async def test_a_lesson_that_another_one_overtook_is_taught_again_on_top(runtime: Runtime) -> None:
    tuned = {"curriculum": None, "preferences": ("2e5b8d7f" * 8,)}
    other = adapter("rust", 2, digest="2e5b8d7f" * 8).model_copy(update=tuned)
    on_top = ADDED.model_copy(update={"parent": other.name})
    registry = VolatileAdapterRegistry([TRAINED, other, on_top])
    registry.promote(other.name)

    class Trainer(VolatileOutbox):
        async def result(self, digest: str) -> TrainingResult | None:
            latest = list(self.submitted)[-1]
            name = TRAINED.name if latest == next(iter(self.submitted)) else on_top.name
            return TrainingResult(status="candidate", adapter=name, reason="all gates passed")

    trainer = Trainer({})
    assert TRAINED.canary is not None
    script = {TRAINED.canary.question: Line(text=TRAINED.canary.answer)}
    engine = ScriptedEngine({}, adapters={"rust": script})
    changed = replace(runtime, registry=registry, outbox=trainer, engine=engine)
    night = await NightRun(changed).whole()
    assert len(trainer.submitted) == 2
    first, second = trainer.submitted
    assert trainer.submitted[second].supersedes == (first,)
    assert "rust-v3-aaaaaaaa" in step(night, "deploy").reason


async def test_gaps_that_many_ask_for_are_explored_once(runtime: Runtime) -> None:
    started: list[RunSpec] = []

    async def start(spec: RunSpec) -> Any:
        started.append(spec)

    for number, question in enumerate(("What is a move?", "What is a string slice?")):
        gap = Gap(
            id=f"g{number}", question=question, domain="rust", keywords=(), uncertainty=None, opened_at=WHEN
        )
        await runtime.database.open_gap(gap)
    options = OPTIONS.model_copy(update={"explore_gaps": 1, "train": False})
    night = await NightRun(replace(runtime, start_run=start, learn_gap=learn_gap)).whole(options=options)
    assert step(night, "topics").figures["explored"] == len(started)
    assert len(started) <= 1
    assert [run.graph_id for run in started] == ["learn"] * len(started)
    for run in started:
        assert (await runtime.database.run(run.thread_id)).gap_id in ("g0", "g1")
