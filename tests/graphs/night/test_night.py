"""A night goes over the day, trains what was verified, and may be killed after any step."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graphs.night import STEPS, how_it_ends
from graphs.state import Runtime
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.errors import StoreUnavailable
from memory.nights.store import NightStore
from memory.outbox.volatile import VolatileOutbox
from memory.records.nights import StepReport
from tests.support.night_runs import OPTIONS, TRAINED, NightRun, made, night_runtime
from tests.support.nights import night


def options(**changes: Any) -> Any:
    return OPTIONS.model_copy(update=changes)


class Killed(Exception):
    """Stands for a kill -9."""


class MortalStore(NightStore):
    """Dies once in each step, after its work and before it is reported."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.survived: set[str] = set()

    async def add_step(self, night_id: str, step: StepReport) -> None:
        if step.step not in self.survived:
            self.survived.add(step.step)
            raise Killed
        await super().add_step(night_id, step)


async def test_a_night_goes_over_the_day_and_deploys_what_it_learned(runtime: Runtime) -> None:
    night = await NightRun(runtime).whole()
    assert night.status == "done", night.reason
    steps = {each.step: each for each in night.steps}
    assert list(steps) == ["collect", "score", "revise", "archive", "consolidate", "topics", "golden",
                           "surprise", "attack", "train", "deploy", "report"]  # fmt: skip
    assert steps["collect"].figures["turns"] == 8
    assert len(await runtime.nights.scores([f"i{number}" for number in range(9)])) == 8
    assert steps["train"].status == "done", steps["train"].reason
    assert night.adapter == TRAINED.name
    assert night.summary["night_id"] == "n1"
    skew = {each["aspect"]: each for each in night.summary["skew"]["aspects"]}
    assert (skew["languages"]["asked"], skew["users"]["effective_asked"]) == (7, pytest.approx(2, abs=0.1))


async def test_a_night_that_is_killed_after_each_step_ends_like_any_other(
    runtime: Runtime, tmp_path: Path, clock: Any
) -> None:
    await NightRun(runtime).whole()
    expected = await made(runtime)
    second = await night_runtime(runtime, tmp_path / "second", clock)
    store = MortalStore(second.database)
    run = NightRun(replace(second, nights=store))
    await run.begin()
    for _ in range(3 * len(STEPS)):
        try:
            if not await run.go_on():
                break
        except Killed:
            continue
    assert store.survived == {step for step, _ in expected["steps"]}
    assert await made(second) == expected
    await second.database.aclose()


async def test_a_night_that_is_interrupted_between_its_steps_ends_like_any_other(
    runtime: Runtime, tmp_path: Path, clock: Any
) -> None:
    await NightRun(runtime).whole()
    second = await night_runtime(runtime, tmp_path / "second", clock)
    run = NightRun(second)
    await run.begin()
    visited: list[str] = []
    while following := await run.go_on(interrupt_after="*"):
        visited += following
    assert (visited[0], visited[-1]) == ("collect", "report")
    assert await made(second) == await made(runtime)
    await second.database.aclose()


async def test_a_day_of_few_turns_is_skipped_with_a_report(runtime: Runtime) -> None:
    night = await NightRun(runtime).whole(options=options(minimum_turns=9))
    assert (night.status, night.reason) == ("skipped", "8 turns, and the minimum is 9")
    assert [each.step for each in night.steps] == ["collect", "report"]
    assert night.summary["status"] == "skipped"


async def test_a_night_without_training_does_all_else(runtime: Runtime) -> None:
    night = await NightRun(runtime).whole(options=options(train=False))
    steps = {each.step: each for each in night.steps}
    assert (night.status, night.adapter) == ("done", None)
    assert (steps["train"].status, steps["train"].reason) == (
        "skipped",
        "the night was started without training",
    )
    assert "deploy" not in steps


async def test_too_few_examples_are_not_trained(runtime: Runtime) -> None:
    night = await NightRun(runtime).whole(options=options(minimum_examples=500))
    train = next(each for each in night.steps if each.step == "train")
    assert train.status == "skipped"
    assert "500" in train.reason
    assert night.handed_over == {}


async def test_a_step_that_fails_ends_the_night_and_keeps_what_was_done(runtime: Runtime) -> None:
    class Broken(VolatileEpisodicMemory):
        async def scores(self, *args: Any, **kwargs: Any) -> Any:
            raise StoreUnavailable("the disk is full")

    night = await NightRun(replace(runtime, episodic=Broken(runtime.embedder))).whole()
    assert (night.status, night.reason) == ("failed", "score: the disk is full")
    assert [each.status for each in night.steps] == ["done", "failed", "done"]
    assert night.summary, "the morning report is there"


async def test_the_window_ends_a_night_that_waits_for_its_trainer(runtime: Runtime) -> None:
    waiting = replace(runtime, outbox=VolatileOutbox({}))
    night = await NightRun(waiting).whole(options=options(window_minutes=0.01))
    assert night.status == "stopped"
    assert "the window ended while the trainer worked" in night.reason
    assert night.adapter is None


async def test_a_trainer_without_progress_fails_the_night(runtime: Runtime) -> None:
    limits = runtime.limits.model_copy(update={"training_seconds": 0.05})
    night = await NightRun(replace(runtime, outbox=VolatileOutbox({}), limits=limits)).whole()
    assert night.status == "failed"
    assert "made no progress for" in night.reason


async def test_a_client_s_state_cannot_end_another_night(runtime: Runtime) -> None:
    run = NightRun(runtime)
    await run.begin()
    await runtime.nights.update((await runtime.nights.night("n1")).model_copy(update={"status": "done"}))
    with pytest.raises(ValueError, match="has ended"):
        await run.go_on()


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ({"collect": "done", "score": "failed"}, ("failed", "score: why")),
        ({"collect": "done", "revise": "stopped"}, ("stopped", "revise: why")),
        ({"collect": "skipped"}, ("skipped", "why")),
        ({"collect": "done", "score": "done"}, ("stopped", "revise was left out")),
        ({}, ("stopped", "collect was left out")),
        ({name: "done" for name, _ in STEPS.values() if name != "deploy"}, ("done", "")),
    ],
)
def test_a_night_whose_steps_did_not_succeed_is_not_done_whatever_its_state_says(
    steps: dict[Any, Any], expected: tuple[str, str]
) -> None:
    made = tuple(StepReport(step=name, status=status, reason="why") for name, status in steps.items())
    assert how_it_ends({"night_id": "n1"}, night(steps=made)) == expected
