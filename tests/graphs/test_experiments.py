"""In an experiment every unit is answered by its variant, and by the control where the variant cannot."""

from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.messages import BaseMessage, SystemMessage

from agent.chat.conversation import messages_from_pairs
from agent.engines.scripted import Line, ScriptedEngine
from agent.errors import EngineUnavailable
from agent.experiments.assignment import variant_of
from agent.feedback.pseudonyms import pseudonym
from graphs.chat import Chat, build, chat, initial_state
from graphs.server.graph_spec import ChatSpec
from graphs.state import Runtime
from graphs.turn import Turn
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.records.experiments import CONTROL, HOLDOUT, Experiment, ExperimentDecision
from memory.records.interactions import Interaction
from tests.support.adapters import adapter
from tests.support.engines import RecordingEngine
from tests.support.experiments import CANDIDATE, GENERAL, LEMUR, WHEN, experiment, served

UNITS = [f"user-{number}" for number in range(40)]


@pytest.fixture(scope="module")
def graph() -> Chat:
    return build().compile()


async def running(runtime: Runtime, **fields: Any) -> tuple[Runtime, Experiment]:
    """The runtime while an experiment of the base model against an adapter of its domain runs."""
    changed = served(runtime)
    assert changed.experiments is not None
    started = experiment(**({"domain": "general", "adapter": GENERAL.name} | fields))
    await changed.experiments.store.create(started)
    await changed.routes.refresh()
    await changed.experiments.refresh()
    return changed, started


async def say(graph: Chat, runtime: Runtime, text: str, unit: str | None = "ada", **more: Any) -> Turn:
    return await chat(graph, runtime, initial_state(messages_from_pairs([("user", text)]), unit=unit, **more))


async def logged(runtime: Runtime, turn: Turn) -> Interaction:
    return await runtime.interactions.get(turn.id)


def unit_in(variant: str, started: Experiment, runtime: Runtime) -> str:
    """A user who is assigned to the variant."""
    return next(u for u in UNITS if variant_of(started, pseudonym(u, runtime.pseudonym_key)) == variant)


async def test_a_unit_is_always_answered_by_its_variant(graph: Chat, runtime: Runtime) -> None:
    changed, started = await running(runtime)
    expected = {CONTROL: (None, "a small primate"), "b": (GENERAL.name, "a lemur of the variant")}
    for variant, answered in expected.items():
        unit = unit_in(variant, started, changed)
        for _ in range(3):
            turn = await say(graph, changed, LEMUR, unit)
            assert (turn.route.adapter, turn.answer) == answered
            assignment = (await logged(changed, turn)).assignment
            assert assignment is not None
            assert (assignment.variant, assignment.fallback) == (variant, False)


async def test_units_divide_and_are_exposed_once(graph: Chat, runtime: Runtime) -> None:
    changed, started = await running(runtime)
    for unit in (*UNITS, *UNITS):
        await say(graph, changed, "Hi", unit)
    assert changed.experiments is not None
    exposures = await changed.experiments.store.exposures(started.id)
    assert sum(exposures.values()) == len(UNITS)
    assert min(exposures[CONTROL], exposures["b"]) > len(UNITS) / 5


async def test_conversation_takes_part_on_the_default_domain(graph: Chat, runtime: Runtime) -> None:
    changed, started = await running(runtime)
    turn = await say(graph, changed, "Hi", unit_in("b", started, changed))
    assert (turn.intent, turn.answer) == ("conversation", "Hello from the variant.")


@pytest.mark.parametrize(
    ("requested", "variant", "name"),
    [("nightschool", "b", None), (GENERAL.name, CONTROL, GENERAL.name)],
)
async def test_a_caller_who_names_a_model_gets_it(
    graph: Chat, runtime: Runtime, requested: str, variant: str, name: str | None
) -> None:
    changed, started = await running(runtime)
    turn = await say(graph, changed, LEMUR, unit_in(variant, started, changed), requested=requested)
    assert turn.route.adapter == name
    assert (await logged(changed, turn)).assignment is None


@pytest.mark.parametrize("requested", [None, "auto", "rust"])
async def test_a_domain_and_auto_take_part(graph: Chat, runtime: Runtime, requested: str | None) -> None:
    changed, started = await running(runtime, domain="rust", adapter=CANDIDATE.name)
    unit = unit_in("b", started, changed)
    # The lessons of tests name a zorble.
    turn = await say(graph, changed, "What is a zorble?", unit, requested=requested)
    kept = await logged(changed, turn)
    assert kept.assignment is not None
    assert kept.assignment.variant == "b"


async def test_without_a_unit_there_is_no_experiment(graph: Chat, runtime: Runtime) -> None:
    changed, _ = await running(runtime)
    turn = await say(graph, changed, LEMUR, None)
    assert (turn.answer, (await logged(changed, turn)).assignment) == ("a small primate", None)


async def test_a_turn_that_must_not_be_stored_takes_no_part(graph: Chat, runtime: Runtime) -> None:
    changed, started = await running(runtime)
    turn = await say(graph, changed, LEMUR, unit_in("b", started, changed), store=False)
    assert turn.answer == "a small primate"


async def test_the_holdout_is_answered_by_the_control_and_counted(graph: Chat, runtime: Runtime) -> None:
    changed, started = await running(runtime, holdout=1.0)
    turn = await say(graph, changed, LEMUR)
    kept = await logged(changed, turn)
    assert turn.answer == "a small primate"
    assert kept.assignment is not None
    assert kept.assignment.variant == HOLDOUT
    assert changed.experiments is not None
    assert await changed.experiments.store.exposures(started.id) == {HOLDOUT: 1}


async def test_units_that_are_not_covered_are_not_exposed(graph: Chat, runtime: Runtime) -> None:
    changed, _ = await running(runtime, coverage=0.0)
    assert (await logged(changed, await say(graph, changed, LEMUR))).assignment is None


async def test_a_rejected_adapter_is_replaced_by_the_control_and_the_log_says_so(
    graph: Chat, runtime: Runtime
) -> None:
    rejected = adapter("general", 2, rejected=True)
    changed = served(runtime)
    assert isinstance(changed.registry, VolatileAdapterRegistry)
    changed.registry.register(rejected)
    assert changed.experiments is not None
    started = await changed.experiments.store.create(experiment(domain="general", adapter=rejected.name))
    await changed.experiments.refresh()
    turn = await say(graph, changed, LEMUR, unit_in("b", started, changed))
    kept = await logged(changed, turn)
    assert (turn.answer, turn.route.adapter) == ("a small primate", None)
    assert kept.assignment is not None
    assert (kept.assignment.variant, kept.assignment.fallback) == ("b", True)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("text", [LEMUR, "Hi"])
async def test_an_adapter_that_vanishes_from_the_engine_for_good_is_replaced_by_the_control(
    graph: Chat, runtime: Runtime, text: str, streamed: bool
) -> None:
    changed, started = await running(runtime)
    assert isinstance(changed.engine, ScriptedEngine)
    changed.engine.restart()
    changed.engine._refused[GENERAL.name] = "its folder is gone"
    turn = await say(graph, changed, text, unit_in("b", started, changed), streamed=streamed)
    kept = await logged(changed, turn)
    assert (turn.route.adapter, turn.outcome) == (None, "answered" if text == LEMUR else turn.outcome)
    assert kept.adapter is None
    assert kept.assignment is not None
    assert (kept.assignment.variant, kept.assignment.fallback) == ("b", True)


async def test_an_adapter_lost_in_a_restart_is_loaded_again_and_answers(
    graph: Chat, runtime: Runtime
) -> None:
    changed, started = await running(runtime)
    assert isinstance(changed.engine, ScriptedEngine)
    changed.engine.restart()
    turn = await say(graph, changed, "Hi", unit_in("b", started, changed))
    assert turn.answer == "Hello from the variant."
    changed.engine.restart()
    assert changed.experiments is not None
    await changed.experiments.refresh()
    assert GENERAL.name in await changed.engine.loaded()


async def test_an_engine_that_is_away_is_no_reason_to_fall_back(graph: Chat, runtime: Runtime) -> None:
    changed, started = await running(runtime)
    assert isinstance(changed.engine, ScriptedEngine)
    changed.engine.available = False
    with pytest.raises(EngineUnavailable):
        await say(graph, changed, "Hi", unit_in("b", started, changed))


async def test_a_variants_prompt_comes_first_and_is_never_part_of_the_conversation(
    graph: Chat, runtime: Runtime
) -> None:
    changed, started = await running(runtime, adapter=None)
    variants = (
        started.variants[0],
        started.variants[1].model_copy(update={"system_prompt": "Be brief."}),
    )
    assert changed.experiments is not None
    started = await changed.experiments.store.append(
        started.id,
        ExperimentDecision(at=WHEN, action="changed", by="ada", reason="prompt"),
        variants=[variant.model_dump() for variant in variants],
    )
    await changed.experiments.refresh()
    unit = unit_in("b", started, changed)
    state = initial_state(messages_from_pairs([("system", "You are Ada."), ("user", "Hi")]), unit=unit)
    values = await graph.ainvoke(state, context=changed)
    assert isinstance(changed.engine, RecordingEngine)
    asked = changed.engine.asked[-1][0]
    assert asked[0].text == "Be brief.\n\nYou are Ada."
    assert "Be brief." not in str(values)
    assert "Be brief." not in str(await changed.interactions.list())
    control = await say(graph, changed, "Hi", unit_in(CONTROL, started, changed))
    assert control.outcome == "answered"
    assert not any(isinstance(message, SystemMessage) for message in _last(changed.engine))


async def test_a_prompt_that_makes_the_conversation_too_long_leaves_it_to_the_control(
    graph: Chat, runtime: Runtime
) -> None:
    engine = RecordingEngine({"Hi": Line(text="Hello.")}, context=50)
    changed = served(runtime, engine)
    long = {"name": "b", "share": 0.5, "system_prompt": "word " * 60}
    started = experiment(domain="general", adapter=None)
    started = Experiment.model_validate(
        started.model_dump() | {"variants": [started.variants[0].model_dump(), long]}
    )
    assert changed.experiments is not None
    await changed.experiments.store.create(started)
    await changed.experiments.refresh()
    turn = await say(graph, changed, "Hi", unit_in("b", started, changed))
    kept = await logged(changed, turn)
    assert turn.answer == "Hello."
    assert kept.assignment is not None
    assert kept.assignment.fallback


async def test_an_experiment_that_ended_assigns_nobody(graph: Chat, runtime: Runtime) -> None:
    changed, started = await running(runtime)
    assert changed.experiments is not None
    stopped = ExperimentDecision(at=WHEN, action="stopped", by="ada", reason="enough")
    await changed.experiments.store.append(started.id, stopped)
    assert await changed.experiments.refresh_if_changed()
    assert not await changed.experiments.refresh_if_changed()
    turn = await say(graph, changed, LEMUR, unit_in("b", started, changed))
    assert (turn.answer, (await logged(changed, turn)).assignment) == ("a small primate", None)


@pytest.mark.parametrize(
    ("name", "forged"),
    [
        ("assignment", {"experiment_id": "e1", "version": 1, "variant": "b"}),
        ("unit", "another user"),
        ("interaction_id", "chosen-by-the-client"),
        ("gap_id", "another gap"),
    ],
)
def test_a_client_cannot_claim_whose_turn_is_logged(name: str, forged: Any) -> None:
    spec = ChatSpec.__new__(ChatSpec)
    with pytest.raises(ValueError, match=f"{name} cannot be changed: clients may change messages"):
        spec.validate_update({name: forged}, "ada")


def _last(engine: RecordingEngine) -> Sequence[BaseMessage]:
    return engine.asked[-1][0]
