"""Requests made from the OpenAPI document, and against it, never bring the OpenAI surface down."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from agent.settings import Settings
from api.app import create_app
from graphs.state import Runtime
from tests.api.conftest import Listen

CHAT, MODELS, MODEL = "/v1/chat/completions", "/v1/models", "/v1/models/{model}"
EMBED = "/v1/embeddings"
DOCUMENT = schemathesis.openapi.from_dict(create_app(Settings()).openapi())
CHECKS = (not_a_server_error, status_code_conformance, response_schema_conformance)
REFUSED = {"tool_choice", "response_format", "presence_penalty", "frequency_penalty", "logit_bias"}
QUESTION = {"role": "user", "content": "What is a lemur?"}


@pytest.fixture
async def url(listen: Listen, runtime: Runtime) -> AsyncIterator[str]:
    async with listen(runtime) as address:
        yield address


async def attack(url: str, path: str, mode: GenerationMode) -> list[int]:
    """Sends what the document allows, or what it does not; returns the statuses."""
    (operation,) = (operation.ok() for operation in DOCUMENT.include(path=path).get_all_operations())
    statuses: list[int] = []

    @given(operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=60,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def send(case: Case) -> None:
        if mode is GenerationMode.POSITIVE and isinstance(case.body, dict):
            case.body = sensible(case.body)
        if mode is GenerationMode.NEGATIVE and only_headers_differ(case):
            return  # any text is allowed in them, and credentials count only where there are keys
        statuses.append(case.call_and_validate(base_url=url, checks=CHECKS).status_code)

    await asyncio.to_thread(send)
    return statuses


def only_headers_differ(case: Case) -> bool:
    """Whether nothing but a header of the case is what the document does not allow."""
    parts = case.meta.components if case.meta else {}
    return {p for p, part in parts.items() if part.mode is GenerationMode.NEGATIVE} == {
        ParameterLocation.HEADER
    }


def sensible(body: dict[str, Any]) -> dict[str, Any]:
    """The body within the rules that a schema cannot tell, so that it gets past them."""
    body = json.loads(json.dumps(body).replace("\\u0000", ""))
    kept = {name: value for name, value in body.items() if name not in REFUSED}
    if "messages" not in body:
        return kept | {"model": "hashing", "dimensions": None}
    spoken = [message | {"content": message.get("content") or "So."} for message in body["messages"]]
    kept |= {"model": "auto", "n": 1, "messages": [*spoken[:100], QUESTION], "metadata": None}
    if not kept.get("logprobs"):
        kept.pop("top_logprobs", None)
    if not kept.get("stream"):
        kept.pop("stream_options", None)
    return kept


@pytest.mark.slow
@pytest.mark.parametrize("path", [CHAT, EMBED, MODELS])
async def test_what_the_document_allows_is_answered_as_it_says(url: str, path: str) -> None:
    statuses = await attack(url, path, GenerationMode.POSITIVE)
    # Rules that a schema cannot tell refuse some.
    assert statuses.count(200) > len(statuses) / 2, statuses


@pytest.mark.slow
@pytest.mark.parametrize("path", [CHAT, EMBED, MODEL])
async def test_what_the_document_does_not_allow_is_refused_as_it_says(url: str, path: str) -> None:
    statuses = await attack(url, path, GenerationMode.NEGATIVE)
    assert set(statuses) <= {400, 403, 404, 413, 422}
