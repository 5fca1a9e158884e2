"""Limits of requests: their size in bytes, how deep their JSON is nested, and characters that no store takes.

Judges no content; a body that passes here may still be refused by the route that reads it.
"""

import json
import re
from collections.abc import Callable

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import reply

READING = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing and carry no body."""
JSON_BYTES = 1_000_000
JSON_DEPTH = 32
"""Deeper than any body that our routes know, and far from what exhausts a parser's stack."""
_OPEN, _CLOSE = frozenset(b"[{"), frozenset(b"]}")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_QUOTE, _BACKSLASH = ord('"'), ord("\\")


class RequestLimits:
    """ASGI middleware that reads the body whole, within its limit, before the app sees the request."""

    def __init__(self, app: ASGIApp, largest: Callable[[str], int | None]) -> None:
        """`largest` names the most bytes a path takes, or None where the limit of JSON applies."""
        self._app = app
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in READING:
            await self._app(scope, receive, send)
            return
        own = self._largest(scope["path"])
        limit = JSON_BYTES if own is None else own
        try:
            body = await _read(receive, limit)
        except ClientDisconnect:
            return  # half a body must not pass for a whole one, and nobody waits for a reply
        if body is None:
            message = f"the body is larger than {limit} bytes: send less"
            await reply(scope["path"], 413, "body_too_large", message)(scope, receive, send)
            return
        if own is None and (reason := why_not_json(body)) is not None:
            await reply(scope["path"], 400, "invalid_json", reason)(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)


async def without_nul(request: Request) -> None:
    """A dependency of routes that store text. Raises ValueError for a NUL, which PostgreSQL does not take."""
    body = b"" if request.method in READING else await request.body()
    if _NUL.search(body) or any("\0" in value for value in request.query_params.values()):
        raise ValueError("the request holds a NUL character (\\u0000), which cannot be stored: leave it out")


def why_not_json(body: bytes) -> str | None:
    """Why the body must not be parsed: not UTF-8, too deep, or text that cannot be stored."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return f"the body is not UTF-8: byte {error.start} is invalid"
    if depth(body) > JSON_DEPTH:
        return f"the JSON is nested deeper than {JSON_DEPTH}: flatten it"
    if b"\\u" in body:
        try:
            json.dumps(json.loads(body), ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return "the JSON has half of a surrogate pair, which is no character"
        except ValueError:
            return None  # the route says what is wrong with it
    return None


def depth(body: bytes) -> int:
    """How deep brackets are nested outside strings, without parsing."""
    deepest = now = 0
    quoted = escaped = False
    for byte in body:
        if quoted:
            quoted = escaped or byte != _QUOTE
            escaped = byte == _BACKSLASH and not escaped
        elif byte == _QUOTE:
            quoted = True
        elif byte in _OPEN:
            now += 1
            deepest = max(deepest, now)
        elif byte in _CLOSE:
            now -= 1
    return deepest


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The whole body, or None once it has grown past the limit. Raises ClientDisconnect."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def once() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once
