"""Request limits: the size of bodies, the nesting of their JSON, and characters that stores cannot hold."""

import json
import re
from collections.abc import Callable

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import reply

READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing and have no body."""
JSON_BYTES = 1_000_000
JSON_DEPTH = 32
"""More than any valid body needs, and far below what overflows a parser's stack."""
_OPEN, _CLOSE = frozenset(b"[{"), frozenset(b"]}")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_QUOTE, _BACKSLASH = ord('"'), ord("\\")


class RequestLimits:
    """ASGI middleware that reads the whole body and checks it before the app sees the request."""

    def __init__(self, app: ASGIApp, body_limit: Callable[[str], int | None]) -> None:
        """`body_limit` returns the limit in bytes of a path that takes any data, or None for JSON paths."""
        self._app = app
        self._body_limit = body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in READ_METHODS:
            await self._app(scope, receive, send)
            return
        data_limit = self._body_limit(scope["path"])
        limit = JSON_BYTES if data_limit is None else data_limit
        try:
            body = await _read(receive, limit)
        except ClientDisconnect:
            return  # the body is incomplete, and nobody waits for a reply
        if body is None:
            message = f"the body is larger than {limit} bytes: send less"
            await reply(scope["path"], 413, "body_too_large", message)(scope, receive, send)
            return
        if data_limit is None and (reason := json_problem(body)) is not None:
            await reply(scope["path"], 400, "invalid_json", reason)(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)


async def reject_nul(request: Request) -> None:
    """A dependency of routes that store text. Raises ValueError for NUL, which PostgreSQL cannot store."""
    body = b"" if request.method in READ_METHODS else await request.body()
    if _NUL.search(body) or any("\0" in value for value in request.query_params.values()):
        raise ValueError("the request contains a NUL character (\\u0000), which cannot be stored: remove it")


def json_problem(body: bytes) -> str | None:
    """Why the JSON is rejected: not UTF-8, nested too deep, or half a surrogate pair; else None."""
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
            return "the JSON contains half of a surrogate pair, which is not a character: remove it"
        except ValueError:
            return None  # the route reports the syntax error
    return None


def depth(body: bytes) -> int:
    """The nesting depth of brackets outside strings, without parsing."""
    deepest = current = 0
    quoted = escaped = False
    for byte in body:
        if quoted:
            quoted = escaped or byte != _QUOTE
            escaped = byte == _BACKSLASH and not escaped
        elif byte == _QUOTE:
            quoted = True
        elif byte in _OPEN:
            current += 1
            deepest = max(deepest, current)
        elif byte in _CLOSE:
            current -= 1
    return deepest


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The whole body, or None if it exceeds the limit. Raises ClientDisconnect."""
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
    replayed = False

    async def replay() -> Message:
        nonlocal replayed
        if replayed:
            return await receive()
        replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
