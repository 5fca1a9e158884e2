"""A question is answered by the model, from sources or from a rewording; otherwise it opens a gap."""

from collections.abc import Sequence

from langchain_core.messages import BaseMessage

from agent.chat.abstention import abstention_text
from agent.chat.gate import SENTENCE
from agent.engines.scripted import Line, ScriptedEngine
from graphs.chat import Chat
from graphs.state import Limits, Runtime
from memory.records.access import EVERYTHING
from tests.support.chat_turns import Changed, Untouchable, hold, say
from tests.support.facts import passage


def reader(answer: str, entropy: float = 0.2) -> ScriptedEngine:
    """A model that knows nothing but gives `answer` to whatever comes with the text of a source."""

    def script(messages: Sequence[BaseMessage]) -> Line | None:
        text = " ".join(message.text for message in messages)
        read = any(sentence in text for sentence in ("transfer of a value", "reference to a part"))
        return Line(text=answer, entropy=entropy) if read else None

    return ScriptedEngine(script)


async def test_a_confident_answer_goes_out_without_touching_the_stores(graph: Chat, changed: Changed) -> None:
    turn = await say(graph, changed(episodic=Untouchable(), semantic=Untouchable()), "What is a lemur?")
    assert (turn.intent, turn.outcome, turn.answer) == ("question", "answered", "a small primate")
    assert turn.uncertainty is not None
    assert turn.uncertainty.decision == "confident"
    assert (turn.citations, turn.draft, turn.gap_id) == ((), None, None)


async def test_an_unsure_answer_is_replaced_by_one_from_sources_with_its_citation(
    graph: Chat, changed: Changed
) -> None:
    runtime = changed(engine=reader("a transfer of a value to a new owner"))
    turn = await say(graph, runtime, "What is a move?")
    assert turn.outcome == "answered_from_sources"
    assert turn.citations[0].quote == "A move is a transfer of a value to a new owner."
    assert turn.uncertainty is not None
    assert turn.uncertainty.decision == "unsure"
    assert turn.draft == "I do not know."
    assert turn.gap_id is None


async def test_sources_that_contradict_each_other_are_quoted_and_left_for_a_person(
    graph: Chat, runtime: Runtime
) -> None:
    for source, weight in (("old.md", 40), ("new.md", 55)):
        text = f"The maximum load of the Quorbin is {weight} kilograms."
        await runtime.episodic.add([passage(text, source=source, title=source)])
    turn = await say(graph, runtime, "What is the maximum load of the Quorbin?")
    assert turn.outcome == "answered_from_sources"
    assert "40" in turn.answer
    assert "55" in turn.answer
    assert {citation.source for citation in turn.citations} == {"old.md", "new.md"}
    assert turn.gap_id is not None


async def test_a_fact_that_the_model_fails_to_read_is_quoted_with_its_citation(
    graph: Chat, runtime: Runtime
) -> None:
    turn = await say(graph, runtime, "What is a string slice?")
    assert turn.outcome == "answered_from_sources"
    assert "A string slice is a reference to a part of a string." in turn.answer
    assert turn.citations[0].source == "rust.md"


async def test_a_follow_up_is_answered_from_the_source_that_it_stands_for(
    graph: Chat, runtime: Runtime
) -> None:
    text = "The plimdor is kept in the lower drawer of the brass cabinet."
    await runtime.episodic.add([passage(text, source="good.md", title="Plimdors")])
    before = [("user", "What is a plimdor?"), ("assistant", "A plimdor is a small lamp.")]
    turn = await hold(graph, runtime, [*before, ("user", "Where is it kept?")])
    assert turn.outcome == "answered_from_sources"
    assert "lower drawer" in turn.answer


async def test_what_nothing_is_known_about_opens_one_gap_however_often_it_is_asked(
    graph: Chat, runtime: Runtime
) -> None:
    first = await say(graph, runtime, "How deep is the Mariana trench?")
    second = await say(graph, runtime, "how deep is the mariana trench")
    assert first.answer == abstention_text("no_sources", "en")
    assert first.gap_id == second.gap_id
    (gap,) = await runtime.database.gaps("open", access=EVERYTHING)
    assert gap.keywords[:3] == ("deep", "mariana", "trench")


async def test_a_follow_up_is_understood_looked_up_and_noted_by_what_it_stands_for(
    graph: Chat, runtime: Runtime
) -> None:
    before = [("user", "What is a plimdor?"), ("assistant", "A plimdor is a small lamp.")]
    turn = await hold(graph, runtime, [*before, ("user", "Where is it kept?")])
    assert (turn.question, turn.outcome) == ("Where is it kept?", "abstained")
    (gap,) = await runtime.database.gaps("open", access=EVERYTHING)
    assert "plimdor" in gap.question


async def test_every_turn_is_remembered_with_its_intent(graph: Chat, runtime: Runtime) -> None:
    question = await say(graph, runtime, "What is a lemur?")
    greeting = await say(graph, runtime, "Hi")
    kept = {turn.id: turn for turn in await runtime.interactions.list()}
    assert kept[question.id].answer == "a small primate"
    assert (kept[question.id].intent, kept[greeting.id].intent) == ("question", "conversation")
    assert kept[greeting.id].uncertainty is None


def reworder(answer: str, other: str, entropy: float = 0.1) -> ScriptedEngine:
    """Unsure of the question as it was put, and sure of other wordings."""

    def script(messages: Sequence[BaseMessage]) -> Line | None:
        sloppy = messages[-1].text == "whats the depth of the mariana trench"
        return Line(text=answer, entropy=2.0) if sloppy else Line(text=other, entropy=entropy)

    return ScriptedEngine(script)


async def test_what_is_answered_surely_in_other_words_is_no_gap(graph: Chat, changed: Changed) -> None:
    runtime = changed(engine=reworder("eleven kilometres", "about eleven kilometres"))
    turn = await say(graph, runtime, "whats the depth of the mariana trench")
    assert (turn.outcome, turn.answer, turn.gap_id) == ("answered", "about eleven kilometres", None)
    assert turn.reworded == "What is the depth of the mariana trench?"
    assert turn.uncertainty is not None
    assert turn.uncertainty.decision == "confident"
    assert turn.draft == "eleven kilometres"


async def test_an_unsure_answer_in_other_words_changes_nothing(graph: Chat, changed: Changed) -> None:
    runtime = changed(engine=reworder("eleven kilometres", "about eleven kilometres", entropy=2.0))
    turn = await say(graph, runtime, "whats the depth of the mariana trench")
    assert (turn.outcome, turn.reworded) == ("abstained", None)
    assert turn.gap_id is not None


async def test_answers_that_differ_are_not_steady(graph: Chat, changed: Changed) -> None:
    runtime = changed(
        engine=reworder("four miles", "eleven kilometres"),
        limits=Limits(rewordings=1),
    )
    assert (await say(graph, runtime, "whats the depth of the mariana trench")).outcome == "abstained"


async def test_the_budget_for_rewordings_holds(graph: Chat, changed: Changed) -> None:
    asked: list[str] = []

    def script(messages: Sequence[BaseMessage]) -> Line:
        asked.append(messages[-1].text)
        return Line(text="eleven kilometres", entropy=2.0)

    for budget in (0, 1, 2):
        asked.clear()
        runtime = changed(engine=ScriptedEngine(script), limits=Limits(rewordings=budget))
        await say(graph, runtime, "whats the depth of the mariana trench")
        assert len(asked) == 1 + budget


async def test_a_long_draft_is_not_asked_for_again(graph: Chat, changed: Changed) -> None:
    asked: list[str] = []

    def script(messages: Sequence[BaseMessage]) -> Line:
        asked.append(messages[-1].text)
        return Line(text="deep " * (SENTENCE + 1), entropy=2.0)

    await say(graph, changed(engine=ScriptedEngine(script)), "whats the depth of the mariana trench")
    assert len(asked) == 1
