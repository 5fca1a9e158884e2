"""No request on any route brings the service down, whichever key it has; `make fuzz` sends more of them.

Requests are made from the OpenAPI document and against it, one by one and as sequences in which the reply to
one gives the ids of the next.
"""

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
from schemathesis.generation.stateful.state_machine import APIStateMachine

from agent.settings import Settings
from api.app import create_app
from graphs.state import Runtime
from memory.database.database import open_database
from memory.server.keys import SCOPES, ApiKeys, Scope
from tests.graphs.conftest import clock, runtime
from tests.support.databases import database_url, empty_runs, home, on_database, postgresql, template
from tests.support.langgraph_server import serving

__all__ = ["clock", "database_url", "empty_runs", "home", "postgresql", "runtime", "template"]
pytestmark = [pytest.mark.services, pytest.mark.slow]

DOCUMENT = schemathesis.openapi.from_dict(create_app(Settings()).openapi())
UNTIL_A_RUN_ENDS = ("/stream", "/wait", "/join", "/events")
"""Endings of paths that answer once a run has ended."""
MISSING_PARTS = {501, 503}
"""What is said where the fakes lack a part, such as a teacher; a fault of ours is 500."""


def fuzzing() -> bool:
    return hypothesis.settings.get_current_profile_name() == "fuzz"


def operations() -> Iterator[Any]:
    for result in DOCUMENT.get_all_operations():
        operation = result.ok()
        if not operation.path.endswith(UNTIL_A_RUN_ENDS):
            yield operation


@pytest.fixture
async def opened(runtime: Runtime, home: Path) -> AsyncIterator[tuple[str, Runtime]]:
    """The URL of a service with keys, and its runtime."""
    url = f"sqlite:///{home / 'nightschool.db'}"
    database = await open_database(url)
    given = on_database(runtime, database)
    async with serving(given, home, url) as address:
        yield address, given
    await database.aclose()


async def key(runtime: Runtime, scope: Scope) -> dict[str, str]:
    _, text = await ApiKeys(runtime.database).create(f"{scope}-user", scope)
    return {"x-api-key": text}


def check(case: Case, response: Any) -> int:
    if response.status_code not in MISSING_PARTS:
        case.validate_response(response, checks=[not_a_server_error])
    return int(response.status_code)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scope", SCOPES)
async def test_no_request_with_a_key_brings_the_service_down(
    opened: tuple[str, Runtime], scope: Scope
) -> None:
    if scope != "admin" and not fuzzing():
        pytest.skip("an admin's key opens every route; `make fuzz` takes the others too")
    url, runtime = opened
    headers = await key(runtime, scope)
    statuses: list[int] = []

    def attack(operation: Any, mode: GenerationMode) -> None:
        @hypothesis.given(operation.as_strategy(generation_mode=mode))
        @hypothesis.settings(
            max_examples=50 if fuzzing() else 1,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        def send(case: Case) -> None:
            statuses.append(check(case, case.call(base_url=url, headers=headers)))

        send()

    for operation in operations():
        for mode in GenerationMode:
            if mode is GenerationMode.POSITIVE or operation.body or operation.query:
                await asyncio.to_thread(attack, operation, mode)
    assert any(status < 300 for status in statuses)
    async with httpx.AsyncClient(base_url=url) as http:
        assert (await http.get("/healthz")).status_code == 200


@pytest.mark.timeout(3600)
async def test_no_sequence_of_requests_brings_the_service_down(opened: tuple[str, Runtime]) -> None:
    url, runtime = opened
    headers = await key(runtime, "admin")
    statuses: list[int] = []

    class Sequence(DOCUMENT.as_state_machine()):  # type: ignore[misc]
        def call(self, case: Case, **kwargs: Any) -> Any:
            if case.operation.path.endswith(UNTIL_A_RUN_ENDS):
                hypothesis.reject()
            return case.call(base_url=url, headers=headers)

        def validate_response(self, response: Any, case: Case, **kwargs: Any) -> None:
            statuses.append(check(case, response))

    assert issubclass(Sequence, APIStateMachine)
    settings = hypothesis.settings(
        max_examples=200 if fuzzing() else 3,
        stateful_step_count=10,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    await asyncio.to_thread(Sequence.run, settings=settings)
    assert any(status < 300 for status in statuses)
