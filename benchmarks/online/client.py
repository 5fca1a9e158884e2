"""The routes of the service that the simulated month uses; it reaches the service in no other way."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx

from memory.records.base import Record

Json = dict[str, Any]
REPLY_SECONDS = 1200.0
"""A sample asks the model for every item, on a CPU."""
POLL_SECONDS = 2.0
UNAVAILABLE = 503
RETRY_AFTER = (1.0, 5.0)
"""Seconds to wait before each further attempt."""


class Refused(RuntimeError):
    """The service answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Answer(Record):
    """One answer as a client sees it."""

    id: str
    text: str
    citations: int
    adapter: str | None
    outcome: str


class Client:
    """An async client of the api."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def chat(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        user: str | None = None,
        model: str = "auto",
        temperature: float | None = None,
        seed: int | None = None,
        max_tokens: int | None = None,
    ) -> Answer:
        """One chat turn. An unsure model answers all the same: its users want an answer."""
        body: Json = {
            "model": model,
            "messages": list(messages),
            "user": user,
            "temperature": temperature,
            "seed": seed,
            "max_tokens": max_tokens,
            "nightschool": {"unsure": "answer"},
        }
        reply = await self.post(
            "/v1/chat/completions", {key: value for key, value in body.items() if value is not None}
        )
        ours = reply["nightschool"]
        return Answer(
            id=reply["id"],
            text=reply["choices"][0]["message"]["content"] or "",
            citations=len(ours["citations"]),
            adapter=ours["adapter"],
            outcome=ours["outcome"],
        )

    async def feedback(self, interaction: str, fields: Mapping[str, Any]) -> None:
        """Sends feedback on an interaction, by the id of its completion."""
        await self.post("/v1/feedback", {"interaction_id": interaction, **fields})

    async def get(self, path: str, **query: Any) -> Any:
        """The reply's JSON; query parameters that are None are left out. Raises Refused."""
        return await self.request(
            "GET", path, params={key: value for key, value in query.items() if value is not None}
        )

    async def post(self, path: str, body: Json | None = None) -> Any:
        """The reply's JSON. Raises Refused."""
        return await self.request("POST", path, json=body)

    async def request(self, method: str, path: str, **parts: Any) -> Any:
        """The reply's JSON, or None for an empty reply. Raises Refused.

        Tries again where the service is not available for a moment, as OpenAI's clients do.
        """
        response = await self._http.request(method, path, **parts)
        for seconds in RETRY_AFTER:
            if response.status_code != UNAVAILABLE:
                break
            await asyncio.sleep(seconds)
            response = await self._http.request(method, path, **parts)
        if response.is_error:
            raise Refused(response.status_code, f"{method} {path}: {response.text[:500]}")
        return response.json() if response.content else None


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Client]:
    """A client of the api at the URL."""
    limits = httpx.Limits(max_connections=64)
    async with httpx.AsyncClient(base_url=url, timeout=REPLY_SECONDS, trust_env=False, limits=limits) as http:
        yield Client(http)


def user_message(text: str) -> dict[str, str]:
    """A message of the user."""
    return {"role": "user", "content": text}


def now() -> str:
    """This moment as a query parameter: the mark between two weeks."""
    return datetime.now(UTC).isoformat()


async def pause(seconds: float = POLL_SECONDS) -> None:
    """Waits before a status is asked again."""
    await asyncio.sleep(seconds)
