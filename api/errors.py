"""Error replies: the status and code of each exception, and the JSON in OpenAI's or LangGraph's format.

The message is that of the exception, except for failures of the service, of which only admins get it.
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
    BadModelCard,
    CanaryFailed,
    EngineUnavailable,
    ModelRefused,
    ModelTaskRunning,
    NoModelCard,
    NotTeachable,
    PromptTooLong,
    TeacherError,
    UnknownModel,
)
from agent.logs import REQUEST_ID
from api.rate_limits import RateLimited
from memory.errors import (
    AdapterNotServable,
    AdminsOnly,
    AlreadyExists,
    AnnotationItemTaken,
    CorruptRecord,
    DomainClosed,
    IngestError,
    NotApproved,
    NothingToRead,
    OwnApproval,
    PerspectiveTaken,
    QuotaReached,
    StorageError,
    StoreUnavailable,
    ThreadBusy,
    UnknownAdapter,
    UnknownAnnotationItem,
    UnknownAssistant,
    UnknownCheckpoint,
    UnknownCron,
    UnknownDocument,
    UnknownExperiment,
    UnknownGap,
    UnknownGolden,
    UnknownGrant,
    UnknownInteraction,
    UnknownNight,
    UnknownPerspective,
    UnknownRevision,
    UnknownRun,
    UnknownSentence,
    UnknownThread,
)

log = logging.getLogger(__name__)


_ALTERNATIVE = re.compile(
    r"(?:constrained-)?(?:str|int|float|bool)|(?:list|dict|nullable|function-\w+)\[.*\]"
)
"""Pydantic's names for the alternatives of a union type."""


class Unauthorized(Exception):
    """The request has no valid key."""


class Forbidden(Exception):
    """The key lacks the required scope."""


STATUS: Mapping[type[Exception], tuple[int, str]] = {
    PromptTooLong: (400, "context_length_exceeded"),
    ValueError: (400, "invalid_value"),
    Unauthorized: (401, "invalid_api_key"),
    RateLimited: (429, "rate_limit_exceeded"),
    QuotaReached: (429, "quota_reached"),
    Forbidden: (403, "insufficient_scope"),
    UnknownAdapter: (404, "model_not_found"),
    UnknownRun: (404, "run_not_found"),
    UnknownGap: (404, "gap_not_found"),
    UnknownInteraction: (404, "interaction_not_found"),
    UnknownExperiment: (404, "experiment_not_found"),
    UnknownAnnotationItem: (404, "annotation_item_not_found"),
    UnknownAssistant: (404, "assistant_not_found"),
    UnknownThread: (404, "thread_not_found"),
    UnknownCron: (404, "cron_not_found"),
    UnknownGrant: (404, "grant_not_found"),
    UnknownSentence: (404, "sentence_not_found"),
    PerspectiveTaken: (409, "perspective_taken"),
    UnknownDocument: (404, "document_not_found"),
    UnknownPerspective: (404, "perspective_not_found"),
    DomainClosed: (403, "domain_closed"),
    AdminsOnly: (403, "insufficient_scope"),
    UnknownNight: (404, "night_not_found"),
    UnknownRevision: (404, "revision_not_found"),
    UnknownGolden: (404, "golden_pair_not_found"),
    UnknownCheckpoint: (404, "checkpoint_not_found"),
    AlreadyExists: (409, "already_exists"),
    AnnotationItemTaken: (409, "annotation_item_taken"),
    ThreadBusy: (409, "thread_busy"),
    NotTeachable: (409, "model_not_teachable"),
    ModelTaskRunning: (409, "model_task_running"),
    NoModelCard: (409, "model_not_studied"),
    BadModelCard: (409, "model_not_studied"),
    ModelRefused: (422, "model_refused"),
    UnknownModel: (404, "base_model_not_found"),
    OwnApproval: (403, "own_approval"),
    NotApproved: (409, "not_approved"),
    AdapterNotServable: (409, "adapter_not_servable"),
    AdapterRefused: (409, "adapter_refused"),
    CanaryFailed: (409, "canary_failed"),
    IngestError: (422, "document_not_readable"),
    NothingToRead: (422, "nothing_to_read"),
    TeacherError: (502, "teacher_failed"),
    EngineUnavailable: (503, "engine_unavailable"),
    AdapterNotLoaded: (503, "adapter_not_loaded"),
    StoreUnavailable: (503, "store_unavailable"),
    CorruptRecord: (500, "corrupt_record"),
    AgentError: (500, "internal_error"),
    StorageError: (500, "internal_error"),
}
"""Status and code by exception class; the most specific class that is listed applies."""
BUGS = (ValidationError, UnicodeError)
"""Kinds of ValueError that callers cannot cause, because requests are validated before."""

PUBLIC: Mapping[str, str] = {
    "teacher_failed": "the teacher failed",
    "engine_unavailable": "the engine is not available",
    "adapter_not_loaded": "the adapter is not loaded in the engine",
    "store_unavailable": "{part} is not available",
    "corrupt_record": "something that was stored cannot be read",
    "internal_error": "the service failed",
}
"""What anybody is told of the service's own failures, by code: their messages name paths and addresses, which
only admins and the log get."""

LANGGRAPH = ("/threads", "/runs", "/assistants", "/store", "/info", "/ok")
"""Paths whose errors are in LangGraph's format, where a caller's mistake is always a 422."""
HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "2"}}
CLIENT_GONE = 499
"""Status for the access log; the client has gone."""


class ErrorBody(BaseModel):
    """An error in OpenAI's format."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorReply(BaseModel):
    """The body of error replies in OpenAI's format."""

    error: ErrorBody


class Detail(BaseModel):
    """The body of error replies in LangGraph's format."""

    detail: str


def openai_errors(*statuses: int) -> dict[int | str, dict[str, object]]:
    """OpenAPI entries for a route's error statuses, in OpenAI's format."""
    return {status: {"model": ErrorReply} for status in statuses}


def langgraph_errors(*statuses: int) -> dict[int | str, dict[str, object]]:
    """OpenAPI entries for a route's error statuses, in LangGraph's format."""
    return {status: {"model": Detail} for status in statuses}


def reply(
    path: str,
    status: int,
    code: str,
    message: str,
    param: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    close: bool = False,
) -> JSONResponse:
    """An error reply in the format of the path; `close` ends the connection, of which more may arrive."""
    headers = {**HEADERS.get(status, {}), **(headers or {}), **({"Connection": "close"} if close else {})}
    body = Detail(detail=message) if path.startswith(LANGGRAPH) else _body(status, code, message, param)
    return JSONResponse(body.model_dump(), status_code=status, headers=headers)


def reply_to(path: str, error: Exception, *, detailed: bool = False, close: bool = False) -> JSONResponse:
    """The reply to an error whose class, or one of its base classes, is in STATUS; see `error_reply`."""
    status, body = error_reply(error, detailed=detailed)
    if body.error.code == "invalid_value" and path.startswith(LANGGRAPH):
        status = 422
    headers = error.headers if isinstance(error, RateLimited) else None
    return reply(path, status, str(body.error.code), body.error.message, headers=headers, close=close)


def error_reply(error: Exception, *, detailed: bool = False) -> tuple[int, ErrorReply]:
    """The status and body for an error whose class, or one of its base classes, is in STATUS.

    Of a failure of the service only a `detailed` body has the message; others say which part failed.
    """
    status, code = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    if status < 500 or detailed:
        return status, _body(status, code, str(error))
    what = PUBLIC[code].format(part=getattr(error, "part", "a store"))
    return status, _body(status, code, f"{what}: try again later; the service's log says more, and to admins")


def stream_error(error: Exception) -> ErrorReply:
    """The body of the event that ends a stream; the error is logged."""
    log.warning("a stream ended: %s", error)
    return error_reply(error)[1]


def shows_details(request: Request) -> bool:
    """Whether the caller may read what failed in the service: an admin, or where authentication is off."""
    caller = getattr(request.state, "caller", None)
    return caller is not None and caller.owner is None


def add_handlers(app: FastAPI) -> None:
    """Adds handlers for all errors to the app."""
    for kind in STATUS:
        app.add_exception_handler(kind, _handle_listed)
    app.add_exception_handler(RequestValidationError, _handle_invalid)
    app.add_exception_handler(HTTPException, _handle_http)
    app.add_exception_handler(ClientDisconnect, _handle_disconnect)
    for kind in (*BUGS, Exception):
        app.add_exception_handler(kind, _handle_bug)


def first_problem(errors: Sequence[Any]) -> tuple[str, str]:
    """The field and message of pydantic's first error; of failed alternatives, that of the deepest field."""
    first = errors[0]
    alternatives = [error for error in errors if _path(error)[: len(_path(first))] == _path(first)]
    deepest = max(alternatives, key=lambda error: len(_path(error)))
    return ".".join(_path(deepest)), str(deepest["msg"]).removeprefix("Value error, ")


def _path(error: Any) -> list[str]:
    """The field's path, without `body` and pydantic's names for alternatives."""
    return [str(part) for part in error["loc"] if part != "body" and not _ALTERNATIVE.fullmatch(str(part))]


async def _handle_listed(request: Request, error: Exception) -> JSONResponse:
    response = reply_to(request.url.path, error, detailed=shows_details(request))
    if response.status_code >= 500:
        log.warning("%s %s: %s", request.method, request.url.path, error)
    return response


async def _handle_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = error.errors()
    first = errors[0]
    if first["type"] == "json_invalid":
        reason = first.get("ctx", {}).get("error", "it cannot be parsed")
        return reply(request.url.path, 400, "invalid_json", f"the body is not JSON: {reason}")
    field, reason = first_problem(errors)
    message = f"{field or 'body'}: {reason}"
    return reply(request.url.path, 422, "invalid_value", message, param=field or None)


async def _handle_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
    return reply(request.url.path, error.status_code, code, str(error.detail))


async def _handle_disconnect(request: Request, _: Exception) -> Response:
    log.info("%s %s: the client disconnected", request.method, request.url.path)
    return Response(status_code=CLIENT_GONE)


async def _handle_bug(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    message = "a bug in the service: see its log for details"
    headers = {"x-request-id": request_id} if (request_id := REQUEST_ID.get()) else {}
    return reply(request.url.path, 500, "internal_error", message, headers=headers)


def _body(status: int, code: str, message: str, param: str | None = None) -> ErrorReply:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return ErrorReply(error=ErrorBody(message=message, type=kind, param=param, code=code))
