"""Semantic memory on FalkorDB: entities are nodes, and facts with their provenance are edges.

An edge holds the whole fact as JSON, and as properties the values that queries filter by.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC
from hashlib import sha256
from typing import Any

from falkordb.asyncio import FalkorDB  # type: ignore[import-untyped]
from falkordb.asyncio.graph import AsyncGraph  # type: ignore[import-untyped]
from redis.exceptions import ResponseError

from memory.errors import CorruptRecord, StoreUnavailable
from memory.language.text import key
from memory.records.access import Access
from memory.records.knowledge import Fact
from memory.semantic.base import checked_hops, keys
from memory.semantic.connection import CONNECT_SECONDS, connect, redis_url, shown, store_errors
from memory.semantic.naming import is_naming

BATCH = 500
"""Facts per write query; each query is atomic."""
PAGE = 2000
"""Facts per query that reads all."""
MAX_KEYS = 1000
"""Entities that one step of a graph walk starts from."""
TIMEOUT_MS = 10_000
CONSTRAINT_SECONDS = 30.0
PURGE_SECONDS = 600.0
"""How long rewriting the server's file may take."""

_ADD = """
UNWIND $facts AS f
MERGE (s:Entity {key: f.subject_key}) ON CREATE SET s.name = f.subject
MERGE (o:Entity {key: f.object_key}) ON CREATE SET o.name = f.object
MERGE (s)-[r:FACT {id: f.id}]->(o)
ON CREATE SET r.relation = f.relation, r.source = f.source, r.domain = f.domain, r.owner = f.owner,
    r.body = f.body, r.said_by = f.said_by, r.observed_at = f.observed_at, r.naming = f.naming
"""
_REDATE = "UNWIND $facts AS f MATCH ()-[r:FACT {id: f.id}]->() SET r.body = f.body"
_KNOWN = "UNWIND $ids AS id MATCH ()-[r:FACT {id: id}]->() RETURN r.id"
_OF_DOCUMENT = """
MATCH ()-[r:FACT {source: $source}]->()
WHERE r.domain = $domain AND (r.owner = $owner OR (r.owner IS NULL AND $owner IS NULL)) RETURN r.id, r.body
"""
_PAGE = "MATCH ()-[r:FACT]->() WHERE r.id > $after RETURN r.id AS id, r.body ORDER BY id LIMIT $limit"
_COUNT = "MATCH ()-[r:FACT]->() RETURN count(r)"
_REMOVE = "UNWIND $ids AS id MATCH ()-[r:FACT {id: id}]->() DELETE r"
_ORPHANS = "MATCH (e:Entity) WHERE NOT (e)--() DELETE e"
_VISIBLE = """(r.said_by IS NULL OR r.said_by = $said_by)
AND ($everything OR ((r.owner IS NULL OR r.owner = $owner) AND NOT r.domain IN $hidden))"""
"""The facts that `Access.may_read`, see `_limits`."""
_BY_SUBJECT = f"""
UNWIND $keys AS k MATCH (:Entity {{key: k}})-[r:FACT]->()
WHERE ($domain IS NULL OR r.domain = $domain) AND {_VISIBLE}
RETURN DISTINCT r.id AS id, r.body ORDER BY id LIMIT $limit
"""
_BY_OBJECT = _BY_SUBJECT.replace("-[r:FACT]->", "<-[r:FACT]-")
_NAMING = f"""
UNWIND $keys AS k MATCH (:Entity {{key: k}})-[r:FACT]-()
WHERE r.naming AND ($domain IS NULL OR r.domain = $domain) AND {_VISIBLE}
RETURN DISTINCT r.id AS id, r.body ORDER BY id LIMIT $limit
"""
_NEAR = f"""
UNWIND $keys AS k MATCH (:Entity {{key: k}})-[r:FACT]-(other)
WHERE {_VISIBLE}
RETURN DISTINCT r.id AS id, r.body, startNode(r).key, endNode(r).key ORDER BY id
"""
_OF_DOCUMENTS = f"""
UNWIND $sources AS source MATCH ()-[r:FACT {{source: source}}]->()
WHERE {_VISIBLE}
RETURN DISTINCT r.id AS id, r.body ORDER BY id LIMIT $limit
"""
_ALL = f"""
MATCH ()-[r:FACT]->() WHERE r.id > $after AND ($domain IS NULL OR r.domain = $domain) AND {_VISIBLE}
RETURN r.id AS id, r.body ORDER BY id LIMIT $limit
"""
_SAID = """
MATCH ()-[r:FACT {said_by: $said_by}]->()
RETURN r.body, r.observed_at AS at, r.id AS id ORDER BY at DESC, id LIMIT $limit
"""


class FalkorSemanticMemory:
    """Facts in a FalkorDB graph; this process writes one batch at a time."""

    def __init__(self, client: FalkorDB, graph: AsyncGraph) -> None:
        """Takes a graph whose constraints are in force; use `open` instead."""
        self._client = client
        self._graph = graph
        self._write_lock = asyncio.Lock()

    @classmethod
    async def open(cls, url_or_socket: str, graph: str = "nightschool") -> "FalkorSemanticMemory":
        """Connects to `redis://USER:PASSWORD@HOST:PORT`, `rediss://...` with TLS, or the path of a socket.

        Creates missing indexes and constraints. Raises StoreUnavailable, and ValueError for a bad URL.
        """
        client = await connect(url_or_socket, query_seconds=TIMEOUT_MS / 1000 + CONNECT_SECONDS)
        memory = cls(client, client.select_graph(graph))
        async with store_errors(shown(redis_url(url_or_socket))):
            await memory._create_constraints()
        return memory

    async def add(self, facts: Sequence[Fact]) -> int:
        new = {f.id: f for f in facts}
        written = 0
        async with self._write_lock, store_errors("the graph"):
            for first in range(0, len(new), BATCH):
                ids = list(new)[first : first + BATCH]
                known = {_safe(row[0]) for row in await self._read(_KNOWN, ids=[_unique(i) for i in ids])}
                unknown = [new[i] for i in ids if _unique(i) not in known]
                rows = await asyncio.to_thread(lambda facts: [*map(_row, facts)], unknown)
                if rows:
                    await self._graph.query(_ADD, {"facts": rows}, timeout=TIMEOUT_MS)
                written += len(rows)
        return written

    async def redate(self, facts: Sequence[Fact]) -> None:
        async with self._write_lock, store_errors("the graph"):
            for first in range(0, len(facts), BATCH):
                batch = facts[first : first + BATCH]
                rows = await asyncio.to_thread(lambda facts: [*map(_row, facts)], batch)
                await self._graph.query(_REDATE, {"facts": rows}, timeout=TIMEOUT_MS)

    async def remove(
        self, source: str, *, domain: str, owner: str | None = None, keep: Collection[str] = ()
    ) -> int:
        kept_ids = {_unique(i) for i in keep}
        count = 0
        async with self._write_lock, store_errors("the graph"):
            document = {"source": _safe(source), "domain": domain, "owner": _digest(owner)}
            rows = await self._read(_OF_DOCUMENT, **document)
            stale = [id_ for id_, _ in rows if id_ not in kept_ids]
            for first in range(0, len(stale), BATCH):
                batch = {"ids": stale[first : first + BATCH]}
                result = await self._graph.query(_REMOVE, batch, timeout=TIMEOUT_MS)
                count += int(result.relationships_deleted)
            if count:
                await self._graph.query(_ORPHANS, timeout=TIMEOUT_MS)
        return count

    async def about(
        self,
        terms: Sequence[str],
        *,
        access: Access,
        domain: str | None = None,
        said_by: str | None = None,
        limit: int = 50,
    ) -> tuple[Fact, ...]:
        term_keys = [_unique(k) for k in keys(terms)]
        if not term_keys or limit < 1:
            return ()
        limits = _limits(access, said_by)
        async with store_errors("the graph"):
            found: dict[str, Fact] = {}
            for query in (_BY_SUBJECT, _BY_OBJECT):
                rows = await self._read(query, keys=term_keys, domain=domain, limit=limit, **limits)
                for id_, body in rows:
                    found.setdefault(id_, _fact(body))
        return tuple(found.values())[:limit]

    async def naming(
        self, terms: Sequence[str], *, access: Access, domain: str | None = None, limit: int = 200
    ) -> tuple[Fact, ...]:
        term_keys = [_unique(k) for k in keys(terms)]
        if not term_keys or limit < 1:
            return ()
        limits = _limits(access, None)
        async with store_errors("the graph"):
            rows = await self._read(_NAMING, keys=term_keys, domain=domain, limit=limit, **limits)
        return tuple(_fact(body) for _, body in rows)

    async def near(
        self,
        subjects: Sequence[str],
        *,
        access: Access,
        hops: int = 1,
        said_by: str | None = None,
        limit: int = 50,
    ) -> tuple[Fact, ...]:
        frontier = [_unique(k) for k in keys(subjects)]
        visited = set(frontier)
        found: dict[str, Fact] = {}
        limits = _limits(access, said_by)
        async with store_errors("the graph"):
            for _ in range(checked_hops(hops)):
                if not frontier:
                    break
                rows = await self._read(_NEAR, keys=frontier[:MAX_KEYS], **limits)
                for id_, body, _start, _end in rows:
                    found.setdefault(id_, _fact(body))
                frontier = sorted({k for row in rows for k in row[2:]} - visited)
                visited.update(frontier)
        return tuple(found.values())[: max(0, limit)]

    async def of_documents(
        self, sources: Collection[str], *, access: Access, limit: int = 50
    ) -> tuple[Fact, ...]:
        if not sources or limit < 1:
            return ()
        names = sorted(set(map(_safe, sources)))
        async with store_errors("the graph"):
            rows = await self._read(_OF_DOCUMENTS, sources=names, limit=limit, **_limits(access, None))
        return tuple(_fact(body) for _, body in rows)

    async def said(self, said_by: str, *, limit: int = 200) -> tuple[Fact, ...]:
        if limit < 1:
            return ()
        async with store_errors("the graph"):
            rows = await self._read(_SAID, said_by=_digest(said_by), limit=limit)
        return tuple(_fact(body) for body, *_ in rows)

    async def facts(self, source: str, *, domain: str, owner: str | None = None) -> tuple[Fact, ...]:
        document = {"source": _safe(source), "domain": domain, "owner": _digest(owner)}
        async with store_errors("the graph"):
            rows = await self._read(_OF_DOCUMENT, **document)
        return tuple(sorted((_fact(body) for _, body in rows), key=lambda each: (each.start, each.id)))

    async def everything(self) -> AsyncIterator[Fact]:
        """All facts, for a backup. Raises StoreUnavailable."""
        last = ""
        while True:
            async with store_errors("the graph"):
                rows = await self._read(_PAGE, after=last, limit=BATCH)
            for _, body in rows:
                yield _fact(body)
            if len(rows) < BATCH:
                return
            last = rows[-1][0]

    async def count(self) -> int:
        async with store_errors("the graph"):
            return int((await self._read(_COUNT))[0][0])

    async def all(
        self, *, access: Access, domain: str | None = None, limit: int = 100_000
    ) -> tuple[Fact, ...]:
        limits = _limits(access, None)
        found: list[Fact] = []
        after = ""
        async with store_errors("the graph"):
            while len(found) < limit:
                size = min(PAGE, limit - len(found))
                rows = await self._read(_ALL, after=after, domain=domain, limit=size, **limits)
                found += [_fact(body) for _, body in rows]
                if len(rows) < size:
                    break
                after = rows[-1][0]
        return tuple(found)

    async def purge(self) -> None:
        async with self._write_lock, store_errors("the graph"):
            await self._graph.query(_ORPHANS, timeout=TIMEOUT_MS)
            server = self._client.connection
            await server.delete(f"telemetry{{{self._graph.name}}}")  # FalkorDB's stream of the latest queries
            if (await server.info("persistence"))["aof_enabled"]:
                await self._idle("aof_rewrite_in_progress", "aof_rewrite_scheduled")
                await server.bgrewriteaof()
                await self._idle("aof_rewrite_in_progress", "aof_rewrite_scheduled")
                status = (await server.info("persistence"))["aof_last_bgrewrite_status"]
            else:
                await self._idle("rdb_bgsave_in_progress")
                await server.bgsave()
                await self._idle("rdb_bgsave_in_progress")
                status = (await server.info("persistence"))["rdb_last_bgsave_status"]
        if status != "ok":
            raise StoreUnavailable(
                "the graph could not rewrite its file: check that its disk has space, and forget again"
            )

    async def _idle(self, *activities: str) -> None:
        """Waits until the server is done with writing its files."""
        deadline = asyncio.get_running_loop().time() + PURGE_SECONDS
        while any([(await self._client.connection.info("persistence"))[each] for each in activities]):
            if asyncio.get_running_loop().time() > deadline:
                raise StoreUnavailable("the graph still rewrites its file: forget again later")
            await asyncio.sleep(0.05)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _read(self, query: str, **parameters: Any) -> list[list[Any]]:
        return list((await self._graph.ro_query(query, parameters, timeout=TIMEOUT_MS)).result_set)

    async def _create_constraints(self) -> None:
        """Makes entity keys and fact ids unique, and waits until the server has checked existing data."""
        await self._graph.query("RETURN 1")  # creates the graph, which constraints need
        for create, name, *properties in (
            (self._graph.create_node_unique_constraint, "Entity", "key"),
            (self._graph.create_edge_unique_constraint, "FACT", "id"),
        ):
            try:
                await create(name, *properties)
            except ResponseError as error:
                if "already exists" not in str(error):
                    raise
        for name in ("source", "said_by"):
            try:
                await self._graph.create_edge_range_index("FACT", name)
            except ResponseError as error:
                if "already indexed" not in str(error):
                    raise
        deadline = asyncio.get_running_loop().time() + CONSTRAINT_SECONDS
        while any(c["status"] != "OPERATIONAL" for c in await self._graph.list_constraints()):
            if asyncio.get_running_loop().time() > deadline:
                raise StoreUnavailable(
                    "the graph's data violates its constraints: restore a copy of its folder"
                )
            await asyncio.sleep(0.05)


def _row(fact: Fact) -> dict[str, Any]:
    """The parameters of one fact for `_ADD`; its JSON is ASCII, because a raw NUL would cut off the query."""
    return {
        "id": _unique(fact.id),
        "subject_key": _unique(key(fact.subject)),
        "subject": _safe(fact.subject),
        "object_key": _unique(key(fact.object)),
        "object": _safe(fact.object),
        "relation": _safe(fact.relation),
        "source": _safe(fact.source),
        "domain": fact.domain,
        "owner": _digest(fact.owner),
        "body": json.dumps(fact.model_dump(mode="json")),
        "said_by": _digest(fact.said_by),
        "naming": is_naming(fact),
        "observed_at": None if fact.observed_at is None else fact.observed_at.astimezone(UTC).isoformat(),
    }


def _limits(access: Access, said_by: str | None) -> dict[str, Any]:
    """The parameters of `_VISIBLE`."""
    return {
        "everything": access.everything,
        "owner": _digest(access.owner),
        "hidden": sorted(access.hidden),
        "said_by": _digest(said_by),
    }


def _digest(name: str | None) -> str | None:
    """A unit or owner as it is compared in queries: hashed, so that no two become the same by `_safe`."""
    return None if name is None else sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def _unique(text: str) -> str:
    """The text as a unique property: hashed if the index would change it, as it does with white space around
    it, control characters and backslashes.

    The check of the unique constraint then looks for what is not in the index, and crashes the server.
    """
    kept = text.isprintable() and text == text.strip() and "\\" not in text
    return text if text and kept else f"hash {_digest(text)}"


def _safe(text: str) -> str:
    """The text without NUL and lone surrogates, which a query cannot contain."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _fact(body: str) -> Fact:
    try:
        return Fact.model_validate_json(body)
    except ValueError as error:
        raise CorruptRecord(f"a stored fact cannot be read: ingest its document again ({error})") from error
