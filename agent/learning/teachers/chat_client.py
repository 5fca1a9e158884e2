"""HTTP client for a teacher model at an OpenAI-compatible URL; falls back to simpler requests if refused."""

import asyncio
import json
import logging
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx
from pydantic import SecretStr

from agent.errors import TeacherError
from agent.learning.teachers.failures import NoReply
from agent.learning.teachers.reply import LONGEST_REPLY, too_long_reply
from agent.learning.teachers.request import REQUESTS, request_body

log = logging.getLogger(__name__)

LARGEST_BODY = 8 * LONGEST_REPLY
"""Most bytes of an HTTP body; JSON takes up to six per character."""
CONNECT_SECONDS = 10.0
PAUSES = (0.5, 1.0, 4.0)
"""Seconds before each retry of a busy or unreachable server."""
LONGEST_PAUSE = 60.0
"""Most seconds to wait for a busy server's Retry-After."""
BUSY = frozenset({408, 429, 500, 502, 503, 504})
REFUSED = frozenset({400, 422})
CHECK_URL = "check NIGHTSCHOOL_TEACHER_URL (it usually ends in /v1)"


class _Response(NamedTuple):
    status: int
    body: str
    retry_after: float


@dataclass
class ServerState:
    """What is known about the server during one call of `write`."""

    level: int = 0
    """Index into REQUESTS of the most demanding request that the server may accept."""
    answered: bool = False
    fatal: TeacherError | None = None
    """Why no request can succeed."""


class ChatClient:
    """A client for the model `name` at `url`, which includes `/v1`; `timeout` is in seconds per reply."""

    def __init__(
        self, url: str, name: str, *, key: SecretStr, timeout: float, client: httpx.AsyncClient
    ) -> None:
        self.name = name
        self._url = url.rstrip("/") + "/chat/completions"
        self._headers = {"Authorization": f"Bearer {key.get_secret_value() or 'none'}"}
        self._timeout = timeout
        self._client = client

    async def complete(self, messages: list[dict[str, str]], server: ServerState) -> tuple[str, str]:
        """The model's text and finish reason, with the most demanding request that the server accepts."""
        try:
            for level in range(server.level, len(REQUESTS)):
                response = await self._send(request_body(self.name, messages, level))
                if response.status not in REFUSED:
                    break
            text, finish = _content(response)
        except NoReply as failure:
            if failure.advice and not server.answered:
                server.fatal = TeacherError(
                    f"the teacher {self.name} {failure.reason}: {failure.detail}; {failure.advice}"
                )
                raise server.fatal from failure
            raise
        if level > server.level and not server.answered:
            refused, accepted = REQUESTS[server.level][0], REQUESTS[level][0]
            log.warning("the teacher %s refuses %s; using %s instead", self.name, refused, accepted)
            server.level = level
        server.answered = True
        return text, finish

    async def _send(self, request: dict[str, Any]) -> _Response:
        """Posts the request, with retries while the server is busy or unreachable."""
        for pause in (*PAUSES, None):
            try:
                async with asyncio.timeout(self._timeout):
                    response = await self._post(request)
            except httpx.ConnectTimeout as error:
                raise NoReply("could not be reached", "no connection in time", CHECK_URL) from error
            except (TimeoutError, httpx.TimeoutException) as error:
                raise NoReply("timed out", f"no reply within {self._timeout:g} seconds") from error
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if pause is None:
                    detail = str(error) or type(error).__name__
                    raise NoReply("could not be reached", detail, CHECK_URL) from error
                await asyncio.sleep(pause)
            else:
                if response.status not in BUSY or pause is None:
                    break
                await asyncio.sleep(max(pause, response.retry_after))
        return response

    async def _post(self, request: dict[str, Any]) -> _Response:
        timeout = httpx.Timeout(self._timeout, connect=min(CONNECT_SECONDS, self._timeout / 2))
        async with self._client.stream(
            "POST", self._url, json=request, headers=self._headers, timeout=timeout
        ) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > LARGEST_BODY:
                    raise too_long_reply()
            return _Response(response.status_code, body.decode("utf-8", "replace"), _retry_after(response))


def _retry_after(response: httpx.Response) -> float:
    try:
        return min(max(float(response.headers.get("retry-after", 0)), 0.0), LONGEST_PAUSE)
    except ValueError:  # a date, or invalid
        return 0.0


def _content(response: _Response) -> tuple[str, str]:
    """The text and finish reason of a chat completion. Raises NoReply if the response is not one."""
    detail = " ".join(response.body[:300].split())
    if response.status in (401, 403):
        raise NoReply("refused the key", detail, "check NIGHTSCHOOL_TEACHER_KEY")
    if response.status == 404:
        raise NoReply("has no such model", detail, f"{CHECK_URL} and NIGHTSCHOOL_TEACHER_MODEL")
    if response.status == 429:
        raise NoReply("was too busy", detail)
    if response.status != 200:
        raise NoReply(f"answered HTTP {response.status}", detail)
    try:
        choice = json.loads(response.body)["choices"][0]
        text, finish = choice["message"].get("content"), choice.get("finish_reason")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise NoReply("answered with no chat completion", detail, CHECK_URL) from error
    return text if isinstance(text, str) else "", str(finish)
