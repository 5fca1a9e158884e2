"""The page /docs names every endpoint and field, has no script, and loads nothing."""

import re

import httpx
import pytest

from api.reference_page import render


async def test_it_names_every_endpoint_and_field(client: httpx.AsyncClient) -> None:
    description = (await client.get("/openapi.json")).json()
    page = (await client.get("/docs")).text
    for path, methods in description["paths"].items():
        for method in methods:
            assert f"<code>{method.upper()} {path}</code>" in page
    for name, schema in description["components"]["schemas"].items():
        assert f'id="{name}"' in page
        for field in schema.get("properties", {}):
            assert f"<code>{field}</code>" in page


async def test_it_loads_nothing_and_no_other_page_may_show_it(client: httpx.AsyncClient) -> None:
    reply = await client.get("/docs")
    assert not re.search(r"<(script|link|img|iframe|object|embed)|\bon\w+=|(src|href)=\"(?!#|/)", reply.text)
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("path", ["/redoc", "/docs/oauth2-redirect"])
async def test_the_pages_of_the_framework_are_not_served(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


def test_texts_of_the_description_are_shown_as_text() -> None:
    endpoint = {"summary": "<script>", "description": "<img src=x>"}
    page = render({"info": {"title": "<b>"}, "paths": {"/x": {"get": endpoint}}})
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "<img" not in page
