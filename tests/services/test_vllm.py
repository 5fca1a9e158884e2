"""The vLLM engine against a real server with the shipped model, and against what is no server at all."""

import http.server
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage

from agent.engine import Sampling
from agent.entropy import measure
from agent.errors import EngineUnavailable
from agent.local import LocalEngine
from agent.settings import SHIPPED_MODEL, Settings, base_threshold
from agent.vllm import VllmEngine
from tests.models import CARD_TEMPLATE
from tests.serving import served

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

QUESTIONS = [
    "What is a lemur?",
    "What is a zorblat?",
    "Define photosynthesis.",
    "What kind of thing is a sparrow?",
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, because both engines must read the same weights even while others are being trained."""
    if not (SHIPPED_MODEL / "model.safetensors").is_file():
        pytest.skip("there are no shipped weights: run `make seed-model`")
    return Path(shutil.copytree(SHIPPED_MODEL, tmp_path_factory.mktemp("shipped") / "model"))


@pytest.fixture(scope="module")
def url(model: Path) -> Iterator[str]:
    with served(model, model.parent / "engine.log", context=1024) as url:
        yield url


async def test_its_entropy_bounds_hold_what_the_whole_distribution_says(url: str, model: Path) -> None:
    """Both engines compute in different precision, so the bounds get a little slack."""
    exact = LocalEngine.open(model, device="cpu")
    async with VllmEngine(url, "nightschool", CARD_TEMPLATE) as engine:
        for question in QUESTIONS:
            served_reply = await engine.chat([HumanMessage(question)], sampling=Sampling(max_tokens=1))
            local_reply = await exact.chat([HumanMessage(question)], sampling=Sampling(max_tokens=1))
            assert served_reply.prompt_tokens == local_reply.prompt_tokens
            bounds, whole = served_reply.tokens[0].entropy, local_reply.tokens[0].entropy.lower
            assert bounds.lower - 0.15 <= whole <= bounds.upper + 0.15


async def test_its_bounds_are_narrow_enough_to_decide_as_the_whole_distribution_does(
    url: str, model: Path
) -> None:
    """Only an answer whose entropy is near the threshold may be left undecided, or be decided otherwise."""
    exact = LocalEngine.open(model, device="cpu")
    threshold = base_threshold(Settings(model=str(model)))
    clear = 0
    async with VllmEngine(url, "nightschool", CARD_TEMPLATE) as engine:
        for question in QUESTIONS:
            whole = measure(await exact.chat([HumanMessage(question)]), threshold)
            if whole.abstained or not threshold / 2 < whole.maximum.lower < 2 * threshold:
                clear += 1
                bounded = measure(await engine.chat([HumanMessage(question)]), threshold)
                assert bounded.decision == whole.decision, question
    assert clear >= len(QUESTIONS) / 2


async def test_a_model_that_the_server_does_not_have_is_named(url: str) -> None:
    async with VllmEngine(url, "another", CARD_TEMPLATE) as engine:
        with pytest.raises(EngineUnavailable, match="serves no model named another"):
            await engine.chat([HumanMessage("hello")])


def test_a_killed_server_takes_its_engine_along(url: str) -> None:
    """The last of these tests: nothing serves `url` after it. An engine left behind would hold the port."""
    port = url.rpartition(":")[2]
    lines = {path.parent.name: path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")}
    (pid,) = [pid for pid, line in lines.items() if f"--port\0{port}\0".encode() in line]
    os.kill(int(pid), signal.SIGKILL)
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        try:
            socket.create_server(("127.0.0.1", int(port))).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"port {port} is still held")


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
