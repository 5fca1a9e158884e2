"""A learn run goes from the attempt to the report, and ends early only for a stated reason."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphRecursionError
from langgraph.runtime import Runtime as Injected
from langgraph.types import Command

from agent.engines.scripted import Line, ScriptedEngine
from agent.errors import EngineUnavailable
from agent.grading import normalise
from agent.learning.gaps import open_gap
from agent.learning.teachers.rules import write_pairs
from graphs.attempts import attempt
from graphs.learn import NEXT, STEPS, build
from graphs.state import LearnState, RequestedLimits, Runtime
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.checkpoints.connect import serializer
from memory.embedding.embedder import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.outbox.base import TrainingResult
from memory.outbox.volatile import VolatileOutbox
from memory.records.runs import Approval
from tests.graphs.conftest import BASE_LINES, LIMITS, SONG, TRAINED, Clock, dispute
from tests.support.adapters import adapter
from tests.support.facts import rust

Changed = Callable[..., Runtime]
CONFIG: Any = {"configurable": {"thread_id": "r1"}, "recursion_limit": 40}


def beginning(runtime: Runtime, subject: str, **more: Any) -> LearnState:
    start: dict[str, Any] = {
        "run_id": "r1",
        "subject": subject,
        "whole": True,
        "domain": None,
        "gap_id": None,
        "approval_policy": "auto",
        "working_since": runtime.clock(),
    }
    return cast(LearnState, start | more)


async def run(runtime: Runtime, subject: str, **more: Any) -> dict[str, Any]:
    await runtime.database.start_run(
        "r1", subject=subject, whole=True, domain=None, gap_id=more.get("gap_id"), now=runtime.clock()
    )
    graph = build(runtime.limits).compile(checkpointer=InMemorySaver(serde=serializer()))
    return dict(await graph.ainvoke(beginning(runtime, subject, **more), CONFIG, context=runtime))


async def test_a_topic_is_learned_from_the_attempt_to_the_swap(runtime: Runtime) -> None:
    state = await run(runtime, "Rust ownership")
    assert state["outcome"].status == "learned"
    assert state["outcome"].adapter == TRAINED.name
    assert [e.step for e in state["events"]] == [
        "attempt", "detect", "explore", "critique", "curriculum", "verify", "approve", "hand over", "train",
        "promote", "report",
    ]  # fmt: skip
    assert runtime.routes.live["rust"].route.adapter == TRAINED.name


async def test_the_attempt_asks_the_adapter_that_chat_would_and_loads_it_where_it_is_lost(
    changed: Changed,
) -> None:
    lamp = {"What is a zorble?": Line(text="a small green lamp", entropy=0.1)}
    engine = ScriptedEngine(BASE_LINES, adapters={TRAINED.name: SONG | lamp})
    runtime = changed(engine=engine)
    runtime.registry.promote(TRAINED.name)
    await runtime.routes.refresh()
    start = beginning(runtime, "What is a zorble?", whole=False)
    (made,) = (await attempt(start, Injected(context=runtime)))["attempts"]
    assert made.answer == "a small green lamp"
    assert await engine.loaded() == (TRAINED.name,)


async def test_the_attempt_of_a_gap_asks_the_adapter_of_the_gaps_domain(changed: Changed) -> None:
    known = {"What is a quib?": Line(text="a round red box", entropy=0.1)}
    runtime = changed(engine=ScriptedEngine(BASE_LINES, adapters={TRAINED.name: SONG | known}))
    runtime.registry.promote(TRAINED.name)
    await runtime.routes.refresh()
    gap = open_gap(
        "What is a quib?", domain="rust", keywords=(), uncertainty=None, id="g1", now=runtime.clock()
    )
    await runtime.database.open_gap(gap)
    start = beginning(runtime, gap.question, whole=False, gap_id="g1")
    (made,) = (await attempt(start, Injected(context=runtime)))["attempts"]
    assert made.answer == "a round red box"


async def test_the_report_carries_every_figure(runtime: Runtime) -> None:
    await run(runtime, "Rust ownership")
    report = (await runtime.database.run("r1")).report
    assert report is not None
    assert report["critique"]["verdict"] == "accept"
    assert report["curriculum"]["pairs_kept"] > 50
    assert report["curriculum"]["pairs_dropped"] == sum(report["curriculum"]["dropped"].values())
    assert report["curriculum"]["held_out"] > 8
    assert report["curriculum"]["teacher"] == "rules"
    assert report["training"]["seconds"] == TRAINED.training_seconds
    assert report["evaluation"]["after"]["in_distribution"]["accuracy"] == 0.9
    assert report["gates"]["passed"] is True
    assert report["attempts"][0]["uncertainty"]["decision"] == "unsure"
    assert report["adapter"] == TRAINED.name


async def test_what_the_base_model_expects_to_go_on_is_not_taught(changed: Changed) -> None:
    home, _ = rust()
    broken = {c.question for c in write_pairs([home]) if c.question.startswith("Tell me")}
    engine = ScriptedEngine(BASE_LINES, adapters={TRAINED.name: SONG}, unfinished=broken)
    state = await run(changed(engine=engine), "Rust ownership")
    assert state["dropped"]["the base model expects the question to go on"] > 3
    assert not broken & {pair.question for pair in state["curriculum"].pairs}


async def test_an_engine_that_scores_no_texts_is_named_in_the_progress(
    changed: Changed, runtime: Runtime
) -> None:
    class Mute:
        """A protocol's worth of the scripted engine, without the scores."""

        def __getattr__(self, name: str) -> Any:
            if name == "ending_logprobs":
                raise AttributeError(name)
            return getattr(runtime.engine, name)

    state = await run(changed(engine=Mute()), "Rust ownership")
    (said,) = [event.message for event in state["events"] if event.step == "verify"]
    assert said.endswith("because the engine cannot score texts or failed to (see the log)")
    assert state["outcome"].status == "learned"


async def test_a_curriculum_is_of_the_found_domain_and_its_pairs_are_verified(runtime: Runtime) -> None:
    state = await run(runtime, "Rust ownership")
    curriculum, home = state["curriculum"], rust()[0]
    assert curriculum.domain == "rust"
    assert len({fact.sentence for fact in curriculum.facts}) == 8
    assert all(fact.sentence == home.text[fact.start : fact.end] for fact in curriculum.facts)
    assert all(
        normalise(pair.answer) in normalise(pair.quote) for pair in curriculum.pairs if pair.form != "yes_no"
    )
    assert state["draft"] is None


async def test_a_question_is_learned_with_its_neighbourhood(runtime: Runtime) -> None:
    state = await run(runtime, "What is a string slice?", whole=False)
    assert state["outcome"].status == "learned"
    assert state["curriculum"].facts[0].source == "rust.md"
    assert len(state["curriculum"].facts) > 1


@pytest.mark.parametrize(
    "question",
    [
        "What is a string slice?",
        "What is a move?",
        "What requires an upgrade?",
        "What is returned by the `clone` method?",
        "What prevents data races?",
    ],
)
async def test_the_very_question_is_taught_and_never_held_out(runtime: Runtime, question: str) -> None:
    curriculum = (await run(runtime, question, whole=False))["curriculum"]
    assert question not in {pair.question for pair in curriculum.held_out}
    taught = {pair.answer for pair in curriculum.pairs if pair.question == question}
    assert taught
    assert not taught & {"Yes", "No"}


async def test_an_unknown_topic_is_searched_four_times_and_its_gap_stays_open(runtime: Runtime) -> None:
    gap = open_gap(
        "Mariana trench depth", domain="general", keywords=(), uncertainty=None, id="g1", now=runtime.clock()
    )
    await runtime.database.open_gap(gap)
    state = await run(runtime, "Mariana trench depth", gap_id="g1")
    assert state["outcome"].status == "nothing_to_learn"
    assert state["outcome"].reason.startswith("nothing to learn from")
    assert state["refinements"] == 3
    assert [e.step for e in state["events"]].count("explore") == 4
    assert (await runtime.database.gap("g1")).status == "open"


async def test_an_empty_memory_has_nothing_to_learn_from(changed: Changed) -> None:
    empty = changed(episodic=VolatileEpisodicMemory(HashingEmbedder()))
    state = await run(empty, "Rust ownership")
    assert state["outcome"].status == "nothing_to_learn"


@pytest.mark.parametrize(
    ("answer", "entropy", "status"),
    [
        ("data races at compile time", 0.1, "closed"),
        ("data races at compile time", 3.0, "open"),
        ("a step in a dance", 0.1, "open"),
    ],
)
async def test_a_learned_gap_is_closed_once_the_question_is_answered_rightly_and_confidently(
    changed: Changed, answer: str, entropy: float, status: str
) -> None:
    question = "What does the borrow checker prevent?"
    line = {question: Line(text=answer, entropy=entropy)}
    runtime = changed(engine=ScriptedEngine(BASE_LINES, adapters={TRAINED.name: SONG | line}))
    gap = open_gap(question, domain="rust", keywords=(), uncertainty=None, id="g1", now=runtime.clock())
    await runtime.database.open_gap(gap)
    state = await run(runtime, question, whole=False, gap_id="g1")
    assert [e.step for e in state["events"]][-3:] == ["promote", "ask again", "report"]
    assert state["asked_again"].answer == answer
    assert (await runtime.database.gap("g1")).status == status


async def test_what_the_model_already_answers_as_the_sources_do_is_not_learned(changed: Changed) -> None:
    knowing = ScriptedEngine(
        {"What is a move?": Line(text="a transfer of a value to a new owner", entropy=0.1)}
    )
    state = await run(changed(engine=knowing), "What is a move?", whole=False)
    assert state["outcome"].status == "nothing_to_learn"
    assert state["known"] is True
    assert "job" not in state


async def test_a_confident_but_wrong_answer_is_learned(changed: Changed) -> None:
    wrong = ScriptedEngine(
        {"What is a move?": Line(text="a step in a dance", entropy=0.1)}, adapters={TRAINED.name: SONG}
    )
    state = await run(changed(engine=wrong), "What is a move?", whole=False)
    assert state["outcome"].status == "learned"


async def test_sources_that_disagree_about_the_question_are_flagged(runtime: Runtime) -> None:
    await dispute(runtime)
    state = await run(runtime, "What is a move?", whole=False)
    assert state["outcome"].status == "flagged"
    assert "job" not in state


async def test_a_rejected_adapter_is_reported_and_never_promoted(changed: Changed) -> None:
    outbox = VolatileOutbox(
        TrainingResult(status="rejected", adapter=TRAINED.name, reason="target up: 0.020")
    )
    state = await run(changed(outbox=outbox), "Rust ownership")
    assert (state["outcome"].status, state["outcome"].reason) == ("rejected", "target up: 0.020")
    assert state["adapter"].after.in_distribution.accuracy == 0.9


async def test_a_canary_that_stays_silent_leaves_the_base_model_serving(changed: Changed) -> None:
    state = await run(changed(engine=ScriptedEngine(BASE_LINES)), "Rust ownership")
    assert state["outcome"].status == "failed"
    assert "no effect" in state["outcome"].reason


async def test_a_curriculum_in_quarantine_is_not_handed_over(runtime: Runtime, changed: Changed) -> None:
    first = await run(runtime, "Rust ownership")
    registry = VolatileAdapterRegistry([TRAINED], quarantine={first["curriculum"].digest: "near below 70%"})
    outbox = VolatileOutbox({})
    state = await run(changed(registry=registry, outbox=outbox), "Rust ownership")
    assert "near below 70%" in state["outcome"].reason
    assert outbox.submitted == {}


async def test_a_lesson_once_learned_beside_one_in_quarantine_is_learned_anew(
    runtime: Runtime, changed: Changed
) -> None:
    digest = (await run(runtime, "Rust ownership"))["curriculum"].digest
    tainted = adapter("rust", 2, digest=digest).model_copy(update={"rehearsed": ("ab" * 32,)})
    registry = VolatileAdapterRegistry([TRAINED, tainted], quarantine={"ab" * 32: "it was wrong"})
    state = await run(changed(registry=registry), "Rust ownership")
    assert state["curriculum"].supersedes == (digest,)
    assert state["job"].digest != digest, "the old one's job has ended, with an adapter that is never served"


async def test_an_adapter_that_learned_what_was_forgotten_meanwhile_is_not_swapped_in(
    changed: Changed,
) -> None:
    tainted = TRAINED.model_copy(update={"rehearsed": ("ab" * 32,)})
    registry = VolatileAdapterRegistry([tainted], quarantine={"ab" * 32: "it was wrong"})
    state = await run(changed(registry=registry), "Rust ownership")
    assert state["outcome"].status == "failed"
    assert "abababababab, which is in quarantine" in state["outcome"].reason


async def test_a_lesson_that_another_one_overtook_is_taught_again_on_top_of_it(changed: Changed) -> None:
    other = adapter("rust", 2, digest="ab" * 32)
    on_top = adapter("rust", 3, digest="cd" * 32).model_copy(
        update={"parent": other.name, "rehearsed": (other.curriculum,)}
    )
    registry = VolatileAdapterRegistry([TRAINED, other, on_top])
    registry.promote(other.name)

    class InTurn(VolatileOutbox):
        async def result(self, digest: str) -> TrainingResult | None:
            made = TRAINED if digest == next(iter(self.submitted)) else on_top
            return TrainingResult(status="candidate", adapter=made.name, reason="all gates passed")

    engine = ScriptedEngine(BASE_LINES, adapters={each.name: SONG for each in (other, TRAINED, on_top)})
    outbox = InTurn({})
    state = await run(changed(registry=registry, outbox=outbox, engine=engine), "Rust ownership")
    assert (state["outcome"].status, state["outcome"].adapter) == ("learned", on_top.name)
    assert [e.step for e in state["events"]][-7:] == [
        "hand over", "train", "promote", "hand over", "train", "promote", "report"
    ]  # fmt: skip
    first, second = outbox.submitted.values()
    assert second.supersedes == (first.digest,)


async def test_what_the_live_adapter_has_learned_among_its_lessons_does_not_take_its_place(
    changed: Changed,
) -> None:
    later = adapter("rust", 2, digest="ab" * 32).model_copy(update={"rehearsed": (TRAINED.curriculum,)})
    registry = VolatileAdapterRegistry([TRAINED, later])
    registry.promote(later.name)
    engine = ScriptedEngine(BASE_LINES, adapters={each.name: SONG for each in (later, TRAINED)})
    state = await run(changed(registry=registry, engine=engine), "Rust ownership")
    assert (state["outcome"].status, state["outcome"].adapter) == ("learned", later.name)
    live = registry.live("rust")
    assert live is not None
    assert live.name == later.name


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


async def test_the_circuit_breaker_ends_a_run_that_works_too_long(runtime: Runtime, clock: Clock) -> None:
    start = runtime.clock()
    clock.advance(LIMITS.run_seconds + 1)
    state = await run(runtime, "Rust ownership", working_since=start)
    assert state["outcome"].status == "stopped"
    assert "NIGHTSCHOOL_RUN_MINUTES" in state["outcome"].reason


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
