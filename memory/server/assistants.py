"""Assistants in the relational store: graphs under names and options of their own, version by version.

What the options mean is for the graphs to say.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import RowMapping, Select, and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from memory.database.database import Database
from memory.database.tables import ASSISTANT_VERSIONS, ASSISTANTS
from memory.errors import AlreadyExists, UnknownAssistant
from memory.records.base import Record
from memory.server.threads import Json, contains, moment

NAMES = uuid.UUID("7f0d3a0e-5d5c-4bb0-9d5b-6f6c0b9f4c1e")
"""Namespace of the ids of assistants that ship: one per graph, the same everywhere."""


class AssistantFields(Record):
    """What a version of an assistant says."""

    graph_id: str
    name: str
    description: str | None = None
    config: Json = {}
    context: Json = {}
    metadata: Json = {}

    @property
    def options(self) -> Json:
        """What it sets for the graph."""
        options: Json = self.config.get("configurable", {})
        return options


class Assistant(AssistantFields):
    """An assistant in one version."""

    assistant_id: str
    version: int
    created_at: datetime
    updated_at: datetime


class AssistantQuery(Record):
    """Which assistants, in which order."""

    metadata: Json = {}
    graph_id: str | None = None
    name: str | None = None
    limit: int = 10
    offset: int = 0
    sort_by: Literal["assistant_id", "graph_id", "name", "created_at", "updated_at"] = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"


class Assistants:
    """The assistants of one database; those that ship are named like their graphs, and stay."""

    def __init__(self, database: Database, shipped: Sequence[str]) -> None:
        """`shipped` are the graphs' names."""
        self._database = database
        self._shipped = {name: str(uuid.uuid5(NAMES, name)) for name in shipped}

    async def create_shipped(self) -> None:
        """Makes those that ship, unless they are there."""
        for name, assistant_id in self._shipped.items():
            facts = AssistantFields(graph_id=name, name=name, metadata={"created_by": "system"})
            await self.create(facts, assistant_id=assistant_id, exist_ok=True)

    async def create(
        self, facts: AssistantFields, *, assistant_id: str | None = None, exist_ok: bool = False
    ) -> Assistant:
        """A new assistant, or the one that is there if `exist_ok`. Raises AlreadyExists."""
        now = self._database.now().timestamp()
        id = assistant_id or str(uuid.uuid4())
        try:
            async with self._database.begin() as connection:
                row = {"id": id, "created_at": now, "updated_at": now, "version": 1}
                await connection.execute(insert(ASSISTANTS).values(row))
                await connection.execute(insert(ASSISTANT_VERSIONS).values(_version(id, 1, now, facts)))
        except IntegrityError:
            if not exist_ok:
                raise AlreadyExists(f"assistant {id} exists: send if_exists=do_nothing to use it") from None
        return await self.get(id)

    async def get(self, name: str) -> Assistant:
        """By id, or by the name of its graph for one that ships. Raises UnknownAssistant."""
        rows = await self._rows(_latest().where(ASSISTANTS.c.id == self._shipped.get(name, name)))
        if not rows:
            raise UnknownAssistant(f"no assistant {name}: there are {', '.join(sorted(self._shipped))}")
        return _assistant(rows[0])

    async def update(self, name: str, changes: Json) -> Assistant:
        """A new version with these facts changed; metadata is merged. Raises UnknownAssistant."""
        now = self._database.now().timestamp()
        before = await self.get(name)
        merged = {"metadata": before.metadata | changes["metadata"]} if "metadata" in changes else {}
        facts = AssistantFields.model_validate(
            {key: getattr(before, key) for key in AssistantFields.model_fields} | changes | merged
        )
        this = ASSISTANTS.c.id == before.assistant_id
        newest = select(func.max(ASSISTANT_VERSIONS.c.version)).where(
            ASSISTANT_VERSIONS.c.assistant_id == before.assistant_id
        )
        async with self._database.begin() as connection:
            await connection.execute(update(ASSISTANTS).where(this).values(updated_at=now))
            version = (await connection.execute(newest)).scalar_one() + 1
            row = _version(before.assistant_id, version, now, facts)
            await connection.execute(insert(ASSISTANT_VERSIONS).values(row))
            await connection.execute(update(ASSISTANTS).where(this).values(version=version))
        return await self.get(before.assistant_id)

    async def set_version(self, name: str, version: int) -> Assistant:
        """Makes a version the current one. Raises UnknownAssistant, for an unknown version too."""
        found = await self.get(name)
        if version not in {old.version for old in await self.versions(name, limit=10_000)}:
            raise UnknownAssistant(f"assistant {name} has no version {version}")
        now = self._database.now().timestamp()
        async with self._database.begin() as connection:
            this = update(ASSISTANTS).where(ASSISTANTS.c.id == found.assistant_id)
            await connection.execute(this.values(version=version, updated_at=now))
        return await self.get(found.assistant_id)

    async def versions(
        self, name: str, *, metadata: Json | None = None, limit: int = 10, offset: int = 0
    ) -> tuple[Assistant, ...]:
        """All versions, newest first. Raises UnknownAssistant."""
        found = await self.get(name)
        query = (
            _all().where(ASSISTANTS.c.id == found.assistant_id).order_by(ASSISTANT_VERSIONS.c.version.desc())
        )
        matching = [
            a for a in map(_assistant, await self._rows(query)) if contains(a.metadata, metadata or {})
        ]
        return tuple(matching[offset : offset + limit])

    async def delete(self, name: str) -> None:
        """Raises UnknownAssistant, and ValueError for one that ships."""
        found = await self.get(name)
        if found.assistant_id in self._shipped.values():
            raise ValueError(f"assistant {name} ships with the service and cannot be deleted")
        async with self._database.begin() as connection:
            await connection.execute(delete(ASSISTANTS).where(ASSISTANTS.c.id == found.assistant_id))

    async def search(self, wanted: AssistantQuery) -> tuple[Assistant, ...]:
        """Those that match, in order; `limit` 0 for all of them."""
        found = [
            assistant
            for assistant in map(_assistant, await self._rows(_latest()))
            if contains(assistant.metadata, wanted.metadata)
            and wanted.graph_id in (None, assistant.graph_id)
            and (wanted.name is None or wanted.name.lower() in assistant.name.lower())
        ]
        found.sort(
            key=lambda a: (getattr(a, wanted.sort_by), a.assistant_id), reverse=wanted.sort_order == "desc"
        )
        return tuple(found[wanted.offset : wanted.offset + wanted.limit if wanted.limit else None])

    async def _rows(self, query: Select[Any]) -> Sequence[RowMapping]:
        async with self._database.begin() as connection:
            return list((await connection.execute(query)).mappings())


def _all() -> Select[Any]:
    joined = ASSISTANTS.join(ASSISTANT_VERSIONS, ASSISTANT_VERSIONS.c.assistant_id == ASSISTANTS.c.id)
    columns = (
        ASSISTANTS.c.id,
        ASSISTANTS.c.created_at,
        ASSISTANTS.c.updated_at,
        ASSISTANT_VERSIONS.c.version,
        ASSISTANT_VERSIONS.c.body,
    )
    return select(*columns).select_from(joined)


def _latest() -> Select[Any]:
    return _all().where(and_(ASSISTANT_VERSIONS.c.version == ASSISTANTS.c.version))


def _version(assistant_id: str, version: int, now: float, facts: AssistantFields) -> Json:
    body = facts.model_dump(mode="json")
    return {"assistant_id": assistant_id, "version": version, "created_at": now, "body": body}


def _assistant(row: RowMapping) -> Assistant:
    return Assistant(
        assistant_id=row["id"],
        version=row["version"],
        created_at=moment(row["created_at"]),
        updated_at=moment(row["updated_at"]),
        **row["body"],
    )
