"""Users are answered from what they stated themselves, and nobody else is."""

from dataclasses import replace

import pytest
from langchain_core.messages import convert_to_messages

from agent.feedback.pseudonyms import pseudonym
from agent.nights.statements.extract import extract_statements
from graphs.chat import Chat, chat, initial_state
from graphs.state import Runtime
from graphs.turn import Turn
from tests.support.statements_of_users import said


@pytest.fixture
async def remembering(runtime: Runtime) -> Runtime:
    """Ann has said where she lives and when Apollo is due."""
    unit = pseudonym("ann", runtime.pseudonym_key)
    messages = ("I live in Bern.", "My daughter Mia plays the violin.", "I use PostgreSQL at work.")
    stated = extract_statements([said(text, unit=unit, at=runtime.clock()) for text in messages])
    await runtime.nights.save_statements(stated)
    return runtime


async def ask(graph: Chat, runtime: Runtime, text: str, unit: str | None, *, system: str = "") -> Turn:
    messages = convert_to_messages([*([("system", system)] if system else []), ("user", text)])
    return await chat(graph, runtime, initial_state(messages, unit=unit))


async def test_a_question_about_oneself_is_answered_with_what_was_said(
    graph: Chat, remembering: Runtime
) -> None:
    turn = await ask(graph, remembering, "Where do I live?", "ann")
    assert turn.outcome == "answered_from_sources"
    assert turn.answer.startswith("You said on ")
    assert "I live in Bern." in turn.answer
    (citation,) = turn.citations
    assert citation.source.startswith("statement:")
    assert citation.title.startswith("you said on ")
    assert (await remembering.interactions.get(turn.id)).citations == turn.citations


async def test_a_question_by_name_is_answered_where_the_model_is_unsure(
    graph: Chat, remembering: Runtime
) -> None:
    turn = await ask(graph, remembering, "What does Mia play?", "ann")
    assert "plays the violin" in turn.answer


@pytest.mark.parametrize("unit", ["bob", None, "", "ANN", "ann "])
@pytest.mark.parametrize("question", ["Where do I live?", "What does Mia play?"])
async def test_nobody_else_hears_of_it(
    graph: Chat, remembering: Runtime, question: str, unit: str | None
) -> None:
    turn = await ask(graph, remembering, question, unit)
    assert "Bern" not in turn.answer
    assert "violin" not in turn.answer
    assert not any(c.source.startswith("statement:") for c in turn.citations)


async def test_a_user_of_the_same_name_of_another_owner_does_not_hear_of_it(
    graph: Chat, remembering: Runtime
) -> None:
    turn = await ask(graph, replace(remembering, owner="initech"), "Where do I live?", "ann")
    assert "Bern" not in turn.answer


async def test_how_to_do_something_is_no_question_about_oneself(graph: Chat, remembering: Runtime) -> None:
    turn = await ask(graph, remembering, "How do I use PostgreSQL?", "ann")
    assert "You said" not in turn.answer


async def test_a_system_prompt_decides_what_is_answered(graph: Chat, remembering: Runtime) -> None:
    turn = await ask(graph, remembering, "Where do I live?", "ann", system="Answer only in French.")
    assert "You said" not in turn.answer
