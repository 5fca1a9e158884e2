"""The policy decides what is returned if the model is unsure and no source helps."""

from typing import Any, get_args

import pytest

from agent.chat.abstention import abstention_text, caution_text, closest_text
from agent.engines.base import Sampling
from agent.engines.scripted import Line, ScriptedEngine
from graphs.chat import Chat
from graphs.state import Runtime
from graphs.turn import Turn
from memory.records.interactions import UnsurePolicy
from tests.support.chat_turns import UNSURE, Changed, hold, say
from tests.support.facts import passage


async def unsure(graph: Chat, runtime: Runtime, **more: Any) -> Turn:
    return await say(graph, runtime, "How deep is the Mariana trench?", **more)


@pytest.mark.parametrize("where", ["service", "request"])
@pytest.mark.parametrize("policy", get_args(UnsurePolicy))
async def test_the_policy_decides_what_goes_out_and_each_leaves_a_gap(
    graph: Chat, changed: Changed, policy: UnsurePolicy, where: str
) -> None:
    if where == "service":
        turn = await unsure(graph, changed(engine=UNSURE, unsure=policy))
    else:
        turn = await unsure(graph, changed(engine=UNSURE), unsure=policy)
    expected = {
        "abstain": ("abstained", abstention_text("no_sources", "en"), 0),
        "warn": ("answered_unsure", f"{caution_text('en')} about five miles", 0),
        "answer": ("answered_unsure", "about five miles", 3),
    }
    assert (turn.outcome, turn.answer, len(turn.tokens)) == expected[policy]
    assert turn.draft == "about five miles"
    assert turn.uncertainty is not None
    assert turn.uncertainty.decision == "unsure"
    assert turn.gap_id is not None


async def test_a_request_may_be_stricter_than_the_service(graph: Chat, changed: Changed) -> None:
    turn = await unsure(graph, changed(engine=UNSURE, unsure="answer"), unsure="abstain")
    assert turn.outcome == "abstained"


async def test_a_model_that_declines_itself_has_abstained_whatever_the_policy(
    graph: Chat, runtime: Runtime
) -> None:
    turn = await unsure(graph, runtime, unsure="answer")
    assert (turn.outcome, turn.answer) == ("abstained", "I do not know.")


async def test_an_empty_draft_is_no_answer_under_any_policy(graph: Chat, changed: Changed) -> None:
    runtime = changed(engine=ScriptedEngine(default=Line(text="", entropy=2.0)))
    turn = await unsure(graph, runtime, unsure="answer")
    assert (turn.outcome, turn.answer) == ("abstained", abstention_text("no_sources", "en"))


async def test_an_abstention_is_whole_however_few_tokens_were_allowed(graph: Chat, changed: Changed) -> None:
    turn = await unsure(graph, changed(engine=UNSURE), sampling=Sampling(max_tokens=2))
    assert (turn.answer, turn.finish_reason) == (abstention_text("no_sources", "en"), "stop")
    told = await unsure(graph, changed(engine=UNSURE), sampling=Sampling(max_tokens=2), unsure="answer")
    assert (told.answer, told.finish_reason) == ("about five", "length")


@pytest.mark.parametrize(
    ("system", "question", "language"),
    [
        ("Be brief.", "Wie tief ist der Marianengraben?", "de"),
        ("Answer in German.", "How deep is the Mariana trench?", "de"),
        ("Be brief.", "How deep is the Mariana trench?", "en"),
    ],
)
async def test_an_abstention_is_in_the_language_that_was_asked_in_or_for(
    graph: Chat, runtime: Runtime, system: str, question: str, language: str
) -> None:
    turn = await hold(graph, runtime, [("system", system), ("user", question)])
    assert turn.answer == abstention_text("no_sources", language)


async def test_an_abstention_shows_and_cites_what_comes_nearest_to_an_answer(
    graph: Chat, runtime: Runtime
) -> None:
    text = "If there are twelve or more of you, ring Marjorie Pask five days ahead."
    await runtime.episodic.add([passage(text, source="visit.md", title="Visiting")])
    turn = await say(graph, runtime, "How many bells ring in the tower at noon?")
    assert turn.outcome == "abstained"
    assert turn.answer.startswith(abstention_text("sources_silent", "en"))
    assert turn.answer.endswith(closest_text(f"“{text}” (Visiting)", "en"))
    assert [citation.quote for citation in turn.citations] == [text]  # so that forgetting it finds the turn
    assert turn.gap_id is not None
    told = await say(graph, runtime, "How many bells ring in the tower at noon?", unsure="answer")
    assert told.citations == ()
