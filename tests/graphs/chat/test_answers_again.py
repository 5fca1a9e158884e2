"""Chat gives an archived answer again instead of writing a new one, with its citations."""

import pytest

from agent.engines.scripted import Line, ScriptedEngine
from graphs.chat import Chat
from graphs.state import Runtime
from memory.records.knowledge import Citation
from memory.records.nights import ArchivedAnswer
from tests.support.chat_turns import Changed, hold, say
from tests.support.interactions import NOON

QUESTION = "What is a move?"
QUOTE = "A move is a transfer of a value to a new owner."
ANSWER = "A move hands a value over to a new owner."
SURE = ScriptedEngine(lambda messages: Line(text="a decision", entropy=0.0))
ARCHIVED = ArchivedAnswer(
    id="n1-i1",
    domain="rust",
    question=QUESTION,
    answer=ANSWER,
    score=9.0,
    citations=(Citation(source="rust.md", title="Ownership in Rust", start=0, end=len(QUOTE), quote=QUOTE),),
    source="n1-i1",
    created_at=NOON,
)


async def test_an_archived_answer_is_given_again_with_its_citations(graph: Chat, runtime: Runtime) -> None:
    await runtime.answers.add([ARCHIVED])
    turn = await say(graph, runtime, "what is a move")
    assert (turn.outcome, turn.answer) == ("answered_from_sources", ANSWER)
    assert turn.citations == ARCHIVED.citations
    assert turn.gap_id is None


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_a_night_found_better_is_given_though_the_model_is_confident_of_another(
    graph: Chat, changed: Changed, streamed: bool
) -> None:
    runtime = changed(engine=SURE)
    assert (await say(graph, runtime, QUESTION, streamed=streamed)).answer == "a decision"
    await runtime.answers.add([ARCHIVED])
    turn = await say(graph, runtime, "what is a move", streamed=streamed)
    assert (turn.outcome, turn.answer, turn.citations) == (
        "answered_from_sources",
        ANSWER,
        ARCHIVED.citations,
    )
    assert turn.prompt_tokens == turn.completion_tokens == 0


async def test_a_confident_answer_stands_where_the_document_of_the_archived_one_is_gone(
    graph: Chat, changed: Changed
) -> None:
    runtime = changed(engine=SURE)
    await runtime.answers.add([ARCHIVED])
    await runtime.episodic.remove("rust.md", domain="rust")
    assert (await say(graph, runtime, QUESTION)).answer == "a decision"


async def test_who_names_the_base_model_gets_its_answer(graph: Chat, changed: Changed) -> None:
    runtime = changed(engine=SURE)
    await runtime.answers.add([ARCHIVED])
    assert (await say(graph, runtime, QUESTION, requested=runtime.base_name)).answer == "a decision"


async def test_the_model_is_not_asked(graph: Chat, changed: Changed) -> None:
    prompts: list[int] = []

    def script(messages: object) -> None:
        prompts.append(1)

    runtime = changed(engine=ScriptedEngine(script))
    await runtime.answers.add([ARCHIVED])
    await say(graph, runtime, QUESTION)
    assert not prompts


async def test_other_questions_are_answered_from_the_sources_as_before(graph: Chat, runtime: Runtime) -> None:
    await runtime.answers.add([ARCHIVED])
    turn = await say(graph, runtime, "What is a string slice?")
    assert turn.outcome == "answered_from_sources"
    assert ANSWER not in turn.answer


async def test_an_answer_whose_document_was_removed_is_not_given(graph: Chat, runtime: Runtime) -> None:
    await runtime.answers.add([ARCHIVED])
    await runtime.episodic.remove("rust.md", domain="rust")
    turn = await say(graph, runtime, QUESTION)
    assert turn.outcome == "abstained"


async def test_a_system_prompt_may_ask_for_another_form_so_nothing_is_given_again(
    graph: Chat, runtime: Runtime
) -> None:
    await runtime.answers.add([ARCHIVED])
    turn = await hold(graph, runtime, [("system", "Answer like a pirate."), ("user", QUESTION)])
    assert ANSWER not in turn.answer


async def test_a_streamed_turn_gets_the_archived_answer_too(graph: Chat, runtime: Runtime) -> None:
    await runtime.answers.add([ARCHIVED])
    turn = await say(graph, runtime, QUESTION, streamed=True)
    assert (turn.outcome, turn.answer) == ("answered_from_sources", ANSWER)
