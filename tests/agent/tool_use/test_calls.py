"""A model's next call: in the template's own form or in words, and nothing but calls of the tools."""

import json

import pytest
from langchain_core.messages import AIMessage, ToolMessage

from agent.chat.conversation import prompt_messages
from agent.engines.base import Reply, ToolCall
from agent.engines.scripted import Line, ScriptedEngine
from agent.tool_use.calls import MAX_ARGUMENT, Call, Step, conversation, next_call, parsed
from agent.tool_use.tools import TOOLS, schemas
from tests.support.cards import card

SEARCHED = Step(
    call=Call(tool="search", argument="Perrin river"), result="[perrin.md] Perrin lies on the Ousel."
)


def reply(name: str, arguments: str) -> Reply:
    calls = (ToolCall(id="1", name=name, arguments=arguments),)
    return Reply(
        text="",
        tokens=(),
        model="m",
        adapter=None,
        finish_reason="tool_calls",
        prompt_tokens=90,
        tool_calls=calls,
        call_tokens=10,
    )


def test_a_call_is_read_with_its_tokens() -> None:
    assert parsed(reply("search", '{"query": " the  Ousel "}')) == Call(
        tool="search", argument="the Ousel", tokens=100
    )
    assert parsed(reply("finish", "{}")).tool == "finish"
    assert parsed(reply("finish", "")).tool == "finish"
    long = json.dumps({"query": "x" * 5000})
    assert len(parsed(reply("search", long)).argument) == MAX_ARGUMENT


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("delete", "{}"),
        ("search", "{}"),
        ("search", '{"query": ""}'),
        ("search", '{"query": ["a"]}'),
        ("search", '["a"]'),
        ("search", '{"query": "a"'),
        ("open_document", '{"query": "a.md"}'),
        ("open_document", '{"source": "a\\ud800b"}'),
        ("search", "[" * 100_000),
    ],
)
def test_what_is_no_call_of_a_tool_is_none(name: str, arguments: str) -> None:
    assert parsed(reply(name, arguments)) == Call(tool=None, tokens=100)


def test_a_reply_without_a_call_is_none() -> None:
    assert parsed(reply("search", "{}").model_copy(update={"tool_calls": ()})).tool is None


def test_a_template_without_tools_is_told_of_them_in_words_and_of_results_as_text() -> None:
    plain = card()
    turns = prompt_messages(conversation("How long is it?", [SEARCHED], in_text=True), plain)
    assert all(tool.name in turns[0].text for tool in TOOLS)
    assert not any(isinstance(turn, ToolMessage) for turn in turns)
    assert "Perrin lies on the Ousel" in turns[-1].text


def test_a_template_with_tools_gets_its_own_form() -> None:
    plain = card()
    template = plain.template.model_copy(update={"tool_parser": "hermes"})
    trained = plain.model_copy(update={"template": template})
    turns = prompt_messages(conversation("How long is it?", [SEARCHED], in_text=False), trained)
    assert "open_document" not in turns[0].text
    assert isinstance(turns[-1], ToolMessage)
    assert isinstance(turns[-2], AIMessage)
    assert turns[-2].tool_calls[0]["args"] == {"query": "Perrin river"}


async def test_the_engine_is_asked_for_a_call_and_for_nothing_else() -> None:
    call = ToolCall(id="1", name="facts_about", arguments='{"name": "Ousel"}')
    engine = ScriptedEngine(default=Line(text="", calls=(call,)))
    made = await next_call("How long is it?", [SEARCHED], engine=engine, chat=card())
    assert (made.tool, made.argument) == ("facts_about", "Ousel")
    assert {each["function"]["name"] for each in schemas()} == {tool.name for tool in TOOLS}
