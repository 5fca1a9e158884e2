"""The log keeps the end of a conversation, within its limits."""

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agent.feedback.logged_messages import MAX_CHARACTERS, MAX_MESSAGES, logged_messages


def kept(*messages: BaseMessage) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in logged_messages(messages)]


def test_a_conversation_is_kept_up_to_the_users_last_message() -> None:
    assert kept(
        SystemMessage("Be brief."),
        HumanMessage("What is a move?"),
        AIMessage(""),
        ToolMessage("42", tool_call_id="c1"),
        AIMessage("A transfer."),
        HumanMessage([{"type": "text", "text": "Of what?"}]),
        ToolMessage("43", tool_call_id="c2"),
        AIMessage("Of "),
    ) == [
        ("system", "Be brief."),
        ("user", "What is a move?"),
        ("assistant", "A transfer."),
        ("user", "Of what?"),
    ]


def test_only_the_last_messages_of_a_long_conversation_are_kept() -> None:
    turns = [HumanMessage(f"{n}") for n in range(20)]
    assert [content for _, content in kept(*turns)] == [f"{n}" for n in range(20 - MAX_MESSAGES, 20)]


def test_earlier_messages_that_do_not_fit_are_left_out_whole() -> None:
    half = "a" * (MAX_CHARACTERS // 2)
    messages = (HumanMessage("b" + half), AIMessage(half), HumanMessage("Why?"))
    assert [content for _, content in kept(*messages)] == [half, "Why?"]


def test_of_an_endless_question_the_end_is_kept() -> None:
    ((_, content),) = kept(AIMessage("Hi"), HumanMessage("a" * MAX_CHARACTERS + "Why?"))
    assert len(content) == MAX_CHARACTERS
    assert content.endswith("aWhy?")


def test_a_conversation_without_a_user_has_nothing_to_keep() -> None:
    with pytest.raises(ValueError, match="user message"):
        logged_messages([AIMessage("Hi")])
