"""The engines under test: each implementation over the same little model and the same adapters."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.engines.adapter_files import base_shapes, inspect_adapter
from agent.engines.base import Engine
from agent.engines.local import LocalEngine
from agent.engines.scripted import Line, ScriptedEngine
from agent.engines.vllm.engine import VllmEngine
from tests.support.adopted_models import (
    CARD_TEMPLATE,
    CONTEXT,
    KNOWN,
    LEARNED,
    build_adapter,
    build_model,
    spoil_adapters,
)
from tests.support.serving import served

VLLM = [pytest.mark.services, pytest.mark.timeout(600)]  # the first of them waits for the server
REQUIRED = frozenset({"scripted", "local", "vllm"})
"""Implementations that run wherever they were selected."""


@dataclass(frozen=True)
class Material:
    """Folders on disk: the model, adapters that work by name, and broken ones by what is wrong."""

    model: Path
    adapters: dict[str, Path]
    broken: dict[str, Path]


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    folder = tmp_path_factory.mktemp("engine")
    model = build_model(folder / "model")
    adapters = {name: build_adapter(model, folder / name, answers) for name, answers in LEARNED.items()}
    broken = spoil_adapters(model, next(iter(adapters.values())), folder / "broken")
    return Material(model=model, adapters=adapters, broken=broken)


@pytest.fixture(scope="module")  # not longer: an idle server takes memory and time from the tests that follow
def vllm_url(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("vllm") / "engine.log"
    with served(material.model, log, context=CONTEXT) as url:
        yield url


@pytest.fixture(scope="session")
def ran() -> set[str]:
    """Names of the implementations that at least one test has really used."""
    return set()


@pytest.fixture(params=["scripted", "local", pytest.param("vllm", marks=VLLM)])
async def engine(request: pytest.FixtureRequest, material: Material, ran: set[str]) -> AsyncIterator[Engine]:
    opened = {"scripted": _scripted, "local": _local, "vllm": _vllm}[request.param]
    url = request.getfixturevalue("vllm_url") if request.param == "vllm" else ""
    async with opened(material, url) as engine:
        yield engine
    ran.add(request.param)


@asynccontextmanager
async def _scripted(material: Material, _: str) -> AsyncIterator[Engine]:
    shapes = base_shapes(material.model)
    yield ScriptedEngine(
        {question: Line(text=answer) for question, answer in KNOWN.items()},
        adapters={
            name: {question: Line(text=answer) for question, answer in answers.items()}
            for name, answers in LEARNED.items()
        },
        check=lambda path: inspect_adapter(path, base=shapes),
        context=CONTEXT,
    )


@asynccontextmanager
async def _local(material: Material, _: str) -> AsyncIterator[Engine]:
    yield LocalEngine.open(material.model, device="cpu")


@asynccontextmanager
async def _vllm(_: Material, url: str) -> AsyncIterator[Engine]:
    async with VllmEngine(url, "nightschool", CARD_TEMPLATE) as engine:
        yield engine
        for adapter in await engine.loaded():
            await engine.unload(adapter)
