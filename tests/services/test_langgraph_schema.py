"""Requests made from the OpenAPI document, and against it, never bring the LangGraph surface down."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import status_code_conformance

from agent.settings import Settings
from api.app import create_app
from api.errors import LANGGRAPH
from graphs.state import Runtime
from memory.database.database import open_database
from tests.graphs.conftest import clock, runtime
from tests.support.databases import database_url, empty_runs, home, on_database, postgresql, template
from tests.support.langgraph_server import serving

__all__ = ["clock", "database_url", "empty_runs", "home", "postgresql", "runtime", "template"]
pytestmark = pytest.mark.services

DOCUMENT = schemathesis.openapi.from_dict(create_app(Settings()).openapi())
CHECKS = (not_a_server_error, status_code_conformance)
SLOW = ("/stream", "/wait", "/join")
"""Endings of paths that answer once a run has ended."""


def operations() -> Iterator[Any]:
    for result in DOCUMENT.get_all_operations():
        operation = result.ok()
        if operation.path.startswith(LANGGRAPH) and not operation.path.endswith(SLOW):
            yield operation


@pytest.fixture
async def given(runtime: Runtime, database_url: str) -> AsyncIterator[Runtime]:
    """The runtime on the database of the test."""
    database = await open_database(database_url)
    yield on_database(runtime, database)
    await database.aclose()


@pytest.fixture
async def url(given: Runtime, home: Path, database_url: str) -> AsyncIterator[str]:
    async with serving(given, home, database_url) as address:
        async with httpx.AsyncClient(base_url=address) as http:
            await http.post("/threads", json={"thread_id": "0"})  # an id that is easily guessed
        yield address


@pytest.mark.parametrize("mode", list(GenerationMode))
async def test_no_request_brings_the_service_down_or_is_answered_with_another_status(
    url: str, mode: GenerationMode
) -> None:
    statuses: list[int] = []

    def attack(operation: Any) -> None:
        @hypothesis.given(operation.as_strategy(generation_mode=mode))
        @hypothesis.settings(
            max_examples=10, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        def send(case: Case) -> None:
            statuses.append(case.call_and_validate(base_url=url, checks=CHECKS).status_code)

        send()

    for operation in operations():
        if mode is GenerationMode.POSITIVE or operation.body or operation.query or operation.path_parameters:
            await asyncio.to_thread(attack, operation)
    assert len(statuses) > 200
    async with httpx.AsyncClient(base_url=url) as http:
        assert (await http.get("/ok")).json() == {"ok": True}
