"""OpenAI's own client and LangChain's, unmodified, work against the service over real HTTP."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam

from agent.engines.base import ToolCall
from agent.engines.scripted import Line, ScriptedEngine
from graphs.state import Runtime
from memory.embedding.embedder import HashingEmbedder
from tests.api.conftest import Listen
from tests.graphs.conftest import TRAINED

LONG = "it is " * 10 + "long"
LINES = {
    "What is a lemur?": Line(text="a small primate", entropy=0.1),
    "What is a road?": Line(text=LONG, entropy=0.1),
}
LEMUR: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is a lemur?"}]
ROAD: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is a road?"}]
QUOKKA: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is a quokka's favourite hue?"}]


@pytest.fixture
async def url(listen: Listen, runtime: Runtime) -> AsyncIterator[str]:
    async with listen(replace(runtime, engine=ScriptedEngine(LINES))) as address:
        yield f"{address}/v1"


@pytest.fixture
async def client(url: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as opened:
        yield opened


@pytest.fixture
def chat(url: str) -> ChatOpenAI:
    return ChatOpenAI(base_url=url, api_key=lambda: "none", model="auto", max_retries=0)


async def test_a_whole_answer_comes_with_its_usage_and_our_figures(client: AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(model="auto", messages=LEMUR)
    assert reply.choices[0].message.content == "a small primate"
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is not None
    assert reply.usage.completion_tokens == 3
    assert reply.model_extra is not None
    assert reply.model_extra["nightschool"]["uncertainty"]["decision"] == "confident"


async def test_a_streamed_answer_joins_to_the_whole_one_and_ends_with_its_usage(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="auto", messages=ROAD, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    told = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert "".join(text or "" for text in told) == LONG
    assert len([text for text in told if text]) > 2
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 21
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert len({chunk.id for chunk in chunks}) == 1


async def test_the_synchronous_client_answers_and_streams(url: str) -> None:
    def script() -> tuple[str | None, str]:
        with OpenAI(base_url=url, api_key="none", max_retries=0) as client:
            whole = client.chat.completions.create(model="auto", messages=ROAD)
            stream = client.chat.completions.create(model="auto", messages=ROAD, stream=True)
            pieces = [chunk.choices[0].delta.content or "" for chunk in stream]
            return whole.choices[0].message.content, "".join(pieces)

    assert await asyncio.to_thread(script) == (LONG, LONG)


async def test_the_clients_own_stream_helper_builds_the_whole_completion(client: AsyncOpenAI) -> None:
    async with client.chat.completions.stream(model="auto", messages=ROAD) as stream:
        completion = await stream.get_final_completion()
    assert completion.choices[0].message.content == LONG


async def test_log_probabilities_cover_the_answer_whole_or_streamed(client: AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(model="auto", messages=ROAD, logprobs=True, top_logprobs=2)
    scored = whole.choices[0].logprobs
    assert scored is not None
    assert scored.content is not None
    assert "".join(token.token for token in scored.content) == LONG
    assert bytes(byte for token in scored.content for byte in token.bytes or ()) == LONG.encode()
    assert all(token.logprob <= 0 and token.top_logprobs for token in scored.content)
    stream = await client.chat.completions.create(model="auto", messages=ROAD, logprobs=True, stream=True)
    told = [chunk.choices[0].logprobs async for chunk in stream]
    tokens = [token.token for part in told if part for token in part.content or ()]
    assert tokens == [token.token for token in scored.content]


async def test_an_answer_of_our_own_words_has_no_scored_tokens(client: AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(model="auto", messages=QUOKKA, logprobs=True)
    assert reply.choices[0].logprobs is not None
    assert reply.choices[0].logprobs.content == []


async def test_max_tokens_and_stop_end_an_answer_early(client: AsyncOpenAI) -> None:
    short = await client.chat.completions.create(model="auto", messages=ROAD, max_tokens=2)
    assert (short.choices[0].message.content, short.choices[0].finish_reason) == ("it is", "length")
    halted = await client.chat.completions.create(model="auto", messages=LEMUR, stop=[" primate"])
    assert (halted.choices[0].message.content, halted.choices[0].finish_reason) == ("a small", "stop")


@pytest.mark.parametrize("streamed", [False, True])
async def test_errors_are_the_clients_own_types_before_a_stream_begins_too(
    client: AsyncOpenAI, runtime: Runtime, streamed: bool
) -> None:
    create = client.chat.completions.create
    with pytest.raises(openai.NotFoundError, match="gpt-9") as missing:
        await create(model="gpt-9", messages=LEMUR, stream=streamed)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.UnprocessableEntityError, match="n: "):
        await create(model="auto", messages=LEMUR, n=9, stream=streamed)
    with pytest.raises(openai.BadRequestError, match="characters"):
        await create(model="auto", messages=[{"role": "user", "content": "x" * 90_000}], stream=streamed)


async def test_models_are_listed_and_looked_up(client: AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == ["auto", "nightschool"]
    assert (await client.models.retrieve("auto")).id == "auto"
    assert (await client.models.retrieve(TRAINED.name)).owned_by == "nightschool"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("gpt-9")


async def test_embeddings_are_the_same_in_numbers_and_in_base64(client: AsyncOpenAI) -> None:
    texts = ["a lemur", "a small primate"]
    packed = await client.embeddings.create(model="hashing", input=texts)  # it asks for base64
    plain = await client.embeddings.create(model="hashing", input=texts, encoding_format="float")
    for one, other, vector in zip(packed.data, plain.data, HashingEmbedder().embed(texts), strict=True):
        assert one.embedding == other.embedding == [float(value) for value in vector]
    assert packed.usage.prompt_tokens == 5


async def test_langchain_invokes_and_streams(chat: ChatOpenAI) -> None:
    whole = await chat.ainvoke("What is a road?")
    assert whole.text == LONG
    pieces = [chunk async for chunk in chat.astream("What is a road?", stream_usage=True)]
    assert "".join(chunk.text for chunk in pieces) == LONG
    assert sum(c.usage_metadata["output_tokens"] for c in pieces if c.usage_metadata) == 21
    assert await asyncio.to_thread(lambda: chat.invoke("What is a lemur?").text) == "a small primate"
    told = await asyncio.to_thread(lambda: [chunk.text for chunk in chat.stream("What is a road?")])
    assert "".join(told) == LONG


async def test_langchain_gets_log_probabilities(chat: ChatOpenAI) -> None:
    reply = await chat.bind(logprobs=True).ainvoke("What is a lemur?")
    assert [token["token"] for token in reply.response_metadata["logprobs"]["content"]] == [
        "a",
        " small",
        " primate",
    ]


async def test_langchain_binds_tools_and_is_told_which_to_call(listen: Listen, runtime: Runtime) -> None:
    @tool
    def weather(city: str) -> str:
        """The weather in a city."""
        return "sunny"

    call = ToolCall(id="c1", name="weather", arguments='{"city": "Rome"}')
    lines = {"How is the weather in Rome?": Line(text="", calls=(call,))}
    async with listen(replace(runtime, engine=ScriptedEngine(lines))) as address:
        chat = ChatOpenAI(base_url=f"{address}/v1", api_key=lambda: "none", model="auto", max_retries=0)
        bound = chat.bind_tools([weather], tool_choice="weather")
        said = await bound.ainvoke("How is the weather in Rome?")
        streamed = [chunk async for chunk in bound.astream("How is the weather in Rome?")]
    expected = {"name": "weather", "args": {"city": "Rome"}, "id": "c1", "type": "tool_call"}
    assert said.tool_calls == [expected]
    assert [call for chunk in streamed for call in chunk.tool_calls] == [expected]


async def test_langchain_hands_on_what_a_tool_said(listen: Listen, runtime: Runtime) -> None:
    def reads(messages):  # type: ignore[no-untyped-def]
        said = messages[-1].text
        return Line(text="sunny", entropy=0.1) if "Result of weather:\nsunny" in said else None

    changed_runtime = replace(runtime, engine=ScriptedEngine(reads))
    async with listen(changed_runtime) as address:
        chat = ChatOpenAI(base_url=f"{address}/v1", api_key=lambda: "none", model="auto", max_retries=0)
        calls = [{"name": "weather", "args": {"city": "Rome"}, "id": "c1", "type": "tool_call"}]
        history = [
            HumanMessage("How is Rome?"),
            AIMessage("", tool_calls=calls),
            ToolMessage("sunny", tool_call_id="c1"),
        ]
        assert (await chat.ainvoke(history)).text == "sunny"


async def test_langchain_embeds_texts(url: str) -> None:
    # Otherwise it sends numbers of another model's tokenizer.
    embeddings = OpenAIEmbeddings(
        base_url=url, api_key=lambda: "none", model="hashing", check_embedding_ctx_length=False
    )
    (vector,) = await embeddings.aembed_documents(["a lemur"])
    assert len(vector) == 256


async def test_the_responses_of_openais_client_whole_and_streamed(client: AsyncOpenAI) -> None:
    whole = await client.responses.create(model="auto", input="What is a lemur?")
    assert whole.output_text == "a small primate"
    async with client.responses.stream(model="auto", input="What is a road?") as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_response()
    assert final.output_text == LONG
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"


async def test_the_text_completions_of_openais_client(client: AsyncOpenAI) -> None:
    said = await client.completions.create(model="auto", prompt="What is a road?", max_tokens=3)
    assert said.choices[0].text == "it is it"
    stream = await client.completions.create(model="auto", prompt="What is a lemur?", stream=True)
    assert "".join([chunk.choices[0].text async for chunk in stream]) == "a small primate"


async def test_langchain_gets_structured_output(listen: Listen, runtime: Runtime) -> None:
    schema = {
        "title": "animal",
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
    }
    lines = {"Name an animal.": Line(text='{"name": "lemur"}')}
    async with listen(replace(runtime, engine=ScriptedEngine(lines))) as address:
        chat = ChatOpenAI(base_url=f"{address}/v1", api_key=lambda: "none", model="auto", max_retries=0)
        structured = chat.with_structured_output(schema, method="json_schema")
        assert await structured.ainvoke("Name an animal.") == {"name": "lemur"}


async def test_openais_client_finds_the_id_in_the_reply_and_sends_feedback(client: AsyncOpenAI) -> None:
    async def rate(id: str, rating: int) -> dict[str, Any]:
        body = {"interaction_id": id, "rating": rating}
        return dict(await client.post("/feedback", cast_to=dict[str, Any], body=body))

    whole = await client.chat.completions.create(model="auto", messages=LEMUR)
    chunks = [
        chunk
        async for chunk in await client.chat.completions.create(model="auto", messages=LEMUR, stream=True)
    ]
    response = await client.responses.create(model="auto", input="What is a lemur?")
    for rating, id in enumerate((whole.id, chunks[0].id, response.id), start=1):
        stored = await rate(id, rating)
        assert stored["interaction_id"] in id
        assert [each["value"] for each in stored["feedback"]] == [rating]
    with pytest.raises(openai.NotFoundError, match="no interaction"):
        await rate("chatcmpl-nowhere", 1)


async def test_langchains_client_keeps_the_id_for_feedback(chat: ChatOpenAI, client: AsyncOpenAI) -> None:
    reply = await chat.ainvoke([HumanMessage("What is a lemur?")])
    body = {"interaction_id": reply.response_metadata["id"], "vote": "up"}
    stored = await client.post("/feedback", cast_to=dict[str, Any], body=body)
    assert [each["kind"] for each in stored["feedback"]] == ["vote"]
