"""Error replies: one table from exception to status, in OpenAI's JSON shape and in LangGraph's.

Explains nothing itself: the message is the one that was raised, which says what to do next.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from agent.errors import (
    AdapterNotLoaded,
    AdapterRefused,
    AgentError,
    CanaryFailed,
    EngineUnavailable,
    NotTeachable,
    PromptTooLong,
    TeacherError,
)
from memory.errors import (
    AdapterNotServable,
    AlreadyExists,
    CorruptRecord,
    IngestError,
    StorageError,
    StoreUnavailable,
    ThreadBusy,
    UnknownAdapter,
    UnknownAssistant,
    UnknownCheckpoint,
    UnknownCron,
    UnknownGap,
    UnknownRun,
    UnknownThread,
)

log = logging.getLogger(__name__)


_ALTERNATIVE = re.compile(
    r"(?:constrained-)?(?:str|int|float|bool)|(?:list|dict|nullable|function-\w+)\[.*\]"
)
"""What pydantic calls the alternatives of a field of several types."""


class Unauthorized(Exception):
    """The request carries no key that works."""


class Forbidden(Exception):
    """The key does not cover what was asked for."""


STATUS: Mapping[type[Exception], tuple[int, str]] = {
    PromptTooLong: (400, "context_length_exceeded"),
    ValueError: (400, "invalid_value"),
    Unauthorized: (401, "invalid_api_key"),
    Forbidden: (403, "insufficient_scope"),
    UnknownAdapter: (404, "model_not_found"),
    UnknownRun: (404, "run_not_found"),
    UnknownGap: (404, "gap_not_found"),
    UnknownAssistant: (404, "assistant_not_found"),
    UnknownThread: (404, "thread_not_found"),
    UnknownCron: (404, "cron_not_found"),
    UnknownCheckpoint: (404, "checkpoint_not_found"),
    AlreadyExists: (409, "already_exists"),
    ThreadBusy: (409, "thread_busy"),
    NotTeachable: (409, "model_not_teachable"),
    AdapterNotServable: (409, "adapter_not_servable"),
    AdapterRefused: (409, "adapter_refused"),
    CanaryFailed: (409, "canary_failed"),
    IngestError: (422, "document_not_readable"),
    TeacherError: (502, "teacher_failed"),
    EngineUnavailable: (503, "engine_unavailable"),
    AdapterNotLoaded: (503, "adapter_not_loaded"),
    StoreUnavailable: (503, "store_unavailable"),
    CorruptRecord: (500, "corrupt_record"),
    AgentError: (500, "internal_error"),
    StorageError: (500, "internal_error"),
}
"""The most specific class of an exception that stands here decides."""
FAULTS = (ValidationError, UnicodeError)
"""Kinds of ValueError that no caller can cause: requests are validated before they reach our code."""

LANGGRAPH = ("/threads", "/runs", "/assistants", "/store", "/info", "/ok")
"""Paths whose errors have LangGraph's shape, in which a caller's mistake is always a 422."""
HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "2"}}
CLIENT_GONE = 499
"""Read by nobody but the access log."""


class ErrorBody(BaseModel):
    """What went wrong; OpenAI's own clients read these fields."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorReply(BaseModel):
    """The body of every reply with a status of 400 or more."""

    error: ErrorBody


class Detail(BaseModel):
    """What went wrong, where LangGraph's own clients look for it."""

    detail: str


def refusals(*statuses: int) -> dict[int | str, dict[str, object]]:
    """OpenAPI entries for the error statuses that a route may answer with."""
    return {status: {"model": ErrorReply} for status in statuses}


def details(*statuses: int) -> dict[int | str, dict[str, object]]:
    """The same for routes of LangGraph's surface."""
    return {status: {"model": Detail} for status in statuses}


def reply(path: str, status: int, code: str, message: str, param: str | None = None) -> JSONResponse:
    """An error reply in the shape that clients of the path expect."""
    headers = HEADERS.get(status)
    told = Detail(detail=message) if path.startswith(LANGGRAPH) else _body(status, code, message, param)
    return JSONResponse(told.model_dump(), status_code=status, headers=headers)


def explain(error: Exception) -> tuple[int, ErrorReply]:
    """The status and the body that stand for an error whose class, or an ancestor of it, is in STATUS."""
    status, code = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    return status, _body(status, code, str(error))


def install(app: FastAPI) -> None:
    """Makes the app answer every error in this shape."""
    for kind in STATUS:
        app.add_exception_handler(kind, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)
    for fault in (*FAULTS, Exception):
        app.add_exception_handler(fault, _unforeseen)


def mistake(errors: Sequence[Any]) -> tuple[str, str]:
    """Where pydantic finds fault and why: of alternatives that all failed, the one that was read farthest."""
    first = errors[0]
    alternatives = [error for error in errors if _path(error)[: len(_path(first))] == _path(first)]
    deepest = max(alternatives, key=lambda error: len(_path(error)))
    return ".".join(_path(deepest)), str(deepest["msg"]).removeprefix("Value error, ")


def _path(error: Any) -> list[str]:
    """Where the fault lies, without the body and the names that pydantic gives to alternatives."""
    return [str(part) for part in error["loc"] if part != "body" and not _ALTERNATIVE.fullmatch(str(part))]


async def _ours(request: Request, error: Exception) -> JSONResponse:
    status, told = explain(error)
    if status >= 500:
        log.warning("%s %s: %s", request.method, request.url.path, error)
    if told.error.code == "invalid_value" and request.url.path.startswith(LANGGRAPH):
        status = 422
    return reply(request.url.path, status, str(told.error.code), told.error.message)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first, *_ = found = error.errors()
    if first["type"] == "json_invalid":
        reason = first.get("ctx", {}).get("error", "it cannot be parsed")
        return reply(request.url.path, 400, "invalid_json", f"the body is not JSON: {reason}")
    place, reason = mistake(found)
    message = f"{place or 'body'}: {reason}"
    return reply(request.url.path, 422, "invalid_value", message, param=place or None)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
    return reply(request.url.path, error.status_code, code, str(error.detail))


async def _gone(request: Request, _: Exception) -> Response:
    log.info("%s %s: the client went away", request.method, request.url.path)
    return Response(status_code=CLIENT_GONE)


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return reply(request.url.path, 500, "internal_error", "a fault in the service: its log has the details")


def _body(status: int, code: str, message: str, param: str | None = None) -> ErrorReply:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return ErrorReply(error=ErrorBody(message=message, type=kind, param=param, code=code))
