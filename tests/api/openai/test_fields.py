"""What OpenAI's format can say reaches the engine, and what cannot be had is one clear refusal."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from agent.engines.base import ToolCall
from agent.engines.scripted import Line
from agent.errors import PromptTooLong
from agent.models.card import ChatTemplate
from graphs.state import Runtime
from tests.api.conftest import Serve, asking
from tests.graphs.conftest import SONG, TRAINED
from tests.support.cards import card
from tests.support.engines import RecordingEngine

CHAT = "/v1/chat/completions"
TOOL = {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}
TAKES_TOOLS = card().model_copy(update={"template": ChatTemplate(tool_parser="hermes")})
CALL = ToolCall(id="c1", name="search", arguments='{"query": "tea"}')
LINES = {
    "What is a lemur?": Line(text="a small primate", entropy=0.1),
    "Hello!": Line(text="Hello, how can I help?", entropy=2.0),
    "Search for tea.": Line(text="", calls=(CALL,)),
    "Once upon": Line(text=" a time there was a fox", entropy=1.0),
}


@pytest.fixture
def engine() -> RecordingEngine:
    return RecordingEngine(LINES, adapters={TRAINED.name: SONG})


@pytest.fixture
async def client(serve: Serve, runtime: Runtime, engine: RecordingEngine) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(replace(runtime, engine=engine, card=TAKES_TOOLS)) as opened:
        yield opened


async def post(client: httpx.AsyncClient, body: object, path: str = CHAT) -> dict[str, Any]:
    reply = await client.post(path, json=body)
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


def events(text: str) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


@pytest.mark.parametrize(
    "limit", [{"max_tokens": 32_000}, {"max_tokens": 8192}, {"max_completion_tokens": 32_000}]
)
async def test_a_limit_beyond_the_context_is_clamped_to_it(
    client: httpx.AsyncClient, engine: RecordingEngine, runtime: Runtime, limit: dict[str, int]
) -> None:
    await post(client, asking("What is a lemur?", **limit))
    assert engine.asked[0][1].max_tokens == runtime.card.context


async def test_without_a_limit_and_with_minus_one_an_answer_is_as_long_as_the_card_says(
    client: httpx.AsyncClient, engine: RecordingEngine, runtime: Runtime
) -> None:
    await post(client, asking("What is a lemur?"))
    await post(client, asking("What is a lemur?", max_tokens=-1))
    assert [sampling.max_tokens for _, sampling in engine.asked] == [runtime.card.answer_tokens] * 2


async def test_a_limit_of_nothing_is_refused_by_name(client: httpx.AsyncClient) -> None:
    reply = await client.post(CHAT, json=asking("What is a lemur?", max_tokens=0))
    assert reply.status_code == 422
    assert "max_tokens" in reply.json()["error"]["message"]
    assert "at least 1" in reply.json()["error"]["message"]


async def test_how_to_decode_reaches_the_engine(client: httpx.AsyncClient, engine: RecordingEngine) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "animal", "schema": schema}}
    await post(
        client,
        asking(
            "What is a lemur?",
            temperature=0.7,
            top_p=0.9,
            seed=7,
            stop=["x", ""],
            presence_penalty=0.5,
            frequency_penalty=-0.5,
            logit_bias={"5": -100},
            response_format=wanted,
            tools=[TOOL],
            tool_choice="auto",
        ),
    )
    sampling = engine.asked[0][1]
    assert (sampling.temperature, sampling.top_p, sampling.seed, sampling.stop) == (0.7, 0.9, 7, ("x",))
    assert (sampling.presence_penalty, sampling.frequency_penalty) == (0.5, -0.5)
    assert sampling.logit_bias == {"5": -100}
    assert sampling.response_format == wanted
    assert sampling.tools == (TOOL,)
    assert sampling.tool_choice == "auto"


@pytest.mark.parametrize("fields", [{"tools": [TOOL], "tool_choice": "none"}, {"tools": []}])
async def test_tools_that_may_not_be_called_are_left_out(
    client: httpx.AsyncClient, engine: RecordingEngine, fields: dict[str, object]
) -> None:
    await post(client, asking("What is a lemur?", **fields))
    assert engine.asked[0][1].tools == ()


async def test_a_top_p_of_nothing_is_greedy(client: httpx.AsyncClient, engine: RecordingEngine) -> None:
    await post(client, asking("What is a lemur?", temperature=1.0, top_p=0))
    assert engine.asked[0][1].temperature == 0.0


@pytest.mark.parametrize("choice", [{}, {"tool_choice": "auto"}])
async def test_a_model_without_tools_answers_as_if_none_were_offered_and_the_reply_says_so(
    serve: Serve, runtime: Runtime, engine: RecordingEngine, choice: dict[str, str]
) -> None:
    """As Open WebUI offers its own tools with every message."""
    assert runtime.card.template.tool_parser is None
    body = asking("What is a lemur?", tools=[TOOL], **choice)
    async with serve(replace(runtime, engine=engine)) as client:
        whole = await post(client, body)
        *_, last = events((await client.post(CHAT, json=body | {"stream": True})).text)
        tool = {"type": "function", "name": "search", "parameters": {"type": "object"}}
        newer = {"input": "What is a lemur?", "tools": [tool], **choice}
        response = await post(client, newer, "/v1/responses")
        *_, done = events((await client.post("/v1/responses", json=newer | {"stream": True})).text)
        await post(client, asking("Search for tea.", tools=[TOOL], tool_choice="required"))
    for details in (each["nightschool"] for each in (whole, last, response, done["response"])):
        assert details["ignored"] == ["tools: the model's chat template takes none"]
        assert details["uncertainty"]["decision"] == "confident", "it is gated like any question"
    assert [bool(sampling.tools) for _, sampling in engine.asked] == [False] * 4 + [True]


async def test_a_tool_call_is_told_whole_and_streamed(client: httpx.AsyncClient) -> None:
    body = asking("Search for tea.", tools=[TOOL], tool_choice="required")
    choice = (await post(client, body))["choices"][0]
    call = {"id": "c1", "type": "function", "function": {"name": "search", "arguments": CALL.arguments}}
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"] == [call]
    chunks = events((await client.post(CHAT, json=body | {"stream": True})).text)
    told = [c for chunk in chunks for ch in chunk["choices"] for c in ch["delta"].get("tool_calls", ())]
    assert told == [call | {"index": 0}]


async def test_several_choices_are_drawn_with_seeds_of_their_own(
    client: httpx.AsyncClient, engine: RecordingEngine
) -> None:
    reply = await post(client, asking("What is a lemur?", n=3, temperature=1.0, seed=5))
    assert [choice["index"] for choice in reply["choices"]] == [0, 1, 2]
    assert sorted(sampling.seed for _, sampling in engine.asked) == [5, 6, 7]
    assert reply["usage"]["completion_tokens"] == 9


async def test_each_choice_takes_feedback_of_its_own(client: httpx.AsyncClient) -> None:
    reply = await post(client, asking("What is a lemur?", n=2, temperature=1.0))
    first, second = reply["choices"]
    assert first["id"] == reply["id"] != second["id"]
    for choice, vote in ((first, "up"), (second, "down")):
        said = {"interaction_id": choice["id"], "vote": vote}
        assert (await client.post("/v1/feedback", json=said)).status_code == 201


async def test_the_seed_after_the_largest_is_the_smallest(
    client: httpx.AsyncClient, engine: RecordingEngine
) -> None:
    await post(client, asking("What is a lemur?", n=2, temperature=1.0, seed=2**63 - 1))
    assert sorted(sampling.seed for _, sampling in engine.asked) == [-(2**63), 2**63 - 1]


async def test_where_one_choice_fails_the_others_are_cancelled(serve: Serve, runtime: Runtime) -> None:
    asked = 0

    def slow_but_once(_: object) -> Line:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise PromptTooLong("the prompt has 9000 tokens")
        return Line(text="a small primate", pause=30.0)

    engine = RecordingEngine(slow_but_once)
    async with serve(replace(runtime, engine=engine)) as client:
        reply = await client.post(CHAT, json=asking("Hello!", n=3), timeout=10)
    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == "context_length_exceeded"
    assert engine.answering == 0


async def test_several_choices_are_streamed_each_under_its_index(client: httpx.AsyncClient) -> None:
    body = asking("What is a lemur?", n=2, stream=True, stream_options={"include_usage": True})
    chunks = events((await client.post(CHAT, json=body)).text)
    said = {0: "", 1: ""}
    for choice in (choice for chunk in chunks for choice in chunk["choices"]):
        said[choice["index"]] += choice["delta"].get("content") or ""
    assert said == {0: "a small primate", 1: "a small primate"}
    assert chunks[-1]["usage"]["completion_tokens"] == 6


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


async def test_an_image_is_refused_but_text_after_an_image_turn_works(
    client: httpx.AsyncClient, engine: RecordingEngine
) -> None:
    picture = {"role": "user", "content": [{"type": "text", "text": "What is this?"}, IMAGE]}
    refused = await client.post(CHAT, json={"messages": [picture]})
    assert refused.status_code == 400
    assert "text only" in refused.json()["error"]["message"]
    later = [picture, {"role": "assistant", "content": "An animal."}]
    await post(client, {"messages": [*later, {"role": "user", "content": "What is a lemur?"}]})
    assert "What is this?" in engine.asked[0][0][0].text


@pytest.mark.parametrize(
    "resent",
    [
        [{"role": "assistant", "content": None}],
        [{"role": "assistant", "content": ""}],
        [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{"}}],
            },
            {"role": "tool", "tool_call_id": "1", "content": "ok"},
        ],
        [{"role": "function", "name": "f", "content": "ok"}],
        [{"role": "developer", "content": "Be brief."}],
    ],
)
async def test_what_agents_resend_is_taken(client: httpx.AsyncClient, resent: list[dict[str, Any]]) -> None:
    messages = [
        {"role": "user", "content": "Hello!"},
        *resent,
        {"role": "user", "content": "What is a lemur?"},
    ]
    await post(client, {"messages": messages, "user": "", "stop": ""})


async def test_a_lone_surrogate_is_one_clear_refusal(client: httpx.AsyncClient) -> None:
    body = '{"messages": [{"role": "user", "content": "What is \\ud800?"}]}'
    reply = await client.post(CHAT, content=body, headers={"content-type": "application/json"})
    assert reply.status_code == 400, reply.text
    assert reply.json()["error"]["message"]


@pytest.mark.parametrize("policy", ["warn", "answer"])
async def test_the_caller_may_have_an_unsure_answer(client: httpx.AsyncClient, policy: str) -> None:
    reply = await post(client, asking("What is a quokka?", nightschool={"unsure": policy}))
    assert reply["nightschool"]["outcome"] in ("answered_unsure", "abstained")
    assert reply["nightschool"]["draft"] == "I do not know."


# Text completions


async def test_a_text_is_continued_as_it_stands(client: httpx.AsyncClient, engine: RecordingEngine) -> None:
    body = {"prompt": "Once upon", "max_tokens": 3, "logprobs": 1, "echo": True}
    reply = await post(client, body, "/v1/completions")
    (choice,) = reply["choices"]
    assert reply["object"] == "text_completion"
    assert choice["text"].startswith("Once upon")
    assert choice["finish_reason"] == "length"
    assert len(choice["logprobs"]["tokens"]) == 3
    assert (await client.get("/v1/gaps")).json() == []


async def test_a_continued_text_is_streamed(client: httpx.AsyncClient) -> None:
    body = {"prompt": "Once upon", "max_tokens": 20, "stream": True}
    chunks = events((await client.post("/v1/completions", json=body)).text)
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks).strip() == "a time there was a fox"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


async def test_a_continued_text_has_sixteen_tokens_unless_the_caller_wants_others(
    client: httpx.AsyncClient, engine: RecordingEngine
) -> None:
    await post(client, {"prompt": "Once upon"}, "/v1/completions")
    await post(client, {"prompt": "Once upon", "max_tokens": None}, "/v1/completions")
    await post(client, {"prompt": "Once upon", "max_tokens": 40}, "/v1/completions")
    assert [sampling.max_tokens for _, sampling in engine.asked] == [16, 16, 40]


@pytest.mark.parametrize("limit", [-1, 0, -16, 1.5, "many", [16], {}])
async def test_a_limit_that_is_none_is_refused_by_name(client: httpx.AsyncClient, limit: object) -> None:
    reply = await client.post("/v1/completions", json={"prompt": "Once upon", "max_tokens": limit})
    assert reply.status_code == 422
    assert "max_tokens" in reply.json()["error"]["message"]


@pytest.mark.parametrize("fields", [{}, {"model": "auto"}, {"model": "nightschool"}, {"stream": True}])
async def test_a_continued_text_names_the_model_that_wrote_it(
    client: httpx.AsyncClient, fields: dict[str, object]
) -> None:
    reply = await client.post("/v1/completions", json={"prompt": "Once upon"} | fields)
    bodies = events(reply.text) if "stream" in fields else [reply.json()]
    assert {body["model"] for body in bodies} == {"nightschool"}


async def test_a_text_of_a_domain_names_the_adapter_that_wrote_it(client: httpx.AsyncClient) -> None:
    asked = await post(client, asking("What is a borrow?", model=TRAINED.name))
    await client.post(f"/v1/adapters/{TRAINED.name}/promote")
    for name in ("rust", TRAINED.name):
        reply = await post(client, {"prompt": "Once upon", "model": name}, "/v1/completions")
        assert reply["model"] == asked["model"] == TRAINED.name


@pytest.mark.parametrize("echo", [True, False])
async def test_offsets_of_tokens_are_places_in_the_whole_text_streamed_or_not(
    client: httpx.AsyncClient, echo: bool
) -> None:
    body = {"prompt": "Once upon", "logprobs": 1, "echo": echo}
    (whole,) = (await post(client, body, "/v1/completions"))["choices"]
    chunks = events((await client.post("/v1/completions", json=body | {"stream": True})).text)
    pieces = [choice["logprobs"] for chunk in chunks for choice in chunk["choices"] if choice["logprobs"]]
    assert [place for piece in pieces for place in piece["text_offset"]] == whole["logprobs"]["text_offset"]
    for token, place in zip(whole["logprobs"]["tokens"], whole["logprobs"]["text_offset"], strict=True):
        assert whole["text"].startswith(token, place)


@pytest.mark.parametrize("body", [{"prompt": [1, 2, 3]}, {"prompt": ["a", "b"]}, {"prompt": "a", "n": 2}, {}])
async def test_what_text_completions_cannot_do_is_refused(client: httpx.AsyncClient, body: object) -> None:
    assert (await client.post("/v1/completions", json=body)).status_code == 422


# Responses


async def test_a_response_is_the_same_turn_in_the_newer_format(client: httpx.AsyncClient) -> None:
    body = {"input": "What is a lemur?", "instructions": "Be kind."}
    reply = await post(client, body, "/v1/responses")
    assert (reply["object"], reply["status"]) == ("response", "completed")
    assert reply["output"][0]["content"][0]["text"] == "a small primate"
    assert reply["usage"]["output_tokens"] == 3
    assert reply["nightschool"]["uncertainty"]["decision"] == "confident"


async def test_a_response_calls_tools_and_takes_their_output(
    client: httpx.AsyncClient, engine: RecordingEngine
) -> None:
    tool = {"type": "function", "name": "search", "parameters": {"type": "object"}}
    first = await post(client, {"input": "Search for tea.", "tools": [tool]}, "/v1/responses")
    (call,) = first["output"]
    assert (call["type"], call["name"], call["arguments"]) == ("function_call", "search", CALL.arguments)
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "tea is a drink"}
    history = [{"role": "user", "content": "Search for tea."}, call, output]
    await post(client, {"input": history, "tools": [tool]}, "/v1/responses")
    assert any("tea is a drink" in message.text for message in engine.asked[-1][0])


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"background": True}, "background"),
        ({"input": [{"type": "image_generation_call"}]}, "input"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"max_output_tokens": 0}, "max_tokens"),
        ({"text": {"format": {"type": "json_schema"}}}, "schema"),
    ],
)
async def test_what_responses_cannot_do_is_refused_by_name(
    client: httpx.AsyncClient, fields: dict[str, object], named: str
) -> None:
    reply = await client.post("/v1/responses", json={"input": "Hello!"} | fields)
    assert reply.status_code in (400, 422), reply.text
    assert named in reply.json()["error"]["message"]
