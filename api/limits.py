"""Request limits: the size of bodies, the nesting of their JSON, and what stores cannot hold."""

import asyncio
import json
import math
import re
from collections.abc import Callable

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import reply

READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing and have no body."""
JSON_BYTES = 1_000_000
BODY_SECONDS = 60.0
"""Time to send a body: a document of 5 MB at less than 1 Mbit/s."""
JSON_DEPTH = 32
"""More than any valid body needs, and far below what overflows a parser's stack."""
_LARGE = re.compile(rb"NaN|Infinity|[0-9.][eE]\+?[0-9]{2}|[0-9]{200}")
"""What a JSON number that is not finite contains: a constant, a large exponent, or very many digits."""
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_AS_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


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
            async with asyncio.timeout(BODY_SECONDS):
                body = await read_body(receive, limit)
        except ClientDisconnect:
            return  # the body is incomplete, and nobody waits for a reply
        except TimeoutError:
            message = f"the body did not arrive within {BODY_SECONDS:g} s: send it again"
            await reply(scope["path"], 408, "body_too_slow", message, close=True)(scope, receive, send)
            return
        if body is None:
            message = f"the body is larger than {limit} bytes: send less"
            await reply(scope["path"], 413, "body_too_large", message, close=True)(scope, receive, send)
            return
        if data_limit is None and (reason := json_problem(body)) is not None:
            await reply(scope["path"], 400, "invalid_json", reason)(scope, receive, send)
            return
        if data_limit is None and not all_finite(body):
            message = "the JSON contains NaN, Infinity or a number beyond 64 bits: send null, or text"
            await reply(scope["path"], 422, "invalid_value", message)(scope, receive, send)
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
    if b"\0" in body:  # parsers take such a body for UTF-16, which no check here reads
        return "the body contains a NUL byte: send JSON in UTF-8"
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


def all_finite(body: bytes) -> bool:
    """Whether no number in the JSON is NaN or infinite, such as 1e999, which no store can give back."""
    if not _LARGE.search(body):
        return True
    try:
        json.loads(body, parse_float=_finite, parse_int=str, parse_constant=_finite)
    except _NotFinite:
        return False
    except ValueError:
        return True  # the route reports the syntax error
    return True


class _NotFinite(Exception):
    """A number is not finite."""


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise _NotFinite
    return number


def depth(body: bytes) -> int:
    """The nesting depth of brackets outside strings, without parsing; more where brackets have no pair.

    No loop over bytes: that would keep all other requests waiting, for as long as a megabyte takes.
    """
    if (opened := body.count(b"[") + body.count(b"{")) <= 1:
        return opened
    brackets = _STRING.sub(b"", body).translate(_AS_SQUARE, _NO_BRACKETS)
    deepest = 0
    while deepest <= JSON_DEPTH and b"[]" in brackets:
        brackets = brackets.replace(b"[]", b"")  # the innermost ones
        deepest += 1
    return deepest + brackets.count(b"[")


async def read_body(receive: Receive, limit: int) -> bytes | None:
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
