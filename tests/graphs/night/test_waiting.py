"""A night waits for quiet and for other nights, and gives up at its window's end."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from graphs.night_waiting import is_quiet
from graphs.state import Runtime
from tests.support.interactions import interaction
from tests.support.night_runs import OPTIONS, NightRun, Sleeper
from tests.support.nights import WHEN, night

BRIEF = OPTIONS.model_copy(update={"train": False, "window_minutes": 30.0, "minimum_turns": 1000})


async def chat(runtime: Runtime, turns: int, **fields: Any) -> None:
    for number in range(turns):
        await runtime.interactions.save(
            interaction(f"late{number}", created_at=WHEN - timedelta(minutes=1), **fields)
        )


async def test_turns_of_the_last_minutes_are_counted(runtime: Runtime) -> None:
    assert await is_quiet(night(), runtime)
    await chat(runtime, 4, domain="python")
    assert await is_quiet(night(), runtime), "four in five minutes are fewer than one a minute"
    await chat(runtime, 5)
    assert not await is_quiet(night(), runtime)


async def test_a_night_begins_as_soon_as_it_is_quiet(runtime: Runtime) -> None:
    await chat(runtime, 5)
    ended = await NightRun(runtime).whole(options=BRIEF)
    assert ended.reason == "13 turns, and the minimum is 1000"
    assert isinstance(runtime.sleep, Sleeper)
    assert 240 <= sum(runtime.sleep.slept) <= 300
    assert max(runtime.sleep.slept) <= 30


async def test_one_night_waits_for_another(runtime: Runtime, clock: Any) -> None:
    store = runtime.nights
    other = await store.begin(night("n2", domain="python"))
    await store.acquire("n2")

    async def end_other() -> None:
        if clock.now - WHEN > timedelta(minutes=10):
            await store.update(other.model_copy(update={"status": "done"}))

    ended = await NightRun(replace(runtime, sleep=Sleeper(clock, end_other))).whole(options=BRIEF)
    assert ended.status == "skipped"
    assert "the minimum is 1000" in ended.reason, "it has looked at the turns"


async def test_a_night_gives_up_at_the_end_of_its_window(runtime: Runtime, clock: Any) -> None:
    await runtime.nights.begin(night("n2", domain="python"))
    await runtime.nights.acquire("n2")
    ended = await NightRun(runtime).whole(options=BRIEF)
    assert (ended.status, ended.reason) == ("skipped", "the window of 30 minutes passed: another night runs")
    assert clock.now == WHEN + timedelta(minutes=30)
    assert ended.ended_at == clock.now
