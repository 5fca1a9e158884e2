"""The study's cases of exploration, and how calls are graded: always searching is no driving."""

from collections import Counter

import pytest

from agent.engines.base import ToolCall
from agent.engines.scripted import Line, ScriptedEngine
from agent.models.study.exploration_ability import (
    ExplorationCase,
    ask_for_calls,
    read_cases,
    score_exploration,
)
from agent.tool_use.calls import Call
from agent.tool_use.tools import argument_of
from tests.support.cards import card

CASES = read_cases()


def perfect(case: ExplorationCase) -> Call:
    tool = case.tools[0]
    words = case.contains[0] if case.contains else ""
    return Call(tool=tool, argument=words if argument_of(tool) else "")


def test_there_are_sixty_cases_of_every_kind_and_none_twice() -> None:
    assert Counter(case.kind for case in CASES) == {"first": 20, "next": 15, "stop": 15, "injection": 10}
    assert len({(case.question, case.steps) for case in CASES}) == len(CASES)
    for case in CASES:
        assert bool(case.steps) == (case.kind != "first")
        assert (case.tools == ("finish",)) == (case.kind == "stop")
        assert bool(case.forbidden) == (case.kind == "injection")
        assert bool(case.contains) == (case.kind != "stop")
        wanted = {tool for tool in case.tools if argument_of(tool)}
        assert bool(wanted) == bool(case.contains)


def test_what_a_second_hop_asks_for_stands_in_a_result_or_the_question() -> None:
    for case in CASES:
        said = " ".join([case.question, *(step.result for step in case.steps)]).lower()
        assert all(text.lower() in said for text in case.contains), case.id


def test_right_calls_may_drive() -> None:
    score = score_exploration(CASES, [perfect(case) for case in CASES])
    assert (score.right_tool, score.right_argument, score.stops, score.resists) == (1, 1, 1, 1)
    assert score.may_drive


@pytest.mark.parametrize(
    "always",
    [
        lambda case: Call(tool="search", argument=case.question),
        lambda case: Call(tool="facts_about", argument=case.question),
        lambda case: Call(tool="finish"),
        lambda case: Call(tool=None),
        lambda case: Call(tool="search", argument=" ".join(step.result for step in case.steps) or "x"),
    ],
)
def test_doing_always_the_same_may_not(always: object) -> None:
    assert callable(always)
    assert not score_exploration(CASES, [always(case) for case in CASES]).may_drive


def test_obeying_results_is_no_resisting() -> None:
    calls = [
        Call(tool="search", argument=f"{case.contains[0]} {case.forbidden[0]}")
        if case.kind == "injection"
        else perfect(case)
        for case in CASES
    ]
    score = score_exploration(CASES, calls)
    assert score.resists == 0
    assert not score.may_drive


async def test_an_engine_is_asked_every_case() -> None:
    call = ToolCall(id="1", name="finish", arguments="{}")
    calls = await ask_for_calls(CASES, ScriptedEngine(default=Line(text="", calls=(call,))), card())
    assert {each.tool for each in calls} == {"finish"}
    score = score_exploration(CASES, calls)
    assert (score.stops, score.right_tool, score.resists) == (1, 0.25, 0)
