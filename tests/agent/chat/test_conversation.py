"""The conversation reaches the model as it is, in a form that its chat template takes."""

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from agent.chat.conversation import (
    CHARS_PER_TOKEN,
    messages_from_pairs,
    prompt_messages,
    question_of,
    with_question,
)
from agent.errors import PromptTooLong
from agent.models.card import ChatTemplate
from tests.support.cards import card

PLAIN = card()
CALL = {"name": "weather", "args": {"city": "Rome"}, "id": "c1", "type": "tool_call"}


def shape(messages: list) -> list[tuple[str, str]]:  # type: ignore[type-arg]
    return [(message.type, message.text) for message in messages]


def test_the_question_is_the_last_user_message() -> None:
    turns = messages_from_pairs([("user", "Hi"), ("assistant", "Hello"), ("user", " What is a move? ")])
    assert question_of(turns) == "What is a move?"


@pytest.mark.parametrize("pairs", [[], [("system", "Be brief.")], [("user", "  ")]])
def test_a_conversation_without_a_question_is_refused(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(ValueError, match="user message"):
        question_of(messages_from_pairs(pairs))


def test_an_unknown_role_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'robot'"):
        messages_from_pairs([("robot", "x")])


def test_system_prompt_and_all_turns_are_in_the_prompt() -> None:
    pairs = [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Why?")]
    told = prompt_messages(messages_from_pairs(pairs), PLAIN)
    assert shape(told) == [("system", "Be brief."), ("human", "Hi"), ("ai", "Hello"), ("human", "Why?")]


def test_a_model_without_a_system_role_reads_the_system_prompt_before_the_first_user_message() -> None:
    bare = card(template=ChatTemplate(system=False))
    pairs = [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Why?")]
    told = prompt_messages(messages_from_pairs(pairs), bare)
    assert shape(told) == [("human", "Be brief.\n\nHi"), ("ai", "Hello"), ("human", "Why?")]


def test_system_messages_from_anywhere_stand_at_the_beginning() -> None:
    told = prompt_messages(
        messages_from_pairs([("user", "Hi"), ("system", "Be kind."), ("system", "Be brief.")]), PLAIN
    )
    assert shape(told) == [("system", "Be kind.\n\nBe brief."), ("human", "Hi")]


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_message_that_an_agent_sends_again_breaks_no_template(empty: str) -> None:
    pairs = [("user", "Hi"), ("assistant", empty), ("user", "Well?")]
    assert shape(prompt_messages(messages_from_pairs(pairs), PLAIN)) == [("human", "Hi\n\nWell?")]


def test_a_question_that_was_sent_again_is_asked_once() -> None:
    assert shape(prompt_messages(messages_from_pairs([("user", "Hi"), ("user", "Hi")]), PLAIN)) == [
        ("human", "Hi")
    ]


def test_calls_and_results_are_told_in_words_to_a_model_that_knows_no_tools() -> None:
    turns = [
        HumanMessage("How is Rome?"),
        AIMessage("", tool_calls=[CALL]),
        ToolMessage("sunny", tool_call_id="c1"),
    ]
    told = prompt_messages(turns, PLAIN)
    assert [message.type for message in told] == ["human", "ai", "human"]
    assert "weather" in told[1].text
    assert "Rome" in told[1].text
    assert told[2].text == "Result of the call:\nsunny"


def test_calls_and_results_reach_a_model_that_knows_tools_as_they_are() -> None:
    knows = card(template=ChatTemplate(tool_parser="hermes"))
    turns = [
        HumanMessage("How are Rome and Oslo?"),
        AIMessage("", tool_calls=[CALL]),
        ToolMessage("sunny", tool_call_id="c1"),
        ToolMessage("", tool_call_id="c2"),
    ]
    assert prompt_messages(turns, knows) == turns


def test_what_cannot_fit_into_the_context_is_refused_with_the_limit() -> None:
    with pytest.raises(PromptTooLong, match="2048 tokens"):
        prompt_messages([HumanMessage("x" * (CHARS_PER_TOKEN * PLAIN.context + 1))], PLAIN)
    assert prompt_messages([HumanMessage("x" * CHARS_PER_TOKEN * PLAIN.context)], PLAIN)


def test_a_rewording_takes_the_place_of_the_last_user_message() -> None:
    turns = [
        SystemMessage("Be brief."),
        HumanMessage("Hi"),
        AIMessage("Hello"),
        HumanMessage("whats a lemur"),
    ]
    assert shape(with_question(turns, "What is a lemur?")) == [
        *shape(turns[:-1]),
        ("human", "What is a lemur?"),
    ]
