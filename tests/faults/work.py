"""The work during which faults happen: a chat, an ingest, a learn run, a promotion and a night, over HTTP.

Each is done as a client would do it: what was refused is asked for again. What the service acknowledged
goes into the ledger.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

Json = dict[str, Any]
CHAT = ("understand", "route", "converse", "answer", "check", "consult", "reword", "apply_policy", "open_gap")
LEARN = (
    "attempt", "detect", "explore", "critique", "curriculum", "verify", "approve", "hand_over", "train",
    "worker plan", "worker measure base", "worker train", "worker measure adapter", "worker gate",
    "worker conclude", "promote", "ask_again", "report",
)  # fmt: skip
NIGHT = (
    "wait", "collect", "score", "revise", "archive", "consolidate", "topics", "golden", "surprise", "attack",
    "train", "deploy", "report",
)  # fmt: skip
STEPS: dict[str, tuple[str, ...]] = {
    "chat": (*CHAT, "remember"),
    "ingest": (
        "ingest read", "ingest add facts", "ingest add passages", "ingest remove passages",
        "ingest remove facts",
    ),
    "learn": LEARN,
    "promotion": ("promotion load", "promotion canary", "promotion alias", "promotion routes"),
    "night": NIGHT,
}  # fmt: skip
"""The steps of each kind of work, in their order."""
WORKER_STEPS = frozenset(step for step in LEARN if step.startswith("worker "))
RETRY_SECONDS = 0.2
POLL_SECONDS = 0.1
WHATS = (
    "a small green lamp for ships", "a tool that cuts dark bread", "a river of the far north",
    "a bird that sleeps on water", "a cloth that keeps out rain", "a clock that needs no weights",
)  # fmt: skip
SYLLABLES = ("zor", "ble", "quim", "tarn", "vel", "low", "mip", "dran")


class Refused(Exception):
    """The service did not do as asked within the limit."""


@dataclass(frozen=True)
class Acknowledged:
    """Something that the service said it has stored, and how to find it."""

    kind: str
    id: str
    details: Json = field(default_factory=dict)


@dataclass
class Client:
    """A client of the service that notes what was acknowledged."""

    http: httpx.AsyncClient
    ledger: list[Acknowledged] = field(default_factory=list)
    ended: dict[str, str] = field(default_factory=dict)
    """How each learn run and night ended, by id."""

    async def post(self, path: str, body: Json, **options: Any) -> Json:
        """The reply's body. Raises HTTPError if it was refused."""
        response = await self.http.post(path, json=body, **options)
        response.raise_for_status()
        return dict(response.json())

    async def get(self, path: str, **options: Any) -> Any:
        """The reply's body. Raises HTTPError if it was refused."""
        response = await self.http.get(path, **options)
        response.raise_for_status()
        return response.json()

    def note(self, kind: str, id: str, **details: Any) -> None:
        """Notes what was acknowledged."""
        self.ledger.append(Acknowledged(kind, id, details))


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[Client]:
    """A client of the service at the URL."""
    async with httpx.AsyncClient(base_url=url, timeout=20.0, trust_env=False) as http:
        yield Client(http)


async def insist(act: Callable[[], Awaitable[Any]], seconds: float) -> Any:
    """Acts until it is not refused as unavailable. Raises Refused after the limit or at any other refusal."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await act()
        except httpx.HTTPStatusError as error:
            if error.response.status_code < 500 or time.monotonic() > deadline:
                raise Refused(f"{error.response.status_code}: {error.response.text[:500]}") from error
        except httpx.HTTPError as error:
            if time.monotonic() > deadline:
                raise Refused(repr(error)) from error
        await asyncio.sleep(RETRY_SECONDS)


def word(number: int) -> str:
    """An invented word for each number."""
    made = ""
    while True:
        number, rest = divmod(number, len(SYLLABLES))
        made += SYLLABLES[rest]
        if not number:
            return made


def document(number: int) -> tuple[str, str]:
    """A title of invented words, and a document about it."""
    title = f"{word(number).capitalize()} Harbour"
    lines = [f"A {word(number * 8 + place)}er is {what}." for place, what in enumerate(WHATS)]
    return title, f"# {title}\n\n" + "\n\n".join(lines) + "\n"


async def ingest(client: Client, number: int, seconds: float, *, domain: str = "") -> tuple[str, str]:
    """Stores a document, by default in a domain of its own; returns its title and domain."""
    title, text = document(number)
    source, domain = f"harbour-{number}.md", domain or f"harbour-{number}"
    query = {"source": source, "title": title, "domain": domain}

    async def act() -> Json:
        response = await client.http.post(
            "/v1/documents", params=query, content=text.encode(), headers={"content-type": "text/markdown"}
        )
        response.raise_for_status()
        return dict(response.json())

    await insist(act, seconds)
    client.note("document", source, domain=domain, facts=len(WHATS))
    return title, domain


async def chat(client: Client, question: str, seconds: float, *, model: str = "nightschool") -> Json:
    """Asks, and gives feedback on the answer."""
    body = {"model": model, "messages": [{"role": "user", "content": question}]}
    reply: Json = await insist(lambda: client.post("/v1/chat/completions", body), seconds)
    client.note("interaction", reply["id"])
    if gap := (reply.get("nightschool") or {}).get("gap_id"):
        client.note("gap", gap)
    vote = {"interaction_id": reply["id"], "vote": "up"}
    await insist(lambda: client.post("/v1/feedback", vote), seconds)
    client.note("feedback", reply["id"])
    return reply


async def stream(client: Client, question: str, seconds: float) -> None:
    """Asks, and reads the answer as a stream; one that breaks off or ends in an error is asked for again."""
    body = {"model": "nightschool", "messages": [{"role": "user", "content": question}], "stream": True}

    async def act() -> None:
        id, finished = "", False
        async with client.http.stream("POST", "/v1/chat/completions", json=body) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if not line.startswith("data: "):
                    continue
                if line == "data: [DONE]":
                    finished = True
                    continue
                chunk = json.loads(line.removeprefix("data: "))
                if "error" in chunk:
                    raise httpx.ReadError(f"the stream ended in an error: {chunk['error']}")
                id = chunk["id"]
        if not finished:
            raise httpx.ReadError("the stream broke off")
        client.note("interaction", id)

    await insist(act, seconds)


async def converse(client: Client, question: str, seconds: float) -> None:
    """Asks on a new thread, in LangGraph's format."""
    thread = await insist(lambda: client.post("/threads", {}), seconds)
    client.note("thread", thread["thread_id"])
    body = {"assistant_id": "chat", "input": {"messages": [{"role": "user", "content": question}]}}

    async def act() -> Json:
        values = await client.post(f"/threads/{thread['thread_id']}/runs/wait", body)
        if "__error__" in values or len(values.get("messages", ())) < 2:
            raise httpx.ReadError(f"the run failed: {values}")
        return values

    # The run goes on after a crash, and the thread is busy until it ends.
    deadline = time.monotonic() + seconds
    while True:
        try:
            values = await insist(act, seconds)
            break
        except Refused as error:
            if not str(error).startswith("409") or time.monotonic() > deadline:
                raise
            await asyncio.sleep(RETRY_SECONDS)
    client.note("messages", thread["thread_id"], count=len(values["messages"]))


async def learn(client: Client, number: int, seconds: float) -> str:
    """Stores a document and learns it; returns how the run ended."""
    title, domain = await ingest(client, number, seconds)
    return await learn_topic(client, title, domain, seconds)


async def learn_topic(client: Client, title: str, domain: str, seconds: float) -> str:
    """Learns a topic; returns how the run ended."""
    started = await insist(lambda: client.post("/v1/learn", {"topic": title, "domain": domain}), seconds)
    client.note("learn run", started["run_id"])
    shown = await _ended(
        client,
        f"/v1/learn/{started['run_id']}",
        lambda run: run["status"] == "ended",
        started["run_id"],
        seconds,
    )
    return str((shown["outcome"] or {}).get("status"))


async def promotion(client: Client, domain: str, name: str, seconds: float) -> None:
    """Takes the domain's adapter out of service and makes it live again."""
    try:
        await insist(lambda: client.post("/v1/adapters/rollback", {"domain": domain}), seconds)
    except Refused as error:
        if not str(error).startswith("409"):  # an earlier attempt was carried out, though nobody was told
            raise
    await insist(lambda: client.post(f"/v1/adapters/{name}/promote", {}), seconds)
    client.note("promotion", name, domain=domain)


async def night(client: Client, domain: str, since: str, seconds: float) -> str:
    """Goes over the domain's day; returns how the night ended."""
    options = {
        "minimum_turns": 1, "minimum_examples": 1, "max_revisions": 2, "attempts": 1, "explore_gaps": 0,
        "quiet_requests": 1e6,
    }  # fmt: skip
    body = {"domain": domain, "since": since, "options": options}
    started = await insist(lambda: client.post("/v1/nights", body), seconds)
    client.note("night", started["id"])
    shown = await _ended(
        client,
        f"/v1/nights/{started['id']}",
        lambda night: night["ended_at"] is not None,
        started["id"],
        seconds,
    )
    return str(shown["status"])


async def _ended(client: Client, path: str, over: Callable[[Json], bool], id: str, seconds: float) -> Json:
    deadline = time.monotonic() + seconds
    while True:
        shown: Json = await insist(lambda: client.get(path), seconds)
        if over(shown):
            client.ended[id] = str(shown["status"])
            return shown
        if time.monotonic() > deadline:
            raise Refused(f"{path} did not end within {seconds:.0f} s: {json.dumps(shown)[:800]}")
        await asyncio.sleep(POLL_SECONDS)
