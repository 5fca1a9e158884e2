"""Chat gives an archived answer again instead of writing a new one, with its citations."""

from agent.engines.scripted import ScriptedEngine
from graphs.chat import Chat
from graphs.state import Runtime
from memory.records.knowledge import Citation
from memory.records.nights import ArchivedAnswer
from tests.support.chat_turns import Changed, hold, say
from tests.support.interactions import NOON

QUESTION = "What is a move?"
QUOTE = "A move is a transfer of a value to a new owner."
ANSWER = "A move hands a value over to a new owner."
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


async def test_the_model_is_asked_once_only(graph: Chat, changed: Changed) -> None:
    prompts: list[int] = []

    def script(messages: object) -> None:
        prompts.append(1)

    runtime = changed(engine=ScriptedEngine(script))
    await runtime.answers.add([ARCHIVED])
    await say(graph, runtime, QUESTION)
    assert len(prompts) == 1


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
