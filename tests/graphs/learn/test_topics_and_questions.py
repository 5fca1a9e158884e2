"""A learn run finds, verifies and teaches what a topic, a question or a gap needs."""

from typing import Any

import pytest
from langgraph.runtime import Runtime as Injected

from agent.engines.scripted import Line, ScriptedEngine
from agent.grading import normalise
from agent.learning.gaps import open_gap
from agent.learning.teachers.rules import write_pairs
from graphs.attempts import attempt
from graphs.state import Runtime
from memory.embedding.embedder import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.records.access import EVERYTHING
from tests.graphs.conftest import BASE_LINES, SONG, TRAINED, dispute
from tests.support.facts import rust
from tests.support.learn_graph import Changed, beginning, run


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
        "What is a quib?",
        domain="rust",
        keywords=(),
        uncertainty=None,
        owner=None,
        id="g1",
        now=runtime.clock(),
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


@pytest.mark.slow
async def test_a_question_is_learned_with_its_neighbourhood(runtime: Runtime) -> None:
    state = await run(runtime, "What is a string slice?", whole=False)
    assert state["outcome"].status == "learned"
    assert state["curriculum"].facts[0].source == "rust.md"
    assert len(state["curriculum"].facts) > 1


@pytest.mark.slow
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
        "Mariana trench depth",
        domain="general",
        keywords=(),
        uncertainty=None,
        owner=None,
        id="g1",
        now=runtime.clock(),
    )
    await runtime.database.open_gap(gap)
    state = await run(runtime, "Mariana trench depth", gap_id="g1")
    assert state["outcome"].status == "nothing_to_learn"
    assert state["outcome"].reason.startswith("nothing to learn from")
    assert state["refinements"] == 3
    assert [e.step for e in state["events"]].count("explore") == 4
    assert (await runtime.database.gap("g1", access=EVERYTHING)).status == "open"


async def test_an_empty_memory_has_nothing_to_learn_from(changed: Changed) -> None:
    empty = changed(episodic=VolatileEpisodicMemory(HashingEmbedder()))
    state = await run(empty, "Rust ownership")
    assert state["outcome"].status == "nothing_to_learn"


@pytest.mark.slow
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
    gap = open_gap(
        question, domain="rust", keywords=(), uncertainty=None, owner=None, id="g1", now=runtime.clock()
    )
    await runtime.database.open_gap(gap)
    state = await run(runtime, question, whole=False, gap_id="g1")
    assert [e.step for e in state["events"]][-3:] == ["promote", "ask again", "report"]
    assert state["asked_again"].answer == answer
    assert (await runtime.database.gap("g1", access=EVERYTHING)).status == status


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
