"""Every endpoint of our own refuses unknown fields; OpenAI's clients may send some that we ignore."""

from typing import Any

import httpx

OPENAI = ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings")


def bodies(description: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The schemas of the JSON bodies, by endpoint."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path, methods in description["paths"].items():
        for method, endpoint in methods.items():
            body = endpoint.get("requestBody", {}).get("content", {}).get("application/json")
            if body and path not in OPENAI:
                found[f"{method} {path}"] = list(objects(body["schema"], description))
    return found


def objects(schema: dict[str, Any], description: dict[str, Any]) -> list[dict[str, Any]]:
    """The objects that a body may be."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return objects(description["components"]["schemas"][name], description)
    parts = [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]
    if parts:
        return [each for part in parts for each in objects(part, description)]
    return [schema] if "properties" in schema else []


async def test_every_body_of_ours_refuses_unknown_fields(client: httpx.AsyncClient) -> None:
    found = bodies((await client.get("/openapi.json")).json())
    assert len(found) > 40
    lenient = [
        name
        for name, parts in found.items()
        if any(p.get("additionalProperties") is not False for p in parts)
    ]
    assert lenient == []
