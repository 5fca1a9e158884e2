"""HTTP client for the commands: requests, errors, and the event stream of a run."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from api.error_message import error_code, error_message

REPLY_SECONDS = 120.0
STREAM_SECONDS = 60.0
"""Longer than the service's heartbeat, which comes every 15 s."""
BROKEN_OFF = 503
"""Status of an error that came after the beginning of a streamed answer."""
RECONNECTS = 20
PAGE = 1000
"""Entries of a list that are asked for at a time."""
PAUSE_SECONDS = 1.5


class Unreachable(Exception):
    """The service does not answer."""


class Refused(Exception):
    """The service answered with an error."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Client:
    """A connection to the api at one URL."""

    def __init__(self, url: str, http: httpx.Client) -> None:
        self._url = url
        self._http = http

    def get(self, path: str, **query: str | int | None) -> Any:
        """The reply's JSON. Raises Unreachable, Refused."""
        return self._request("GET", path, params=_without_none(query))

    def entries(self, path: str, id: str, **query: str | int | None) -> list[Any]:
        """All entries of a list that comes in pages; `id` is their field that `after` takes.

        Raises Unreachable, Refused.
        """
        found: list[Any] = []
        while True:
            after = found[-1][id] if found else None
            page = self.get(path, **query, after=after, limit=PAGE)
            found += page
            if len(page) < PAGE:
                return found

    def sources(self, domain: str | None) -> Iterator[str]:
        """Names of the stored documents, read a page at a time. Raises Unreachable, Refused."""
        after = ""
        while page := self.get("/v1/documents", domain=domain, after=after)["sources"]:
            yield from page
            after = page[-1]

    def post(self, path: str, body: dict[str, Any] | None = None, *, seconds: float = REPLY_SECONDS) -> Any:
        """The reply's JSON; waits `seconds` for it. Raises Unreachable, Refused."""
        if body is None:
            return self._request("POST", path, seconds)
        headers = {"Content-Type": "application/json"}  # also for NaN, which the service refuses by name
        return self._request("POST", path, seconds, content=json.dumps(body), headers=headers)

    def put(self, path: str, body: dict[str, Any]) -> Any:
        """The reply's JSON. Raises Unreachable, Refused."""
        return self._request("PUT", path, json=body)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        """The reply's JSON. Raises Unreachable, Refused."""
        return self._request("PATCH", path, json=body)

    def delete(self, path: str, **query: str | int | None) -> Any:
        """The reply's JSON; None without a body. Raises Unreachable, Refused."""
        return self._request("DELETE", path, params=_without_none(query))

    def download(self, path: str, **query: str | int | None) -> bytes:
        """The reply's body as it is. Raises Unreachable, Refused."""
        return self._reply("GET", path, params=_without_none(query)).content

    def upload(
        self,
        path: str,
        data: bytes,
        media_type: str,
        query: Mapping[str, str] | None = None,
        *,
        seconds: float = REPLY_SECONDS,
    ) -> Any:
        """Sends bytes as they are; waits `seconds` for the reply's JSON. Raises Unreachable, Refused."""
        headers = {"Content-Type": media_type}
        return self._request("POST", path, seconds, content=data, params=query, headers=headers)

    def readiness(self) -> Any:
        """What `/readyz` says, also where it says that the service is not ready. Raises Unreachable."""
        try:
            return self._http.get("/readyz").json()
        except (httpx.TransportError, ValueError) as error:
            raise self._unreachable() from error

    def follow(self, run_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """A run's events as (name, data), reconnecting where a stream breaks; ends with `end` or `waiting`.

        Raises Unreachable once the service has been away for half a minute, Refused for an unknown run.
        """
        last, failures = "", 0
        while True:
            try:
                for name, number, data in self._stream(f"/v1/learn/{run_id}/events", last):
                    last, failures = number or last, 0
                    yield name, data
                    if name in ("end", "waiting"):
                        return
            except httpx.TransportError as error:
                if failures == RECONNECTS:
                    raise self._unreachable() from error
            failures += 1
            time.sleep(PAUSE_SECONDS)

    def lines(self, path: str, **query: str | int | None) -> Iterator[str]:
        """The lines of a reply, as they come. Raises Refused, and Unreachable also where it breaks off."""
        try:
            with self._http.stream(
                "GET", path, params=_without_none(query), timeout=STREAM_SECONDS
            ) as response:
                if response.is_error:
                    response.read()
                    raise _refused(response)
                # Not iter_lines, which also splits at characters that JSON leaves in texts.
                rest = ""
                for text in response.iter_text():
                    *whole, rest = (rest + text).split("\n")
                    yield from whole
        except httpx.TransportError as error:
            raise self._unreachable() from error

    def chat(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The chunks of a streamed answer. Raises Refused, and Unreachable also where it breaks off."""
        request = {**body, "stream": True}
        try:
            for _, _, data in self._sent_events("POST", "/v1/chat/completions", REPLY_SECONDS, json=request):
                if data == "[DONE]":
                    return
                chunk: dict[str, Any] = json.loads(data)
                if "error" in chunk:
                    raise Refused(BROKEN_OFF, str(chunk["error"]["message"]))
                yield chunk
        except httpx.TransportError as error:
            raise self._unreachable() from error

    def _stream(self, path: str, last: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        headers = {"Last-Event-ID": last} if last else {}
        for name, number, data in self._sent_events("GET", path, STREAM_SECONDS, headers=headers):
            yield name, number, json.loads(data)

    def _sent_events(
        self, method: str, path: str, seconds: float, **request: Any
    ) -> Iterator[tuple[str, str, str]]:
        with self._http.stream(method, path, timeout=seconds, **request) as response:
            if response.is_error:
                response.read()
                raise _refused(response)
            name = number = data = ""
            for line in response.iter_lines():
                field, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if field == "event":
                    name = value
                elif field == "id":
                    number = value
                elif field == "data":
                    data += value
                elif not line and data:
                    yield name, number, data
                    name = number = data = ""

    def _request(self, method: str, path: str, seconds: float = REPLY_SECONDS, **request: Any) -> Any:
        response = self._reply(method, path, seconds, **request)
        try:
            return response.json() if response.content else None
        except ValueError as error:
            problem = f"{response.url} is something else: check the id, and that the service is Nightschool"
            raise Refused(response.status_code, problem) from error

    def _reply(
        self, method: str, path: str, seconds: float = REPLY_SECONDS, **request: Any
    ) -> httpx.Response:
        timeout = httpx.Timeout(REPLY_SECONDS, read=seconds)
        try:
            response = self._http.request(method, path, timeout=timeout, **request)
        except httpx.ReadTimeout as error:
            reason = f"no answer from {self._url} within {seconds:.0f} s: see the service's log"
            raise Unreachable(reason) from error
        except httpx.TransportError as error:
            raise self._unreachable() from error
        if response.is_error:
            raise _refused(response)
        return response

    def _unreachable(self) -> Unreachable:
        return Unreachable(f"the service does not answer at {self._url}: start it with `nightschool up`")


@contextmanager
def connect(url: str, key: str | None) -> Iterator[Client]:
    """A client of the api at `url`, closed on exit."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=url, headers=headers, timeout=REPLY_SECONDS, trust_env=False) as http:
        yield Client(url, http)


def _refused(response: httpx.Response) -> Refused:
    return Refused(response.status_code, error_message(response), error_code(response))


def _without_none(query: dict[str, str | int | None]) -> dict[str, str | int]:
    return {key: value for key, value in query.items() if value is not None}
