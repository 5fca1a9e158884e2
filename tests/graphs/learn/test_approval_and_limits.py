"""A learn run waits for approval, and stops at its limits."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphRecursionError
from langgraph.types import Command

from agent.engines.scripted import ScriptedEngine
from agent.errors import EngineUnavailable
from graphs.learn import NEXT, STEPS, build
from graphs.state import RequestedLimits, Runtime
from memory.checkpoints.connect import serializer
from memory.outbox.base import TrainingResult
from memory.outbox.volatile import VolatileOutbox
from memory.records.runs import Approval
from tests.graphs.conftest import LIMITS, SONG, TRAINED, Clock
from tests.support.learn_graph import CONFIG, Changed, beginning, run


async def test_a_person_sees_a_summary_and_can_decline(runtime: Runtime) -> None:
    await runtime.database.start_run(
        "r1", subject="x", whole=True, domain=None, gap_id=None, now=runtime.clock()
    )
    graph = build(LIMITS).compile(checkpointer=InMemorySaver(serde=serializer()))
    start = beginning(runtime, "Rust ownership", approval_policy="human")
    await graph.ainvoke(start, CONFIG, context=runtime)
    waiting = await graph.aget_state(CONFIG)
    (asked,) = waiting.interrupts
    assert asked.value["facts"] == len((await graph.aget_state(CONFIG)).values["curriculum"].facts) > 8
    assert asked.value["sample"]
    decision = Approval(approved=False, by="Ada", reason="too thin").model_dump()
    state = await graph.ainvoke(Command(resume=decision), CONFIG, context=runtime)
    assert state["outcome"].status == "declined"
    assert "Ada: too thin" in state["outcome"].reason
    assert runtime.outbox.submitted == {}  # type: ignore[attr-defined]


async def test_a_trainer_that_never_answers_is_not_waited_for_for_ever(
    changed: Changed, clock: Clock
) -> None:
    class Slow(VolatileOutbox):
        async def progress(self, digest: str) -> Any:
            clock.advance(600)
            return await super().progress(digest)

    state = await run(changed(outbox=Slow({})), "Rust ownership")
    assert state["outcome"].status == "stopped"
    assert "nightschool worker" in state["outcome"].reason


def with_slow_search(runtime: Runtime, pass_time: Callable[[], None]) -> Runtime:
    """The runtime in which something happens to the time during each search."""

    class Slow:
        async def search(self, *args: Any, **options: Any) -> Any:
            pass_time()
            return await runtime.episodic.search(*args, **options)

        def __getattr__(self, name: str) -> Any:
            return getattr(runtime.episodic, name)

    return replace(runtime, episodic=cast(Any, Slow()))


async def test_the_circuit_breaker_ends_a_run_that_works_too_long(runtime: Runtime, clock: Clock) -> None:
    slow = with_slow_search(runtime, lambda: clock.advance(LIMITS.run_seconds + 1))
    state = await run(slow, "Rust ownership")
    assert state["outcome"].status == "stopped"
    assert "NIGHTSCHOOL_RUN_MINUTES" in state["outcome"].reason


@pytest.mark.parametrize("seconds", [10 * LIMITS.run_seconds, -10 * LIMITS.run_seconds])
async def test_a_clock_that_jumps_stops_no_run(runtime: Runtime, clock: Clock, seconds: float) -> None:
    class Trainer(VolatileOutbox):
        polls = 0

        async def result(self, digest: str) -> TrainingResult | None:
            self.polls += 1
            clock.jump(seconds)
            return None if self.polls < 3 else await super().result(digest)

    assert isinstance(runtime.outbox, VolatileOutbox)
    trainer = Trainer(TrainingResult(status="candidate", adapter=TRAINED.name, reason="all gates passed"))
    jumping = with_slow_search(replace(runtime, outbox=trainer), lambda: clock.jump(seconds))
    assert (await run(jumping, "Rust ownership"))["outcome"].status == "learned"


async def test_the_time_of_earlier_steps_counts_after_a_restart(runtime: Runtime, clock: Clock) -> None:
    await runtime.database.start_run(
        "r1", subject="x", whole=True, domain=None, gap_id=None, now=runtime.clock()
    )
    saver = InMemorySaver(serde=serializer())
    slow = with_slow_search(runtime, lambda: clock.advance(LIMITS.run_seconds / 2 + 1))
    start = beginning(runtime, "Rust ownership")
    graph = build(LIMITS).compile(checkpointer=saver)
    await graph.ainvoke(start, CONFIG, context=slow, interrupt_after=["explore"])
    worked = (await graph.aget_state(CONFIG)).values["worked_seconds"]
    assert worked > LIMITS.run_seconds
    clock.elapsed = 0.0  # another process has a clock of its own
    clock.jump(10**6)
    state = await build(LIMITS).compile(checkpointer=saver).ainvoke(None, CONFIG, context=runtime)
    assert (state["outcome"].status, "time limit" in state["outcome"].reason) == ("stopped", True)


async def test_a_step_waits_for_an_engine_that_comes_back(changed: Changed) -> None:
    engine = ScriptedEngine(adapters={TRAINED.name: SONG})
    failures = iter([True])

    class Flaky(ScriptedEngine):
        async def chat(self, *args: Any, **kwargs: Any) -> Any:
            if next(failures, False):
                raise EngineUnavailable("starting")
            return await engine.chat(*args, **kwargs)

        async def load(self, *args: Any) -> None:
            await engine.load(*args)

    patient = changed(engine=Flaky(), limits=LIMITS.model_copy(update={"step_attempts": 2}))
    assert (await run(patient, "Rust ownership"))["outcome"].status == "learned"


async def test_too_many_steps_end_the_run(runtime: Runtime) -> None:
    graph = build(LIMITS).compile(checkpointer=InMemorySaver(serde=serializer()))
    with pytest.raises(GraphRecursionError):
        await graph.ainvoke(
            beginning(runtime, "Rust ownership"), CONFIG | {"recursion_limit": 3}, context=runtime
        )


def test_every_step_leads_on() -> None:
    assert set(NEXT) | {"critique", "refine", "promote", "ask_again", "report"} == set(STEPS)
    assert set(NEXT.values()) <= set(STEPS)


async def test_a_run_may_be_narrowed_to_documents_and_asked_questions_of_its_callers(
    runtime: Runtime,
) -> None:
    questions = ("What is a lemur?", "What is a move?")
    state = await run(runtime, "Rust ownership", questions=questions)
    assert tuple(attempt.question for attempt in state["attempts"]) == questions
    elsewhere = await run(runtime, "Rust ownership", sources=("no such document",))
    assert elsewhere["outcome"].status == "nothing_to_learn"


async def test_a_run_may_ask_for_less_than_the_service_allows_and_not_for_more(runtime: Runtime) -> None:
    fewer = await run(runtime, "Rust ownership", bounds=RequestedLimits(facts=2))
    assert len(fewer["curriculum"].facts) <= 2
    assert RequestedLimits(minutes=10**6, refinements=99, facts=10**6).within(LIMITS) == LIMITS
