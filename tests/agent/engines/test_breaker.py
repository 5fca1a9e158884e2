"""The circuit breaker: opens after failures in a row, tries again by one request, and recovers by itself."""

import asyncio
from contextlib import aclosing

import pytest
from langchain_core.messages import HumanMessage

from agent.engines.base import AnswerScorer, EndingScorer, TextCompleter
from agent.engines.breaker import FAILURES, REST_SECONDS, BreakingEngine, Circuit
from agent.engines.scripted import Line, ScriptedEngine
from agent.errors import EngineUnavailable

TEA = [HumanMessage("What is tea?")]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Counting(ScriptedEngine):
    """Counts what it is asked."""

    asked = 0

    def _require_available(self) -> None:
        self.asked += 1
        super()._require_available()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine() -> Counting:
    return Counting({"What is tea?": Line(text="a drink", pause=0.001)})


@pytest.fixture
def guarded(engine: Counting, clock: Clock) -> BreakingEngine:
    return BreakingEngine(engine, Circuit(clock))


async def fail(guarded: BreakingEngine, engine: Counting, times: int = FAILURES) -> None:
    engine.available = False
    for _ in range(times):
        with pytest.raises(EngineUnavailable, match="switched off"):
            await guarded.chat(TEA)


async def test_an_engine_that_fails_again_and_again_is_not_asked_any_more(
    guarded: BreakingEngine, engine: Counting
) -> None:
    await fail(guarded, engine)
    asked = engine.asked
    with pytest.raises(EngineUnavailable, match=r"5 times in a row.*switched off"):
        await guarded.chat(TEA)
    with pytest.raises(EngineUnavailable, match="in a row"):
        await anext(guarded.stream(TEA))
    with pytest.raises(EngineUnavailable, match="in a row"):
        await guarded.loaded()
    assert engine.asked == asked


async def test_after_a_rest_one_request_tries_the_engine_and_its_success_lets_all_through(
    guarded: BreakingEngine, engine: Counting, clock: Clock
) -> None:
    await fail(guarded, engine)
    engine.available = True
    clock.now += REST_SECONDS
    several = await asyncio.gather(*(guarded.chat(TEA) for _ in range(4)), return_exceptions=True)
    refused = [each for each in several if isinstance(each, EngineUnavailable)]
    assert len(refused) == 3
    assert (await guarded.chat(TEA)).text == "a drink"


async def test_a_trial_that_fails_opens_the_circuit_again(
    guarded: BreakingEngine, engine: Counting, clock: Clock
) -> None:
    await fail(guarded, engine)
    clock.now += REST_SECONDS
    await fail(guarded, engine, times=1)
    with pytest.raises(EngineUnavailable, match="6 times in a row"):
        await guarded.chat(TEA)


async def test_a_success_in_between_forgets_earlier_failures(
    guarded: BreakingEngine, engine: Counting
) -> None:
    await fail(guarded, engine, times=FAILURES - 1)
    engine.available = True
    await guarded.chat(TEA)
    await fail(guarded, engine, times=FAILURES)


async def test_a_callers_mistake_does_not_open_the_circuit(guarded: BreakingEngine) -> None:
    for _ in range(2 * FAILURES):
        with pytest.raises(ValueError, match="at least one message"):
            await guarded.chat([])
    assert (await guarded.chat(TEA)).text == "a drink"


async def test_a_reader_who_leaves_during_the_trial_lets_the_next_one_try(
    guarded: BreakingEngine, engine: Counting, clock: Clock
) -> None:
    await fail(guarded, engine)
    engine.available = True
    clock.now += REST_SECONDS
    async with aclosing(guarded.stream(TEA)) as parts:
        await anext(parts)
    assert (await guarded.chat(TEA)).text == "a drink"


def test_it_can_do_all_that_the_engine_behind_it_can(guarded: BreakingEngine) -> None:
    assert isinstance(guarded, TextCompleter)
    assert isinstance(guarded, EndingScorer)
    assert isinstance(guarded, AnswerScorer)
