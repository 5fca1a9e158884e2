"""Routes of the store in LangGraph's format: items by namespace and key, with search by meaning.

Each owner has namespaces of their own; without authentication all callers share them.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Request
from langgraph.store.base import Item
from pydantic import AfterValidator, BaseModel, Field

from api.auth import CallerDep
from api.compose import ServiceDep
from api.langgraph.common import Body, Limit, Offset, langgraph_router
from memory.server.store import owner_label, require_room
from memory.server.threads import Json

router = langgraph_router("store")

Label = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^.]+$")]
Namespace = Annotated[list[Label], Field(max_length=20)]
Key = Annotated[str, Field(min_length=1, max_length=500)]


def _distinct(paths: list[str]) -> list[str]:
    """Rejects paths that name a text twice: in the PostgreSQL store `a.0` is the first text of `a`."""
    for path in paths:
        parent, _, last = path.rpartition(".")
        if paths.count(path) > 1 or (last.isdecimal() and parent in paths):
            raise ValueError(f"index names {path!r} twice")
    return paths


Paths = Annotated[list[Annotated[str, Field(min_length=1, max_length=500)]], AfterValidator(_distinct)]
FIELD_PATH = r"^[A-Za-z0-9_-]{1,200}(\.[A-Za-z0-9_-]{1,200}){0,31}$"
"""Names that a filter may use: fields, which SQLite's JSON functions take as paths."""


class Put(Body):
    """An item to store. `index` lists the fields for search by meaning; false means none of them."""

    namespace: Annotated[Namespace, Field(min_length=1)]
    key: Key
    value: Json
    index: Literal[False] | Annotated[Paths, Field(max_length=100)] | None = None
    ttl: Annotated[float, Field(ge=0.001, le=60 * 24 * 366 * 10)] | None = None
    """Minutes."""


class Delete(Body):
    """An item to delete."""

    namespace: Annotated[Namespace, Field(min_length=1)]
    key: Key


class ItemSearch(Body):
    """A search for items below a prefix, by values, and by meaning if there is a query."""

    namespace_prefix: Namespace
    filter: dict[Annotated[str, Field(pattern=FIELD_PATH)], Any] | None = None
    limit: Limit = 10
    offset: Offset = 0
    query: Annotated[str, Field(max_length=8000)] | None = None
    refresh_ttl: bool | None = None


class NamespaceSearch(Body):
    """Filters of namespaces to list."""

    prefix: Namespace | None = None
    suffix: Namespace | None = None
    max_depth: Annotated[int, Field(ge=1, le=20)] | None = None
    limit: Limit = 100
    offset: Offset = 0


class ItemReply(BaseModel):
    """An item."""

    namespace: list[str]
    key: str
    value: Json
    created_at: datetime
    updated_at: datetime


class ScoredItem(ItemReply):
    """An item of a search result; `score` is its cosine similarity to the query, if there is one."""

    score: float | None


class SearchReply(BaseModel):
    """The search result, best first."""

    items: list[ScoredItem]


class NamespacesReply(BaseModel):
    """A list of namespaces."""

    namespaces: list[list[str]]


@router.put("/store/items", status_code=204)
async def put(body: Put, request: Request, service: ServiceDep, caller: CallerDep) -> None:
    """Stores an item; replaces one with the same key. Its bytes count like those of documents.

    All items of one owner of keys may take as many bytes as the setting STORE_BYTES says.
    """
    await service.rate_limits.spend("ingest_bytes", caller.owner, len(await request.body()))
    namespace = _owned(caller.owner, body.namespace)
    if caller.owner is not None and (most := service.settings.store_bytes):
        await require_room(service.items, namespace, body.key, body.value, most)
    options: dict[str, Any] = {} if body.ttl is None else {"ttl": body.ttl}
    await service.items.aput(namespace, body.key, body.value, index=body.index, **options)


@router.get("/store/items")
async def get(
    service: ServiceDep,
    caller: CallerDep,
    key: Annotated[str, Query(min_length=1, max_length=500)],
    namespace: Annotated[str, Query(min_length=1, max_length=5000)],
    refresh_ttl: bool | None = None,
) -> ItemReply | None:
    """One item, or null. The namespace is its labels joined by dots."""
    labels = namespace.split(".")
    item = await service.items.aget(_owned(caller.owner, labels), key, refresh_ttl=refresh_ttl)
    return None if item is None else ItemReply(**_fields(item))


@router.delete("/store/items", status_code=204)
async def delete(body: Delete, service: ServiceDep, caller: CallerDep) -> None:
    """Deletes an item, if it exists."""
    await service.items.adelete(_owned(caller.owner, body.namespace), body.key)


@router.post("/store/items/search")
async def search(body: ItemSearch, service: ServiceDep, caller: CallerDep) -> SearchReply:
    """Searches below a namespace prefix, by values and by meaning."""
    items = await service.items.asearch(
        _owned(caller.owner, body.namespace_prefix),
        query=body.query or None,
        filter=body.filter,
        limit=body.limit,
        offset=body.offset,
        refresh_ttl=body.refresh_ttl,
    )
    return SearchReply(items=[ScoredItem(**_fields(item), score=item.score) for item in items])


@router.post("/store/namespaces")
async def namespaces(body: NamespaceSearch, service: ServiceDep, caller: CallerDep) -> NamespacesReply:
    """Lists namespaces."""
    listed = await service.items.alist_namespaces(
        prefix=_owned(caller.owner, body.prefix or []),
        suffix=tuple(body.suffix) if body.suffix else None,
        max_depth=None if body.max_depth is None else body.max_depth + 1,
        limit=body.limit,
        offset=body.offset,
    )
    return NamespacesReply(namespaces=[list(namespace[1:]) for namespace in listed])


def _owned(owner: str | None, namespace: list[str]) -> tuple[str, ...]:
    return owner_label(owner), *namespace


def _fields(item: Item) -> dict[str, Any]:
    return {
        "namespace": list(item.namespace[1:]),
        "key": item.key,
        "value": item.value,
        "created_at": item.created_at,
        "updated_at": item.updated_at,
    }
