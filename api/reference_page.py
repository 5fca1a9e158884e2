"""The page /docs: all endpoints with their fields, made from the OpenAPI description.

Swagger UI and ReDoc would be loaded from other hosts, and their scripts could read a key that was entered in
the console in the same tab. This page has no script and loads nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

PATH = "/docs"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
SCHEMAS = "#/components/schemas/"
Json = Mapping[str, Any]


def route() -> Route:
    """The route; it is not part of the description itself."""
    return Route(PATH, _page, include_in_schema=False)


async def _page(request: Request) -> HTMLResponse:
    return HTMLResponse(render(request.app.openapi()), headers=HEADERS)


def render(description: Json) -> str:
    """The page of an OpenAPI description."""
    endpoints = [
        (f"{method.upper()} {path}", endpoint)
        for path, methods in description["paths"].items()
        for method, endpoint in methods.items()
    ]
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.globals.update(kinds=kinds, body=_body, reply=_reply)
    schemas = description.get("components", {}).get("schemas", {})
    return environment.from_string(TEMPLATE).render(
        title=description["info"]["title"], endpoints=endpoints, schemas=schemas
    )


def kinds(schema: Json) -> Iterator[tuple[str, str | None]]:
    """The types that a schema allows, each with the schema that it refers to, if any."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(SCHEMAS)
        yield name, name
    elif variants := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        for variant in variants:
            yield from kinds(variant)
    elif schema.get("type") == "array":
        for name, reference in kinds(schema.get("items", {})):
            yield f"list of {name}", reference
    elif "enum" in schema or "const" in schema:
        yield " | ".join(map(str, schema.get("enum", [schema.get("const")]))), None
    else:
        yield str(schema.get("type", "anything")), None


def _body(endpoint: Json) -> Json | None:
    return _schema(endpoint.get("requestBody", {}))


def _reply(endpoint: Json) -> Json | None:
    replies: Json = endpoint.get("responses", {})
    return next((_schema(each) for status, each in replies.items() if status.startswith("2")), None)


def _schema(message: Json) -> Json | None:
    content: Json = message.get("content", {})
    return next((each.get("schema", {}) for each in content.values()), None)


TEMPLATE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}: endpoints</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
table { border-collapse: collapse; margin: .5rem 0 }
td, th { border-top: 1px solid #ccc; padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top }
details { margin: .3rem 0 }
</style>
{% macro types(schema) %}
{% for name, reference in kinds(schema) %}
{% if not loop.first %} or {% endif %}
{% if reference %}<a href="#{{ reference }}">{{ name }}</a>{% else %}{{ name }}{% endif %}
{% endfor %}
{% endmacro %}
<h1>{{ title }}: endpoints</h1>
<p>The same for programs: <a href="/openapi.json">openapi.json</a>.</p>
{% for name, endpoint in endpoints %}
<details>
<summary><code>{{ name }}</code> {{ endpoint.get("summary", "") }}</summary>
<p>{{ endpoint.get("description", "") }}</p>
{% if endpoint.get("parameters") %}
<table>
<tr><th>parameter</th><th>in</th><th>type</th><th></th></tr>
{% for each in endpoint["parameters"] %}
<tr><td><code>{{ each["name"] }}</code></td><td>{{ each["in"] }}</td>
<td>{{ types(each["schema"]) }}</td>
<td>{{ "required" if each.get("required") else "" }} {{ each.get("description", "") }}</td></tr>
{% endfor %}
</table>
{% endif %}
{% if body(endpoint) is not none %}<p>Body: {{ types(body(endpoint)) }}</p>{% endif %}
{% if reply(endpoint) is not none %}<p>Reply: {{ types(reply(endpoint)) }}</p>{% endif %}
</details>
{% endfor %}
<h2>Types</h2>
{% for name, schema in schemas.items() %}
<h3 id="{{ name }}">{{ name }}</h3>
<p>{{ schema.get("description", "") }}</p>
{% if schema.get("properties") %}
<table>
{% for field, kind in schema["properties"].items() %}
<tr><td><code>{{ field }}</code></td><td>{{ types(kind) }}</td>
<td>{{ "required" if field in schema.get("required", []) else "" }}
{{ kind.get("description", "") }}</td></tr>
{% endfor %}
</table>
{% else %}
<p>{{ types(schema) }}</p>
{% endif %}
{% endfor %}
</html>
"""
