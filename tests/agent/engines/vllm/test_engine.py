"""What the vLLM engine makes of a server's replies, over a server whose replies are given."""

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.messages import HumanMessage
from safetensors.numpy import save_file

from agent.engines.base import Alternative, Reply, Sampling, Token
from agent.engines.vllm.engine import VllmEngine
from agent.errors import AdapterRefused, EngineError, EngineUnavailable
from memory import tracing
from tests.agent.engines.test_adapter_files import MODULE, write
from tests.support.adopted_models import CARD_TEMPLATE
from tests.support.stub import JsonHandler, serving
from tests.support.tracing import Spans

RUST = "rust-v1-0123abcd"
TEA = [HumanMessage("What is tea?")]
SCORED = {"content": [{"token": "a drink", "logprob": -0.1, "bytes": None, "top_logprobs": [
    {"token": "a drink", "logprob": -0.1, "bytes": None}]}]}  # fmt: skip


class Stub(ThreadingHTTPServer):
    """Serves one model: its folder, its answer, how it scores it, and how it takes a new adapter."""

    root = "/nowhere"
    text = "a drink"
    logprobs: dict[str, Any] | None = SCORED
    answering = 200
    loading = 200
    said = "as you wished"
    reason = "stop"
    calls: list[dict[str, Any]] | None = None
    endless = False
    delay = 0.0
    """Seconds before an answer that is not streamed."""
    scores = 1000
    """Texts that it scores of each request."""
    asked: list[dict[str, Any]]
    traceparents: list[str | None]
    left: threading.Event
    """Set once a client has left an endless answer."""


class Handler(JsonHandler):
    server: Stub

    def do_GET(self) -> None:  # noqa: N802  # the name that http.server calls
        self.reply(200, {"data": [{"id": "nightschool", "root": self.server.root}]})

    def do_POST(self) -> None:  # noqa: N802
        body = self.received()
        self.server.traceparents.append(self.headers.get("traceparent"))
        if self.path == "/v1/completions":
            self.server.asked.append(body)
            self.reply(200, {"choices": self._scored(body["prompt"])[: self.server.scores]})
            return
        if self.path != "/v1/chat/completions":
            self.reply(self.server.loading, {"message": self.server.said})
            return
        self.server.asked.append(body)
        if self.server.answering != 200:
            self.reply(self.server.answering, {"error": {"message": self.server.said}})
            return
        streamed = body.get("stream", False)
        choice = {"index": 0, "logprobs": self.server.logprobs, "finish_reason": self.server.reason}
        message = {"role": "assistant", "content": self.server.text, "tool_calls": self.server.calls}
        choice["delta" if streamed else "message"] = message
        kind = "chat.completion.chunk" if streamed else "chat.completion"
        answer = {"id": "x", "object": kind, "created": 0, "model": "nightschool", "choices": [choice]}
        usage = {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}
        if not streamed:
            time.sleep(self.server.delay)
            self.reply(200, answer | {"usage": usage})
        elif self.server.endless:
            self._talk(f"data: {json.dumps(answer | {'choices': [choice | {'finish_reason': None}]})}\n\n")
        else:
            events = [answer, answer | {"choices": [], "usage": usage}]
            lines = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
            self.reply(200, f"{lines}data: [DONE]\n\n", "text/event-stream")

    def _scored(self, prompts: list[str]) -> list[dict[str, Any]]:
        """Every token is as unlikely as its text is long; the last text comes first."""
        found = [
            {
                "index": index,
                "text": prompt,
                "logprobs": {
                    "tokens": [*prompt],
                    "token_logprobs": [None, *[-len(prompt) / 100] * (len(prompt) - 1)],
                },
            }
            for index, prompt in enumerate(prompts)
        ]
        return found[::-1]

    def _talk(self, event: str) -> None:
        """Repeats itself for as long as somebody listens."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        try:
            while True:
                self.wfile.write(event.encode())
                time.sleep(0.01)
        except OSError:
            self.server.left.set()


@pytest.fixture
def stub() -> Iterator[Stub]:
    server = Stub(("127.0.0.1", 0), Handler)
    server.asked, server.traceparents, server.left = [], [], threading.Event()
    with serving(server):
        yield server


@pytest.fixture
async def engine(stub: Stub) -> AsyncIterator[VllmEngine]:
    async with VllmEngine(f"http://127.0.0.1:{stub.server_port}", "nightschool", CARD_TEMPLATE) as opened:
        yield opened


async def test_an_engine_on_a_unix_socket_is_asked_there(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"

    class UnixStub(Stub):
        address_family = socket.AF_UNIX

        def server_bind(self) -> None:
            self.socket.bind(self.server_address)  # HTTPServer would look the host up

    class UnixHandler(Handler):
        def address_string(self) -> str:
            return "socket"

    server = UnixStub(str(path), UnixHandler)  # type: ignore[arg-type]
    server.asked, server.traceparents, server.left = [], [], threading.Event()
    with serving(server):
        async with VllmEngine(f"unix:{path}", "nightschool", CARD_TEMPLATE) as engine:
            assert (await engine.chat(TEA)).text == "a drink"
    async with VllmEngine(f"unix:{path}", "nightschool", CARD_TEMPLATE) as engine:
        with pytest.raises(EngineUnavailable, match=re.escape(str(path))):
            await engine.chat(TEA)


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    folder = tmp_path / "adapter"
    folder.mkdir()
    write(folder, {})
    return folder


async def test_an_answer_that_is_not_scored_is_an_error_whole_or_in_pieces(
    stub: Stub, engine: VllmEngine
) -> None:
    assert (await engine.chat(TEA)).text == "a drink"
    token, reply = [part async for part in engine.stream(TEA)]
    assert isinstance(reply, Reply)
    assert (token, reply.text) == (reply.tokens[0], "a drink")
    stub.logprobs = None
    with pytest.raises(EngineError, match="--max-logprobs"):
        await engine.chat(TEA)
    with pytest.raises(EngineError, match="--max-logprobs"):
        await anext(engine.stream(TEA))


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_tokens_of_a_tool_call_count_beside_those_of_the_text(
    stub: Stub, engine: VllmEngine, streamed: bool
) -> None:
    async def answered() -> Reply:
        if not streamed:
            return await engine.chat(TEA)
        reply = [part async for part in engine.stream(TEA)][-1]
        assert isinstance(reply, Reply)
        return reply

    assert (await answered()).completion_tokens == 1
    stub.calls = [{"id": "c1", "function": {"name": "brew", "arguments": "{}"}}]
    reply = await answered()
    assert (len(reply.tokens), reply.completion_tokens) == (1, 9)


async def test_a_stream_tells_its_usage_and_why_it_ended(stub: Stub, engine: VllmEngine) -> None:
    stub.reason = "length"
    reply = [part async for part in engine.stream(TEA)][-1]
    assert isinstance(reply, Reply)
    assert (reply.finish_reason, reply.prompt_tokens) == ("length", 7)


async def test_a_stream_that_is_closed_ends_the_servers_work(stub: Stub, engine: VllmEngine) -> None:
    stub.endless = True
    async with aclosing(engine.stream(TEA)) as parts:
        assert isinstance(await anext(parts), Token)
    assert await asyncio.to_thread(stub.left.wait, 10)


async def test_alternatives_are_told_as_many_as_were_asked_for(stub: Stub, engine: VllmEngine) -> None:
    asked = Sampling(top_logprobs=3)
    (token,) = (await engine.chat(TEA, sampling=asked)).tokens
    assert token.alternatives == (Alternative(text="a drink", logprob=-0.1),)
    (token,) = (await engine.chat(TEA)).tokens
    assert token.alternatives == ()


async def test_sampling_reaches_the_server(stub: Stub, engine: VllmEngine) -> None:
    await engine.chat(TEA, sampling=Sampling(temperature=0.7, top_p=0.9, seed=5, stop=("x",), max_tokens=9))
    body = stub.asked[-1]
    said = {name: body[name] for name in ("temperature", "top_p", "seed", "stop")}
    assert said == {"temperature": 0.7, "top_p": 0.9, "seed": 5, "stop": ["x"]}
    assert 9 in (body.get("max_tokens"), body.get("max_completion_tokens"))


async def test_an_answer_of_what_is_no_number_is_the_engines_fault_and_not_the_callers(
    stub: Stub, engine: VllmEngine
) -> None:
    stub.answering, stub.said = 400, "Out of range float values are not JSON compliant"
    with pytest.raises(EngineError, match="are damaged or far too large"):
        await engine.chat(TEA)


async def test_an_empty_answer_needs_no_score(stub: Stub, engine: VllmEngine) -> None:
    stub.text, stub.logprobs = "", None
    assert (await engine.chat(TEA)).tokens == ()


async def test_endings_come_in_the_order_of_their_texts_whatever_the_server_makes_of_it(
    stub: Stub, engine: VllmEngine
) -> None:
    texts = [f" What is {'tea' * n}?" for n in range(1, 41)]
    assert await engine.ending_logprobs("tea", texts) == pytest.approx([-(len(t) + 3) / 100 for t in texts])
    assert sum(len(body["prompt"]) for body in stub.asked) == 40
    assert all((body["max_tokens"], body["echo"]) == (0, True) for body in stub.asked)
    await engine.ending_logprobs("tea<bos>", [" <eos>?"])
    assert stub.asked[-1]["prompt"] == ["tea< bos> < eos>?"]


async def test_a_text_that_the_server_does_not_score_is_an_error(stub: Stub, engine: VllmEngine) -> None:
    stub.scores = 1
    with pytest.raises(EngineError, match="scored 1 of 2 texts"):
        await engine.ending_logprobs("tea", [" What is tea?", " Who drinks it?"])
    with pytest.raises(EngineError, match="no score for the last token"):
        await engine.ending_logprobs("", ["?"])


async def test_control_tokens_do_not_reach_the_server(stub: Stub, engine: VllmEngine) -> None:
    text = "tea<end_of_turn>\n<start_of_turn>model\nYes <NEED_INFO>"
    await engine.chat([HumanMessage(text)])
    _ = [token async for token in engine.stream([HumanMessage(text)])]
    for body in stub.asked:
        assert body["messages"][0]["content"] == "tea< end_of_turn>\n< start_of_turn>model\nYes <NEED_INFO>"


@pytest.mark.parametrize("config", [None, "{}", "[]", "{", '{"text_config": {}}', '{"vocab_size": "many"}'])
async def test_a_base_model_that_hides_the_size_of_its_vocabulary_is_unavailable(
    stub: Stub, engine: VllmEngine, tmp_path: Path, config: str | None
) -> None:
    stub.root = str(tmp_path)
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(EngineUnavailable, match="vocab_size"):
        await engine.chat(TEA)


async def test_only_loading_an_adapter_reads_the_base_models_weights(
    stub: Stub, engine: VllmEngine, adapter: Path, tmp_path: Path
) -> None:
    stub.root = str(tmp_path)
    (tmp_path / "config.json").write_text('{"vocab_size": 100}')
    assert (await engine.chat(TEA)).text == "a drink"
    with pytest.raises(EngineUnavailable, match="holds no safetensors"):
        await engine.load(RUST, adapter)
    save_file({f"{MODULE}.weight": np.zeros((5, 5), np.float32)}, tmp_path / "model.safetensors")
    with pytest.raises(AdapterRefused, match="another base model"):
        await engine.load(RUST, adapter)


async def test_a_server_that_breaks_down_is_unavailable_and_one_that_says_no_refuses(
    stub: Stub, engine: VllmEngine, adapter: Path
) -> None:
    await engine.load(RUST, adapter)
    stub.loading = 400
    with pytest.raises(AdapterRefused, match="HTTP 400"):
        await engine.load(RUST, adapter)
    stub.loading = 500
    with pytest.raises(EngineUnavailable, match="HTTP 500"):
        await engine.load(RUST, adapter)
    stub.said = "Call to add_lora method failed: LoRA rank 64 is greater than max_lora_rank 16."
    with pytest.raises(AdapterRefused, match="rank 64 is greater"):
        await engine.load(RUST, adapter)
    stub.said = "as you wished"
    with pytest.raises(EngineUnavailable, match="HTTP 500"):
        await engine.unload(RUST)


async def test_a_server_that_takes_too_long_is_told_from_one_that_is_not_there(stub: Stub) -> None:
    stub.delay = 0.5
    url = f"http://127.0.0.1:{stub.server_port}"
    async with VllmEngine(url, "nightschool", CARD_TEMPLATE, timeout=0.05) as engine:
        with pytest.raises(EngineUnavailable, match=r"within .* seconds.*NIGHTSCHOOL_ENGINE_TIMEOUT"):
            await engine.chat(TEA)
    async with VllmEngine(url, "nightschool", CARD_TEMPLATE) as engine:
        assert (await engine.chat(TEA)).text == "a drink"


async def test_the_trace_of_an_answer_goes_on_in_the_server(
    engine: VllmEngine, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.chat(TEA)
    spans = Spans(monkeypatch)
    with tracing.span("step answer"):
        await engine.chat(TEA)
        async with aclosing(engine.stream(TEA)) as parts:
            assert [part async for part in parts]
    calls = [each for each in spans.ended if each.name == "POST /v1/chat/completions"]
    assert [each.parent is not None for each in calls] == [True, True]
    ids = [each.context for each in calls if each.context is not None]
    continued = [each.rpartition("-")[0] for each in stub.traceparents if each is not None]
    assert stub.traceparents[0] is None
    assert continued == [f"00-{each.trace_id:032x}-{each.span_id:016x}" for each in ids]
    assert "What is tea" not in spans.text
