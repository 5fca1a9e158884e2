"""Chat as people and their clients use it: nothing but questions is gated, and every client is answered."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import httpx
import pytest
from langchain_core.messages import BaseMessage

from agent.chat.abstention import abstention_text
from agent.engines.scripted import Line, ScriptedEngine
from graphs.state import Runtime
from tests.api.conftest import Serve, asking
from tests.support.facts import passage

CHAT = "/v1/chat/completions"
TALK = (
    "Hi",
    "Thanks, that helped",
    "Who are you?",
    "Write a haiku about rain.",
    "### Task:\nGenerate 1-3 broad tags for the chat.\n### Chat History:\nUSER: What is a move?",
)
Over = Callable[[str], Runtime]


@pytest.fixture
def over(runtime: Runtime) -> Over:
    """The runtime with a model that says the same, unsurely, whatever it is asked."""

    def script(text: str) -> Runtime:
        def say(messages: Sequence[BaseMessage]) -> Line:
            return Line(text=text, entropy=3.0)

        return replace(runtime, engine=ScriptedEngine(say))

    return script


async def content(client: httpx.AsyncClient, body: dict[str, object]) -> str:
    reply = (await client.post(CHAT, json=body)).raise_for_status().json()
    return str(reply["choices"][0]["message"]["content"])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("text", TALK)
async def test_talk_is_answered_and_nothing_of_it_is_in_a_gap(
    serve: Serve, over: Over, text: str, stream: bool
) -> None:
    async with serve(over("At your service.")) as client:
        reply = await client.post(CHAT, json=asking(text, stream=stream))
        assert "service" in reply.raise_for_status().text
        assert (await client.get("/v1/gaps")).json() == []


async def test_a_question_that_brings_its_context_is_answered_from_it(serve: Serve, over: Over) -> None:
    text = (
        "Use the following context to answer.\n<context>\nThe harbour of Telmark was dug in 1802 by Ada"
        " Quist.\n</context>\nWho dug the harbour of Telmark?"
    )
    async with serve(over("Ada Quist")) as client:
        assert await content(client, asking(text)) == "Ada Quist"


async def test_a_system_prompt_that_dictates_the_words_holds_whatever_the_sources_say(
    serve: Serve, over: Over
) -> None:
    messages = [
        {"role": "system", "content": "Answer only with the word BANANA."},
        {"role": "user", "content": "What is a move?"},
    ]
    async with serve(over("BANANA")) as client:
        assert await content(client, {"messages": messages}) == "BANANA"


async def test_ignorance_is_admitted_whole_and_in_the_language_asked_for(serve: Serve, over: Over) -> None:
    messages = [
        {"role": "system", "content": "Answer in German."},
        {"role": "user", "content": "How deep is the Mariana trench?"},
    ]
    async with serve(over("ungefähr elf Kilometer")) as client:
        body = {"messages": messages, "max_tokens": 2}
        (choice,) = (await client.post(CHAT, json=body)).raise_for_status().json()["choices"]
    assert choice["message"]["content"] == abstention_text("no_sources", "de")
    assert choice["finish_reason"] == "stop"


async def test_a_follow_up_is_looked_up_and_its_fact_is_quoted_where_the_model_fails_to_read_it(
    serve: Serve, over: Over
) -> None:
    runtime = over("I do not know.")
    text = "The plimdor is kept in the lower drawer of the harbour office."
    await runtime.episodic.add([passage(text, source="good.md", title="Plimdors")])
    messages = [
        {"role": "user", "content": "What is a plimdor?"},
        {"role": "assistant", "content": "A plimdor is a small brass lamp."},
        {"role": "user", "content": "Where is it kept?"},
    ]
    async with serve(runtime) as client:
        reply = (await client.post(CHAT, json={"messages": messages})).raise_for_status().json()
    assert text in reply["choices"][0]["message"]["content"]
    (citation,) = reply["nightschool"]["citations"]
    assert (citation["source"], citation["quote"]) == ("good.md", text)
