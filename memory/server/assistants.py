"""Assistants in the relational store: named, versioned configurations of a graph, with owners."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from cachetools import TTLCache
from sqlalchemy import RowMapping, Select, and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from memory.database.database import Database
from memory.database.tables import ASSISTANT_VERSIONS, ASSISTANTS
from memory.errors import AlreadyExists, UnknownAssistant
from memory.records.base import Record
from memory.server.threads import Json, contains, moment

SHIPPED_NAMESPACE = uuid.UUID("7f0d3a0e-5d5c-4bb0-9d5b-6f6c0b9f4c1e")
"""UUID namespace of the built-in assistants: one per graph, with the same id in every installation."""
CACHE_SECONDS = 1.0
"""How long a run may still use an assistant as it was before another process changed it."""
CACHE_SIZE = 1000


class AssistantFields(Record):
    """The content of one assistant version."""

    graph_id: str
    name: str
    description: str | None = None
    config: Json = {}
    context: Json = {}
    metadata: Json = {}

    @property
    def options(self) -> Json:
        """The options that it passes to the graph."""
        options: Json = self.config.get("configurable", {})
        return options


class Assistant(AssistantFields):
    """One version of an assistant."""

    assistant_id: str
    owner: str | None = None
    """None for built-in ones and those of admins, which everybody sees and only admins change."""
    version: int
    created_at: datetime
    updated_at: datetime

    def visible_to(self, owner: str | None) -> bool:
        """Whether this owner may use it; None is an admin, who may use all."""
        return owner is None or self.owner in (None, owner)


class AssistantQuery(Record):
    """Filters, order and page of an assistant search."""

    owner: str | None = None
    """Only those visible to this owner; None for all."""
    metadata: Json = {}
    graph_id: str | None = None
    name: str | None = None
    limit: int = 10
    offset: int = 0
    sort_by: Literal["assistant_id", "graph_id", "name", "created_at", "updated_at"] = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"


class Assistants:
    """The assistants of one database. Built-in ones are named after their graph and cannot be deleted."""

    def __init__(self, database: Database, shipped: Sequence[str]) -> None:
        """`shipped` are the names of the graphs that have a built-in assistant."""
        self._database = database
        self._shipped = {name: str(uuid.uuid5(SHIPPED_NAMESPACE, name)) for name in shipped}
        self._recent: TTLCache[str, Assistant] = TTLCache(maxsize=CACHE_SIZE, ttl=CACHE_SECONDS)

    async def create_shipped(self) -> None:
        """Creates the built-in assistants that do not exist yet."""
        for name, assistant_id in self._shipped.items():
            fields = AssistantFields(graph_id=name, name=name, metadata={"created_by": "system"})
            await self.create(fields, assistant_id=assistant_id, exist_ok=True)

    async def create(
        self,
        fields: AssistantFields,
        *,
        owner: str | None = None,
        assistant_id: str | None = None,
        exist_ok: bool = False,
    ) -> Assistant:
        """Creates an assistant, or returns the owner's existing one if `exist_ok`. Raises AlreadyExists."""
        now = self._database.now().timestamp()
        id = assistant_id or str(uuid.uuid4())
        try:
            async with self._database.begin() as connection:
                row = {"id": id, "created_at": now, "updated_at": now, "version": 1, "owner": owner}
                await connection.execute(insert(ASSISTANTS).values(row))
                await connection.execute(insert(ASSISTANT_VERSIONS).values(_version_row(id, 1, now, fields)))
        except IntegrityError:
            existing = await self._find(id)
            if not exist_ok or existing is None or not existing.visible_to(owner):
                raise AlreadyExists(
                    f"assistant {id} already exists: send if_exists=do_nothing to use your own, or another id"
                ) from None
        return await self.get(id)

    async def get(self, name: str, *, owner: str | None = None) -> Assistant:
        """The assistant with this id, or the built-in one of this graph.

        Raises UnknownAssistant, also for one that the owner does not see; None sees all.
        """
        assistant = await self._find(name)
        if assistant is None or not assistant.visible_to(owner):
            raise self._unknown(name)
        return assistant

    async def recent(self, name: str, *, owner: str | None = None) -> Assistant:
        """The assistant as it was at most CACHE_SECONDS ago, for runs. Raises what `get` raises."""
        assistant = self._recent.get(name)
        if assistant is None:
            assistant = self._recent[name] = await self.get(name)
        if not assistant.visible_to(owner):
            raise self._unknown(name)
        return assistant

    async def update(self, name: str, changes: Json) -> Assistant:
        """Saves a new version with the changed fields; metadata is merged. Raises UnknownAssistant."""
        now = self._database.now().timestamp()
        current = await self.get(name)
        merged = {"metadata": current.metadata | changes["metadata"]} if "metadata" in changes else {}
        fields = AssistantFields.model_validate(
            {key: getattr(current, key) for key in AssistantFields.model_fields} | changes | merged
        )
        is_this = ASSISTANTS.c.id == current.assistant_id
        newest = select(func.max(ASSISTANT_VERSIONS.c.version)).where(
            ASSISTANT_VERSIONS.c.assistant_id == current.assistant_id
        )
        async with self._database.begin() as connection:
            await connection.execute(update(ASSISTANTS).where(is_this).values(updated_at=now))
            version = (await connection.execute(newest)).scalar_one() + 1
            row = _version_row(current.assistant_id, version, now, fields)
            await connection.execute(insert(ASSISTANT_VERSIONS).values(row))
            await connection.execute(update(ASSISTANTS).where(is_this).values(version=version))
        self._recent.clear()
        return await self.get(current.assistant_id)

    async def set_version(self, name: str, version: int) -> Assistant:
        """Makes an existing version the current one. Raises UnknownAssistant, also for an unknown version."""
        assistant = await self.get(name)
        if version not in {known.version for known in await self.versions(name, limit=10_000)}:
            raise UnknownAssistant(f"assistant {name} has no version {version}")
        now = self._database.now().timestamp()
        async with self._database.begin() as connection:
            change = update(ASSISTANTS).where(ASSISTANTS.c.id == assistant.assistant_id)
            await connection.execute(change.values(version=version, updated_at=now))
        self._recent.clear()
        return await self.get(assistant.assistant_id)

    async def versions(
        self, name: str, *, metadata: Json | None = None, limit: int = 10, offset: int = 0
    ) -> tuple[Assistant, ...]:
        """The assistant's versions that match the metadata, newest first. Raises UnknownAssistant."""
        assistant = await self.get(name)
        query = (
            _select_versions()
            .where(ASSISTANTS.c.id == assistant.assistant_id)
            .order_by(ASSISTANT_VERSIONS.c.version.desc())
        )
        matching = [
            a for a in map(_assistant, await self._rows(query)) if contains(a.metadata, metadata or {})
        ]
        return tuple(matching[offset : offset + limit])

    async def delete(self, name: str) -> None:
        """Deletes an assistant. Raises UnknownAssistant, or ValueError for a built-in one."""
        assistant = await self.get(name)
        if assistant.assistant_id in self._shipped.values():
            raise ValueError(f"assistant {name} is built in and cannot be deleted")
        async with self._database.begin() as connection:
            await connection.execute(delete(ASSISTANTS).where(ASSISTANTS.c.id == assistant.assistant_id))
        self._recent.clear()

    async def search(self, query: AssistantQuery) -> tuple[Assistant, ...]:
        """The matching assistants, in order; a `limit` of 0 returns all."""
        matching = [
            assistant
            for assistant in map(_assistant, await self._rows(_select_current()))
            if assistant.visible_to(query.owner)
            and contains(assistant.metadata, query.metadata)
            and query.graph_id in (None, assistant.graph_id)
            and (query.name is None or query.name.lower() in assistant.name.lower())
        ]
        matching.sort(
            key=lambda a: (getattr(a, query.sort_by), a.assistant_id), reverse=query.sort_order == "desc"
        )
        return tuple(matching[query.offset : query.offset + query.limit if query.limit else None])

    async def _find(self, name: str) -> Assistant | None:
        rows = await self._rows(_select_current().where(ASSISTANTS.c.id == self._shipped.get(name, name)))
        return _assistant(rows[0]) if rows else None

    def _unknown(self, name: str) -> UnknownAssistant:
        return UnknownAssistant(
            f"no assistant {name}: the built-in ones are {', '.join(sorted(self._shipped))}"
        )

    async def _rows(self, query: Select[Any]) -> Sequence[RowMapping]:
        async with self._database.begin() as connection:
            return list((await connection.execute(query)).mappings())


def _select_versions() -> Select[Any]:
    """All versions of all assistants."""
    joined = ASSISTANTS.join(ASSISTANT_VERSIONS, ASSISTANT_VERSIONS.c.assistant_id == ASSISTANTS.c.id)
    columns = (
        ASSISTANTS.c.id,
        ASSISTANTS.c.created_at,
        ASSISTANTS.c.updated_at,
        ASSISTANTS.c.owner,
        ASSISTANT_VERSIONS.c.version,
        ASSISTANT_VERSIONS.c.body,
    )
    return select(*columns).select_from(joined)


def _select_current() -> Select[Any]:
    """The current version of each assistant."""
    return _select_versions().where(and_(ASSISTANT_VERSIONS.c.version == ASSISTANTS.c.version))


def _version_row(assistant_id: str, version: int, now: float, fields: AssistantFields) -> Json:
    body = fields.model_dump(mode="json")
    return {"assistant_id": assistant_id, "version": version, "created_at": now, "body": body}


def _assistant(row: RowMapping) -> Assistant:
    return Assistant(
        assistant_id=row["id"],
        owner=row["owner"],
        version=row["version"],
        created_at=moment(row["created_at"]),
        updated_at=moment(row["updated_at"]),
        **row["body"],
    )
