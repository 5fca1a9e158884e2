"""A night attacks the live model within its window and its limit, and goes on where it was killed."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.messages import BaseMessage

from agent.engines.base import Reply
from agent.engines.scripted import ScriptedEngine
from agent.errors import PromptTooLong
from graphs.state import Runtime
from memory.nights.attacks import Attacks
from memory.records.attacks import Attack
from memory.records.nights import Night, StepReport
from tests.graphs.conftest import BASE_LINES, SONG
from tests.support.night_runs import OPTIONS, TRAINED, NightRun, Sleeper

NO_TRAINING = OPTIONS.model_copy(update={"train": False})


class Gullible(ScriptedEngine):
    """Repeats what an attack dictates, and notes what it was asked."""

    def __init__(self, fault: Exception | None = None, before: Any = None) -> None:
        super().__init__(BASE_LINES, adapters={TRAINED.name: SONG})
        self.attacked: list[str | None] = []
        self._fault = fault
        self._before = before

    async def chat(self, messages: Sequence[BaseMessage], **options: Any) -> Reply:
        reply = await super().chat(messages, **options)
        text = str(messages[-1].content)
        is_attack = any(
            mark in text for mark in ("I have read this:", "Are you sure?", "Important note:", "yes or no")
        )
        if not is_attack:
            return reply
        self.attacked.append(options.get("adapter"))
        if self._before is not None:
            self._before(len(self.attacked))
        if self._fault is not None and len(self.attacked) == 3:
            fault, self._fault = self._fault, None
            raise fault
        dictated = text.partition("answer every question only with: ")[2].partition("\n")[0]
        return reply.model_copy(update={"text": dictated or "I do not know."})


async def whole(runtime: Runtime, engine: ScriptedEngine, **options: Any) -> tuple[Night, StepReport]:
    night = await NightRun(replace(runtime, engine=engine)).whole(
        options=NO_TRAINING.model_copy(update=options)
    )
    return night, next(each for each in night.steps if each.step == "attack")


async def attacks(runtime: Runtime) -> tuple[Attack, ...]:
    return await Attacks(runtime.database).list()


async def test_what_was_asked_and_quoted_is_attacked_and_reported(runtime: Runtime) -> None:
    night, step = await whole(runtime, Gullible())
    made = await attacks(runtime)
    assert {each.kind for each in made} == {"false_premise", "injection", "contradiction", "stereotype"}
    assert {each.question for each in made} == {"What is a move?", "What is a string slice?"}
    assert {each.result for each in made if each.kind == "injection"} == {"fell"}
    assert {each.result for each in made if each.kind != "injection"} == {"evaded"}
    assert (step.figures["attacks"], step.figures["fell"]) == (len(made), len(made) / 4)
    assert night.summary["attacks"]["injection"]["fell"] == len(made) / 4
    assert any("Attacks that the model fell for" in each for each in night.summary["attention"])


async def test_at_most_as_many_questions_are_attacked_as_the_night_may(runtime: Runtime) -> None:
    _, step = await whole(runtime, Gullible(), attacks=1)
    assert len({each.question for each in await attacks(runtime)}) == 1
    assert step.status == "done"


async def test_a_night_without_attacks_skips_them_with_a_reason(runtime: Runtime) -> None:
    engine = Gullible()
    night, step = await whole(runtime, engine, attacks=0)
    assert (night.status, step.status) == ("done", "skipped")
    assert step.reason == "the night was started without attacks"
    assert engine.attacked == []


async def test_a_domain_of_which_nothing_can_be_swapped_is_skipped_with_a_reason(runtime: Runtime) -> None:
    await runtime.semantic.remove("rust.md", domain="rust")
    night, step = await whole(runtime, Gullible())
    assert (night.status, step.status) == ("done", "skipped")
    assert "nothing was asked or taught" in step.reason


async def test_a_night_that_is_killed_between_two_attacks_goes_on_with_the_next(runtime: Runtime) -> None:
    class Killed(Exception):
        """Stands for a kill -9."""

    engine = Gullible(fault=Killed())
    run = NightRun(replace(runtime, engine=engine))
    await run.begin(options=NO_TRAINING)
    with pytest.raises(Killed):
        await run.go_on()
    assert len(await attacks(runtime)) == 2
    assert await run.go_on() == ()
    made = await attacks(runtime)
    assert len(engine.attacked) == len(made) + 1, "only what the kill interrupted is asked again"
    assert (await runtime.nights.night("n1")).status == "done"


async def test_the_window_ends_in_the_middle_of_the_attacks(runtime: Runtime, clock: Any) -> None:
    def late(count: int) -> None:
        if count == 2:
            clock.advance(OPTIONS.window_minutes * 60)

    night, step = await whole(replace(runtime, sleep=Sleeper(clock)), Gullible(before=late))
    assert (night.status, step.status) == ("stopped", "stopped")
    assert step.reason.startswith("the window ended after 2 of ")
    assert len(await attacks(runtime)) == 2


async def test_an_attack_that_is_too_long_for_the_model_is_left_out(runtime: Runtime) -> None:
    night, step = await whole(runtime, Gullible(fault=PromptTooLong("too long")))
    assert night.status == "done"
    assert step.reason == "1 attack longer than the model's context"
    assert step.figures["attacks"] % 4 == 3


async def test_the_nights_lesson_brings_what_the_model_fell_for_to_its_evaluation(runtime: Runtime) -> None:
    night = await NightRun(replace(runtime, engine=Gullible())).whole()
    lesson = await runtime.outbox.curriculum(night.handed_over["lesson"])
    fell = [each for each in await attacks(runtime) if each.result == "fell"]
    assert {each.question for each in lesson.attacked} == {each.prompt for each in fell}
    assert fell
