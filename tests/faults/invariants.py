"""What must hold after every fault, and the checks of it: each looks from outside, at files and replies.

A check returns what it found wrong. `test_invariants` plants a violation of each, so that a check which finds
nothing is known to look.
"""

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
import redis.asyncio

from agent.engines.adapter_files import digest_of_files, inspect_adapter
from agent.errors import AdapterRefused
from memory.adapters.mlflow import DATABASE
from memory.errors import StorageError
from memory.outbox import files as outbox
from memory.records.curricula import Curriculum
from memory.records.feedback import PreferenceSet
from tests.faults.work import Acknowledged, Client

Invariant = Literal["acknowledged", "once", "gated", "whole", "ends", "ready"]
SENTENCES: dict[Invariant, str] = {
    "acknowledged": "Whatever was answered with success is readable afterwards.",
    "once": "No curriculum has two adapters that passed.",
    "gated": "An alias points at an adapter that passed its gates, at every moment.",
    "whole": "Every registered adapter, every adapter in the engine and every file in the outbox is whole.",
    "ends": "Every process starts again, and every request, run and night comes to its end in time.",
    "ready": "/readyz is not 200 while a part is down, and is 200 again once it is back.",
}
PASSED = frozenset({"candidate", "live", "retired"})


@dataclass(frozen=True)
class Violation:
    """An invariant that did not hold."""

    invariant: Invariant
    text: str


@dataclass(frozen=True)
class Registered:
    """An adapter's row in the registry."""

    name: str
    domain: str
    status: str
    curriculum: str
    folder: Path


def registered(home: Path) -> list[Registered]:
    """The adapters in the registry's database. Raises sqlite3.OperationalError without one."""
    return [
        Registered(tags["adapter"], domain, tags["status"], tags.get("curriculum", ""), Path(folder))
        for domain, _, folder, tags in _versions(home)
    ]


def aliases(home: Path) -> list[tuple[str, str | None, str]]:
    """Domain, adapter and status behind each alias that is set now."""
    versions = {(domain, version): tags for domain, version, _, tags in _versions(home)}
    rows = _query(home, "SELECT name, version FROM registered_model_aliases WHERE alias LIKE 'live-%'")
    found = [(str(domain), versions.get((str(domain), str(version)), {})) for domain, version in rows]
    return [(domain, tags.get("adapter"), tags.get("status", "missing")) for domain, tags in found]


def ungated(observed: Iterable[tuple[str, str | None, str]]) -> list[Violation]:
    """Aliases that point at what did not pass."""
    return [
        Violation("gated", f"{domain} is served by {adapter}, whose status is {status}")
        for domain, adapter, status in sorted(set(observed), key=str)
        if status not in PASSED
    ]


def trained_twice(adapters: Sequence[Registered]) -> list[Violation]:
    """Curricula with several adapters that passed."""
    passed = Counter(each.curriculum for each in adapters if each.status in PASSED and each.curriculum)
    names = Counter(each.name for each in adapters)
    return [
        Violation("once", f"curriculum {digest[:12]} was trained {count} times")
        for digest, count in passed.items()
        if count > 1
    ] + [Violation("once", f"{name} is registered twice") for name, count in names.items() if count > 1]


def damaged(home: Path, adapters: Sequence[Registered], served: Collection[str]) -> list[Violation]:
    """Adapters and outbox files that are not whole, and adapters in the engine that are not registered."""
    found: list[Violation] = []
    for each in adapters:
        record = each.folder / "adapter.json"
        try:
            inspect_adapter(each.folder)
            evaluated = json.loads(record.read_bytes())["files"]
            if evaluated is not None and digest_of_files(each.folder) != evaluated:
                found.append(
                    Violation("whole", f"the files of {each.name} are not those that were evaluated")
                )
        except (AdapterRefused, OSError, ValueError, KeyError) as error:
            found.append(Violation("whole", f"{each.name} is registered and not whole: {error}"))
    known = {each.name for each in adapters}
    found += [Violation("whole", f"the engine serves {name}, unregistered") for name in set(served) - known]
    for file in sorted((home / "outbox").glob("*.json")):
        digest, _, kind = file.name.removesuffix(".json").partition(".")
        if len(digest) != hashlib.sha256().digest_size * 2 or kind not in ("", "preferences"):
            continue
        try:
            outbox.read(home / "outbox", digest, PreferenceSet if kind else Curriculum)
        except (StorageError, ValueError) as error:
            found.append(Violation("whole", f"{file.name} in the outbox: {error}"))
    return found


async def lost(client: Client, graph: str | None) -> list[Violation]:
    """What the ledger has and the service does not; `graph` is the address of the graph store, for facts."""
    found = [
        Violation("acknowledged", f"{each.kind} {each.id}: {problem}")
        for each in client.ledger
        if (problem := await _problem(client, each)) is not None
    ]
    facts = {each.id: int(each.details["facts"]) for each in client.ledger if each.kind == "document"}
    if graph is not None and facts:
        counts = await _facts(graph)
        found += [
            Violation("acknowledged", f"document {source}: {counts.get(source, 0)} of {least} facts")
            for source, least in facts.items()
            if counts.get(source, 0) < least
        ]
    return found


async def _problem(client: Client, each: Acknowledged) -> str | None:
    """Why the acknowledged thing cannot be read; None if it can."""
    paths = {
        "interaction": f"/v1/interactions/{each.id}",
        "feedback": f"/v1/interactions/{each.id}",
        "gap": f"/v1/gaps/{each.id}",
        "document": "/v1/documents",
        "thread": f"/threads/{each.id}",
        "messages": f"/threads/{each.id}/state",
        "learn run": f"/v1/learn/{each.id}",
        "night": f"/v1/nights/{each.id}",
        "promotion": f"/v1/adapters/{each.id}",
    }
    try:
        body = await client.get(paths[each.kind])
    except httpx.HTTPError as error:
        return repr(error)
    match each.kind:
        case "feedback" if not body.get("feedback"):
            return "it has no feedback"
        case "document" if each.id not in json.dumps(body):
            return "it is not in the library"
        case "messages" if len(body["values"].get("messages", ())) < each.details["count"]:
            return f"{len(body['values'].get('messages', ()))} of {each.details['count']} messages"
        case "promotion" if body["status"] != "live":
            return f"its status is {body['status']}"
    return None


async def _facts(graph: str) -> dict[str, int]:
    """The number of facts in the graph store, by source."""
    client = redis.asyncio.Redis.from_url(f"redis://{graph}", decode_responses=True)
    try:
        query = "MATCH ()-[r:FACT]->() RETURN r.source, count(r)"
        _, rows, _ = await client.execute_command("GRAPH.RO_QUERY", "nightschool", query)
    finally:
        await client.aclose()
    return {str(source): int(count) for source, count in rows}


def _versions(home: Path) -> list[tuple[str, str, str, dict[str, str]]]:
    tags: dict[tuple[str, str], dict[str, str]] = {}
    for domain, version, key, value in _query(
        home, "SELECT name, version, key, value FROM model_version_tags"
    ):
        tags.setdefault((str(domain), str(version)), {})[str(key)] = str(value)
    rows = _query(home, "SELECT name, version, source FROM model_versions")
    known = [(str(domain), str(version), str(folder)) for domain, version, folder in rows]
    return [
        (domain, version, folder, tags[domain, version])
        for domain, version, folder in known
        if "adapter" in tags.get((domain, version), {})
    ]


def _query(home: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{home / DATABASE}?mode=ro", uri=True, timeout=10)) as connection:
        return connection.execute(query).fetchall()
