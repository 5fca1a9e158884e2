"""NaN and infinite numbers are refused by every route, and old rows that hold one break no search."""

import importlib
import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, get_args

import httpx
import pytest
import sqlalchemy
from fastapi.dependencies.utils import get_flat_dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from agent.settings import Settings
from api.app import create_app
from api.nightschool import annotation_batches, documents, exchange
from graphs.state import Runtime

APP = create_app(Settings())
WRITES = ("post", "put", "patch", "delete")
DATA = (documents.PATH, annotation_batches.IMPORT_PATH, exchange.IMPORT_PATH)
"""Routes whose bodies are files."""
ROUTES = [
    (method, path)
    for path, operations in APP.openapi()["paths"].items()
    for method in operations
    if method in WRITES and path not in DATA
]
JSON = {"Content-Type": "application/json"}
NUMBERS = (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1E+400", b"1" + b"0" * 400 + b".0")


async def test_a_number_that_is_not_finite_is_refused_by_every_route(learning: httpx.AsyncClient) -> None:
    assert len(ROUTES) > 50
    for method, path in ROUTES:
        for number in NUMBERS:
            body = b'{"metadata": {"deep": [' + number + b"]}}"
            sent = await learning.request(method, re.sub("[{}]", "", path), content=body, headers=JSON)
            assert sent.status_code == 422, (method, path, number, sent.text)
            assert "NaN, Infinity" in sent.text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be"])
async def test_no_other_encoding_gets_past_the_check(learning: httpx.AsyncClient, encoding: str) -> None:
    body = '{"metadata": {"x": NaN}}'.encode(encoding)
    assert (await learning.post("/threads", content=body, headers=JSON)).status_code == 400


def body_types() -> Iterator[Any]:
    for route in APP.routes:
        if isinstance(route, APIRoute):
            for field in get_flat_dependant(route.dependant).body_params:
                yield field.field_info.annotation


def models_in(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for field in kind.model_fields.values():
            yield from models_in(field.annotation)
    for argument in get_args(kind):
        yield from models_in(argument)


def has_float(kind: Any) -> bool:
    return kind is float or any(has_float(argument) for argument in get_args(kind))


FIELDS = sorted(
    {
        (model.__module__, model.__qualname__, name)
        for kind in body_types()
        for model in models_in(kind)
        for name, field in model.model_fields.items()
        if has_float(field.annotation)
    }
)


def test_there_are_fields_with_numbers() -> None:
    assert len(FIELDS) > 5


@pytest.mark.parametrize(("module", "name", "field"), FIELDS)
def test_a_text_that_reads_as_such_a_number_is_refused_too(module: str, name: str, field: str) -> None:
    model = getattr(importlib.import_module(module), name)
    info = model.model_fields[field]
    config = ConfigDict(**model.model_config)
    adapter = TypeAdapter(Annotated[(info.annotation, *(info.metadata or [None]))], config=config)
    for text in ("NaN", "Infinity", "-inf"):
        with pytest.raises(ValidationError):
            adapter.validate_python(text)


async def test_rows_that_hold_such_a_number_are_found_and_shown(
    learning: httpx.AsyncClient, runtime: Runtime
) -> None:
    await learning.post("/threads", json={"thread_id": "old", "metadata": {"kept": 1}})
    async with runtime.database.begin() as connection:
        old = sqlalchemy.text('UPDATE threads SET metadata = :metadata, "values" = :metadata')
        await connection.execute(old, {"metadata": json.dumps({"kept": 1, "x": float("inf")})})
    found = await learning.post("/threads/search", json={"metadata": {"kept": 1}})
    assert found.json()[0]["metadata"] == {"kept": 1, "x": None}
    assert (await learning.get("/threads/old")).status_code == 200
    assert (await learning.post("/threads/count", json={"metadata": {"kept": 1}})).json() == 1
