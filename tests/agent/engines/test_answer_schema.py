"""Schemas that would stall the engine for others are refused; those of honest clients pass."""

from typing import Any

import pytest
from pydantic import BaseModel

from agent.engines.answer_schema import require_affordable
from agent.engines.base import Sampling


class Address(BaseModel):
    street: str
    city: str | None = None


class Person(BaseModel):
    name: str
    tags: list[str] = []
    addresses: dict[str, Address] = {}


def properties(count: int) -> dict[str, Any]:
    return {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(count)}}


COSTLY: dict[str, Any] = {
    "many properties": properties(5000),
    "many properties further inside": {"anyOf": [{"items": properties(201)}]},
    "many pattern properties": {"patternProperties": {f"^a{n}$": {} for n in range(201)}},
    "many values": {"enum": [f"value number {n}" for n in range(10_000)]},
    "a long pattern": {"type": "string", "pattern": "^[a-z]{1,20000}$"},
    "a pattern of many options": {"type": "string", "pattern": "(a|b)?" * 400},
    "many patterns": {"anyOf": [{"pattern": f"^a{{{n},500}}$"} for n in range(200)]},
    "a pattern for names": {"patternProperties": {"(a{1,9999}){2,9999}": {}}},
}


@pytest.mark.parametrize("kind", COSTLY)
def test_a_costly_schema_is_refused_wherever_it_stands(kind: str) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": COSTLY[kind]}}
    asked = {"type": "json_schema", "json_schema": {"name": "x", "schema": COSTLY[kind]}}
    with pytest.raises(ValueError, match="limit"):
        require_affordable(COSTLY[kind])
    with pytest.raises(ValueError, match="limit"):
        Sampling(response_format=asked)
    with pytest.raises(ValueError, match="limit"):
        Sampling(tools=(tool,))


def test_schemas_are_added_up() -> None:
    part = {"enum": ["x" * 30_000]}
    require_affordable(part)
    with pytest.raises(ValueError, match="characters"):
        require_affordable(part, part)


@pytest.mark.parametrize(
    "schema",
    [
        Person.model_json_schema(),
        properties(200),
        {"type": "object", "properties": {"pattern": {"type": "string"}, "maxLength": {"type": "integer"}}},
        {"type": "string", "maxLength": 4000, "pattern": "^[a-z]{1,64}$"},
        None,
    ],
    ids=["of a model", "large", "with such names of properties", "with limits", "none"],
)
def test_schemas_of_honest_clients_pass(schema: Any) -> None:
    require_affordable(schema)
