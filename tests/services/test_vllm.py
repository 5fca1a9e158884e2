"""The vLLM engine against a real server with the default model, and against what is no server at all."""

import asyncio
import http.server
import json
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage

from agent.engines.base import Reply, Sampling, Token
from agent.engines.local import LocalEngine
from agent.engines.vllm.address import socket_of
from agent.engines.vllm.engine import VllmEngine
from agent.errors import EngineUnavailable
from agent.models.store import AddedModel
from benchmarks.adapters import make_adapter
from memory.errors import StoreUnavailable
from memory.unix_sockets import take
from tests.support.adopted_models import CARD_TEMPLATE
from tests.support.models import default_model
from tests.support.serving import served

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

QUESTIONS = [
    "What is the capital of France?",
    "What is a zorblat?",
    "Define photosynthesis.",
    "Who wrote Hamlet?",
]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}},
    "required": ["city"],
    "additionalProperties": False,
}
FIRST, SECOND = "random-v1-00000001", "random-v2-00000002"
PRECISION = 0.25
"""Nats by which two computations in bf16 may differ."""
TOOL = {"type": "function", "function": {"name": "find_city", "parameters": SCHEMA}}


@pytest.fixture(scope="module")
def model() -> AddedModel:
    return default_model()


@pytest.fixture(scope="module")
def url(model: AddedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("engine") / "engine.log"
    with served(model.folder, log, context=model.card.context) as url:
        yield url


@pytest.fixture
async def engine(url: str, model: AddedModel) -> AsyncIterator[VllmEngine]:
    async with VllmEngine(url, "nightschool", model.card.template) as opened:
        yield opened


async def test_both_engines_read_the_same_prompt_and_bound_the_same_entropies(
    engine: VllmEngine, model: AddedModel
) -> None:
    """Both compute in their own precision, so the bounds get a little slack."""
    local = LocalEngine.open(model.folder, model.card.template, device="cpu")
    for question in QUESTIONS:
        asked, first = [HumanMessage(question)], Sampling(max_tokens=1)
        one, other = await engine.chat(asked, sampling=first), await local.chat(asked, sampling=first)
        assert one.prompt_tokens == other.prompt_tokens
        assert one.tokens[0].entropy.lower == pytest.approx(other.tokens[0].entropy.lower, abs=0.3)
        assert one.tokens[0].entropy.upper == pytest.approx(other.tokens[0].entropy.upper, abs=0.3)


@pytest.fixture(scope="module")
def adapters(model: AddedModel, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two with random weights, strong enough to change every answer."""
    folder = tmp_path_factory.mktemp("adapters")
    for seed, name in enumerate((FIRST, SECOND)):
        make_adapter(model, folder / name, seed, scale=0.2)
    return {name: folder / name for name in (FIRST, SECOND)}


@pytest.mark.parametrize("at_once", [False, True])
async def test_adapters_say_what_peft_says(
    engine: VllmEngine, model: AddedModel, adapters: dict[str, Path], at_once: bool
) -> None:
    """One after the other, and all in one batch with the base model, against PEFT's own arithmetic."""
    local = LocalEngine.open(model.folder, model.card.template, device="cpu")
    for name, folder in adapters.items():
        await engine.load(name, folder)
        await local.load(name, folder)
    sampling = Sampling(max_tokens=12, top_logprobs=2)
    asked = [([HumanMessage(question)], name) for question in QUESTIONS for name in (None, *adapters)]
    chats = [engine.chat(messages, adapter=name, sampling=sampling) for messages, name in asked]
    replies = await asyncio.gather(*chats) if at_once else [await chat for chat in chats]
    for (messages, name), reply in zip(asked, replies, strict=True):
        assert_same_but_for_ties(reply, await local.chat(messages, adapter=name, sampling=sampling))
    for name in adapters:
        await engine.unload(name)


def assert_same_but_for_ties(reply: Reply, reference: Reply) -> None:
    """Greedy answers may part only where the reference's best tokens are as likely as each other."""
    assert reply.tokens
    for token, expected in zip(reply.tokens, reference.tokens, strict=False):
        if token.text != expected.text:
            best, next_best = expected.alternatives[:2]
            assert best.logprob - next_best.logprob < PRECISION, (reply.text, reference.text)
            return
        assert token.logprob == pytest.approx(expected.logprob, abs=PRECISION)


async def test_a_name_that_is_loaded_anew_has_its_new_weights(
    engine: VllmEngine, adapters: dict[str, Path]
) -> None:
    sampling = Sampling(max_tokens=8)

    async def said(name: str, folder: Path) -> list[float]:
        await engine.load(name, folder)
        reply = await engine.chat([HumanMessage(QUESTIONS[0])], adapter=name, sampling=sampling)
        await engine.unload(name)
        return [token.logprob for token in reply.tokens]

    first, second = await said(FIRST, adapters[FIRST]), await said(FIRST, adapters[SECOND])
    assert first != pytest.approx(second, abs=0.01)
    assert await said(SECOND, adapters[SECOND]) == pytest.approx(second, abs=0.01)
    assert await said(FIRST, adapters[FIRST]) == pytest.approx(first, abs=0.01)


async def test_an_answer_has_the_form_that_was_asked_for(engine: VllmEngine) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA}}
    sampling = Sampling(max_tokens=60, response_format=form)
    reply = await engine.chat([HumanMessage("Name a city in France, as JSON.")], sampling=sampling)
    assert set(json.loads(reply.text)) == {"city"}
    assert reply.tokens


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_tool_that_must_be_called_is_called(engine: VllmEngine, streamed: bool) -> None:
    choice = {"type": "function", "function": {"name": "find_city"}}
    sampling = Sampling(max_tokens=60, tools=(TOOL,), tool_choice=choice)
    asked = [HumanMessage("Find Paris.")]
    if streamed:
        reply = [part async for part in engine.stream(asked, sampling=sampling)][-1]
        assert isinstance(reply, Reply)
    else:
        reply = await engine.chat(asked, sampling=sampling)
    (call,) = reply.tool_calls
    assert call.name == "find_city"
    assert set(json.loads(call.arguments)) == {"city"}
    assert reply.completion_tokens > len(reply.tokens)


async def test_a_text_is_continued_with_its_log_probabilities(engine: VllmEngine) -> None:
    sampling = Sampling(max_tokens=4, top_logprobs=3)
    *tokens, reply = [part async for part in engine.complete("The capital of France is", sampling=sampling)]
    assert isinstance(reply, Reply)
    assert "Paris" in reply.text
    assert "".join(token.text for token in tokens if isinstance(token, Token)) == reply.text
    assert all(len(token.alternatives) == 3 for token in reply.tokens)
    assert reply.finish_reason == "length"


async def test_a_limit_beyond_the_context_is_clamped(engine: VllmEngine, model: AddedModel) -> None:
    sampling = Sampling(max_tokens=model.card.context, stop=("\n",))
    assert (await engine.chat([HumanMessage("Say hello.")], sampling=sampling)).text


async def test_biases_and_penalties_are_taken(engine: VllmEngine) -> None:
    plain = Sampling(max_tokens=12)
    pressed = plain.model_copy(update={"frequency_penalty": 2.0, "presence_penalty": 2.0})
    repeat = [HumanMessage("Say: no no no no no no no no")]
    assert (await engine.chat(repeat, sampling=pressed)).text != (
        await engine.chat(repeat, sampling=plain)
    ).text


async def test_a_model_that_the_server_does_not_have_is_named(url: str) -> None:
    async with VllmEngine(url, "another", CARD_TEMPLATE) as engine:
        with pytest.raises(EngineUnavailable, match="serves no model named another"):
            await engine.chat([HumanMessage("hello")])


def test_the_server_listens_on_no_port_and_only_its_user_may_use_its_socket(url: str) -> None:
    path = Path(str(socket_of(url)))
    assert path.parent.stat().st_mode & 0o077 == 0
    (pid,) = [
        int(line.parent.name)
        for line in Path("/proc").glob("[0-9]*/cmdline")
        if f"--uds\0{path}\0".encode() in line.read_bytes()
    ]
    sockets = {target.readlink().name for target in Path(f"/proc/{pid}/fd").iterdir() if target.is_symlink()}
    for table in ("tcp", "tcp6"):
        rows = [line.split() for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]]
        assert not [row for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets]


def test_a_killed_server_takes_its_engine_along(url: str) -> None:
    """The last of these tests: nothing serves `url` after it. An engine left behind would hold the lock."""
    path = str(socket_of(url))
    lines = {path.parent.name: path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")}
    (pid,) = [pid for pid, line in lines.items() if f"--uds\0{path}\0".encode() in line]
    os.kill(int(pid), signal.SIGKILL)
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        try:
            take(Path(path))
        except StoreUnavailable:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"{path} is still held")


async def test_no_server_says_how_to_start_one() -> None:
    async with VllmEngine("http://127.0.0.1:9", "nightschool", CARD_TEMPLATE) as engine:
        with pytest.raises(EngineUnavailable, match="nightschool up"):
            await engine.chat([HumanMessage("hello")])
        with pytest.raises(EngineUnavailable, match="nightschool up"):
            await engine.load("rust-v1-0123abcd", Path("anywhere"))


class _Stranger(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>a web page</html>")

    def log_message(self, *arguments: object) -> None:
        pass


async def test_some_other_server_is_told_apart() -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Stranger)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        async with VllmEngine(
            f"http://127.0.0.1:{server.server_port}", "nightschool", CARD_TEMPLATE
        ) as engine:
            with pytest.raises(EngineUnavailable, match="not an OpenAI server"):
                await engine.loaded()
    finally:
        server.shutdown()
        server.server_close()
