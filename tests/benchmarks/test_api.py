"""The api benchmark: its stub engine, its load generator, its page and its environments."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn
from langchain_core.messages import HumanMessage

from agent.chat.gate import measure_uncertainty
from agent.engines.base import Reply
from agent.engines.vllm.engine import VllmEngine
from agent.models.card import ChatTemplate
from agent.models.store import AddedModel
from benchmarks.api.chats import serving
from benchmarks.api.environments import Unavailable, installed
from benchmarks.api.load import interleaved_latencies, throughput
from benchmarks.api.page import GOALS, derived_figures, result
from benchmarks.api.upstream import MODEL, Upstream
from memory.results import Result, met
from tests.support.cards import card, gate, model_folder

ASKED = [HumanMessage("What is a library?")]


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[VllmEngine]:
    (tmp_path / "config.json").write_text('{"vocab_size": 1000}')
    server = uvicorn.Server(uvicorn.Config(Upstream(str(tmp_path)), port=0, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        if serving.done():
            serving.result()
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with VllmEngine(f"http://127.0.0.1:{port}", MODEL, ChatTemplate()) as opened:
        yield opened
    server.should_exit = True
    await serving


async def test_the_stub_answers_whole_and_in_pieces_what_the_gate_lets_through(engine: VllmEngine) -> None:
    whole = await engine.chat(ASKED)
    reply = [part async for part in engine.stream(ASKED)][-1]
    assert isinstance(reply, Reply)
    assert (reply.text, reply.tokens) == (whole.text, whole.tokens)
    assert measure_uncertainty(whole.tokens, gate(0.2)).decision == "confident"


async def test_load_asks_as_often_as_it_says() -> None:
    asked: list[str] = []

    async def ask(name: str) -> None:
        asked.append(name)
        await asyncio.sleep(0)

    took = await interleaved_latencies([lambda: ask("a"), lambda: ask("b")], 3)
    assert (asked, [len(seconds) for seconds in took]) == (["a", "b"] * 3, [3, 3])
    assert await throughput(lambda: ask("c"), 4, 10) > 0
    assert asked.count("c") == 10


async def test_a_request_that_fails_ends_the_measurement() -> None:
    async def fail() -> None:
        raise RuntimeError("503")

    with pytest.raises(RuntimeError, match="503"):
        await throughput(fail, 2, 10)


def page(figures: dict[str, float], *, complete: bool, unavailable: dict[str, str] | None = None) -> Result:
    return result(
        figures,
        unavailable or {},
        complete=complete,
        command="make bench-api",
        seconds=1.0,
        model="smollm2-135m",
        processes=2,
    )


def test_the_page_names_every_goal_of_the_full_form_and_those_measured_of_the_small() -> None:
    figures = dict.fromkeys(GOALS, 1.0)
    assert page(figures, complete=True).goals == GOALS
    del figures["official p50 over ours"]
    quick = page(figures, complete=False)
    assert "official p50 over ours" not in quick.goals
    assert "smollm2-135m" in quick.tables[0].text


def test_servers_are_compared_where_both_were_measured() -> None:
    figures = {
        "our runs a second": 90.0,
        "aegra runs a second": 30.0,
        "requests a second, stub": 200.0,
        "requests a second, stub, on PostgreSQL": 300.0,
    }
    assert derived_figures(figures, processes=2) == {
        "our runs a second over aegra": 3.0,
        "most requests a second, stub": 300.0,
        "api processes behind it": 2.0,
    }


def test_what_cannot_be_installed_is_on_the_page_with_its_reason_and_its_goals_are_missed() -> None:
    without = page({"our runs a second": 90.0}, complete=True, unavailable={"aegra": "no network"})
    assert without.tables[-1].rows == (("aegra", "no network"),)
    assert not met(without, "our runs a second over aegra")
    assert met(without, "our runs a second over official") is False


@pytest.mark.slow
def test_an_environment_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no-such-package-here cannot be installed"):
        installed(tmp_path / "environment", ["--no-index", "no-such-package-here"], "uvicorn")


def test_vllm_is_measured_with_the_context_of_the_models_card(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model")
    command, env = serving(AddedModel(name="m", folder=folder, card=card(context=4096)), 1)
    assert command[command.index("--max-model-len") + 1] == "4096"
    assert command[command.index("--model") + 1] == str(folder)
    assert env["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "1"
