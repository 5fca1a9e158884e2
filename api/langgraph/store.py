"""Routes of the store in LangGraph's format: items by namespace and key, searched by meaning.

Each owner has namespaces of their own; a service without keys has one set for all.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import Query
from langgraph.store.base import Item
from pydantic import AfterValidator, BaseModel, Field

from api.auth import CallerDep
from api.compose import ServiceDep
from api.langgraph.common import Body, Limit, Offset, surface
from memory.server.threads import Json

router = surface("store")

Label = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^.]+$")]
Namespace = Annotated[list[Label], Field(max_length=20)]
Key = Annotated[str, Field(min_length=1, max_length=500)]


def _apart(paths: list[str]) -> list[str]:
    """PostgreSQL's store numbers the texts of a path: `a.0` may be the first of `a`."""
    for path in paths:
        before, _, last = path.rpartition(".")
        if paths.count(path) > 1 or (last.isdecimal() and before in paths):
            raise ValueError(f"index names {path!r} twice")
    return paths


Paths = Annotated[list[Annotated[str, Field(min_length=1, max_length=500)]], AfterValidator(_apart)]
MOST_NAMESPACES = 1000
NOBODY = "-"
"""Owner used when authentication is off."""


class Put(Body):
    """An item to keep; `index` false keeps it out of search by meaning, a list names the fields to search."""

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


class SearchAsked(Body):
    """Which items: below a prefix, with these values, nearest in meaning first if there is a query."""

    namespace_prefix: Namespace
    filter: Json | None = None
    limit: Limit = 10
    offset: Offset = 0
    query: Annotated[str, Field(max_length=8000)] | None = None
    refresh_ttl: bool | None = None


class NamespacesAsked(Body):
    """Which namespaces."""

    prefix: Namespace | None = None
    suffix: Namespace | None = None
    max_depth: Annotated[int, Field(ge=1, le=20)] | None = None
    limit: Limit = 100
    offset: Offset = 0


class ItemReply(BaseModel):
    """One item as clients know it."""

    namespace: list[str]
    key: str
    value: Json
    created_at: datetime
    updated_at: datetime


class Found(ItemReply):
    """One item that was searched for; `score` is its cosine similarity to the query, if there was one."""

    score: float | None


class FoundReply(BaseModel):
    """What was found, best first."""

    items: list[Found]


class NamespacesReply(BaseModel):
    """Namespaces."""

    namespaces: list[list[str]]


@router.put("/store/items", status_code=204)
async def put(body: Put, service: ServiceDep, caller: CallerDep) -> None:
    """Keeps an item, in place of one that has its name."""
    place = _own(caller.owner, body.namespace)
    more: dict[str, Any] = {} if body.ttl is None else {"ttl": body.ttl}
    await service.items.aput(place, body.key, body.value, index=body.index, **more)


@router.get("/store/items")
async def get(
    service: ServiceDep,
    caller: CallerDep,
    key: Annotated[str, Query(min_length=1, max_length=500)],
    namespace: Annotated[str, Query(min_length=1, max_length=5000)],
    refresh_ttl: bool | None = None,
) -> ItemReply | None:
    """One item, or null; the labels of its namespace are joined by dots."""
    labels = namespace.split(".")
    found = await service.items.aget(_own(caller.owner, labels), key, refresh_ttl=refresh_ttl)
    return None if found is None else ItemReply(**_told(found))


@router.delete("/store/items", status_code=204)
async def delete(body: Delete, service: ServiceDep, caller: CallerDep) -> None:
    """Deletes an item; one that is not there is no mistake."""
    await service.items.adelete(_own(caller.owner, body.namespace), body.key)


@router.post("/store/items/search")
async def search(body: SearchAsked, service: ServiceDep, caller: CallerDep) -> FoundReply:
    """Searches below a namespace prefix, by values and by meaning."""
    found = await service.items.asearch(
        _own(caller.owner, body.namespace_prefix),
        query=body.query or None,
        filter=body.filter,
        limit=body.limit,
        offset=body.offset,
        refresh_ttl=body.refresh_ttl,
    )
    return FoundReply(items=[Found(**_told(item), score=item.score) for item in found])


@router.post("/store/namespaces")
async def namespaces(body: NamespacesAsked, service: ServiceDep, caller: CallerDep) -> NamespacesReply:
    """Lists namespaces."""
    found = await service.items.alist_namespaces(
        prefix=_own(caller.owner, body.prefix or []),
        suffix=tuple(body.suffix) if body.suffix else None,
        max_depth=None if body.max_depth is None else body.max_depth + 1,
        limit=body.limit,
        offset=body.offset,
    )
    return NamespacesReply(namespaces=[list(place[1:]) for place in found])


def _own(owner: str | None, namespace: list[str]) -> tuple[str, ...]:
    return (NOBODY if owner is None else f"owner {quote(owner, safe='@').replace('.', '%2E')}", *namespace)


def _told(item: Item) -> dict[str, Any]:
    return {
        "namespace": list(item.namespace[1:]),
        "key": item.key,
        "value": item.value,
        "created_at": item.created_at,
        "updated_at": item.updated_at,
    }
