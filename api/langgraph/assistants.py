"""Routes of assistants in LangGraph's format: graphs with options, and their versions and schemas.

Built-in ones and those of admins are for everybody, and only admins change them; others are their owner's.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

from fastapi import Path, Query, Response
from pydantic import Field

from api.auth import CallerDep, require_scope
from api.callers import Caller
from api.compose import Service, ServiceDep
from api.errors import Forbidden
from api.langgraph.common import Body, Id, Limit, Offset, Select, langgraph_router, select_fields
from api.langgraph.run_requests import ConfigBody
from graphs.server import threads
from graphs.server.graph_spec import GraphSpec, validated
from memory.server.assistants import Assistant, AssistantFields, AssistantQuery
from memory.server.threads import Json, Search

router = langgraph_router("assistants")

AssistantId = Annotated[str, Path(min_length=1, max_length=64)]
Title = Annotated[str, Field(min_length=1, max_length=200)]


class AssistantCreate(Body):
    """A new assistant: a graph with options."""

    graph_id: Title
    config: ConfigBody = ConfigBody()
    context: Json = {}
    metadata: Json = {}
    assistant_id: Id | None = None
    if_exists: Literal["raise", "do_nothing"] = "raise"
    name: Title | None = None
    description: Annotated[str, Field(max_length=2000)] | None = None


class AssistantPatch(Body):
    """The changes of a new version."""

    graph_id: Title | None = None
    config: ConfigBody | None = None
    context: Json | None = None
    metadata: Json | None = None
    name: Title | None = None
    description: Annotated[str, Field(max_length=2000)] | None = None


class AssistantSearch(Body):
    """Filters and order of a search for assistants."""

    metadata: Json = {}
    graph_id: str | None = None
    name: str | None = None
    limit: Limit = 10
    offset: Offset = 0
    sort_by: Literal["assistant_id", "graph_id", "name", "created_at", "updated_at"] = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"
    select: Select | None = None


class AssistantCount(Body):
    """Filters of assistants to count."""

    metadata: Json = {}
    graph_id: str | None = None
    name: str | None = None


class VersionSearch(Body):
    """Filters of an assistant's versions."""

    metadata: Json = {}
    limit: Limit = 10
    offset: Offset = 0


class VersionChoice(Body):
    """The version to make current."""

    version: Annotated[int, Field(ge=1, le=10**6)]


@router.post("/assistants", dependencies=[require_scope("learn")])
async def create(body: AssistantCreate, service: ServiceDep, caller: CallerDep) -> Json:
    """Creates an assistant."""
    fields = AssistantFields(
        graph_id=body.graph_id,
        name=body.name or body.graph_id,
        description=body.description,
        config=body.config.model_dump(mode="json", exclude_defaults=True),
        context=body.context,
        metadata=body.metadata,
    )
    _check(fields, service)
    exist_ok = body.if_exists == "do_nothing"
    assistant = await service.assistants.create(
        fields, owner=caller.owner, assistant_id=body.assistant_id, exist_ok=exist_ok
    )
    return _reply(assistant)


@router.post("/assistants/search")
async def search(
    body: AssistantSearch, service: ServiceDep, caller: CallerDep, response: Response
) -> list[Json]:
    """Searches assistants. The header X-Pagination-Next holds the offset of the next page, if any."""
    query = AssistantQuery(owner=caller.owner, **body.model_dump(exclude={"select"}))
    assistants = await service.assistants.search(query.model_copy(update={"limit": query.limit + 1}))
    if len(assistants) > query.limit:
        response.headers["X-Pagination-Next"] = str(query.offset + query.limit)
    return [select_fields(_reply(assistant), body.select) for assistant in assistants[: query.limit]]


@router.post("/assistants/count")
async def count(body: AssistantCount, service: ServiceDep, caller: CallerDep) -> int:
    """Counts assistants."""
    query = AssistantQuery(owner=caller.owner, **body.model_dump(), limit=0)
    return len(await service.assistants.search(query))


@router.get("/assistants/{assistant_id}")
async def show(assistant_id: AssistantId, service: ServiceDep, caller: CallerDep) -> Json:
    """One assistant, by its id or the name of its graph."""
    return _reply(await service.assistants.get(assistant_id, owner=caller.owner))


@router.patch("/assistants/{assistant_id}", dependencies=[require_scope("learn")])
async def amend(
    assistant_id: AssistantId, body: AssistantPatch, service: ServiceDep, caller: CallerDep
) -> Json:
    """Changes an assistant by making a new version."""
    changes = {
        key: value
        for key, value in body.model_dump(mode="json", exclude_unset=True).items()
        if value is not None
    }
    async with _changing(assistant_id, service, caller) as before:
        _check(
            AssistantFields(
                **{key: changes.get(key, getattr(before, key)) for key in AssistantFields.model_fields}
            ),
            service,
        )
        return _reply(await service.assistants.update(assistant_id, changes))


@router.delete("/assistants/{assistant_id}", status_code=204, dependencies=[require_scope("learn")])
async def delete(
    assistant_id: AssistantId, service: ServiceDep, caller: CallerDep, delete_threads: bool = False
) -> None:
    """Deletes an assistant, and with `delete_threads` its threads."""
    async with _changing(assistant_id, service, caller) as assistant:
        await service.assistants.delete(assistant_id)
    query = Search(owner=caller.owner, metadata={"assistant_id": assistant.assistant_id}, limit=100)
    while delete_threads and (batch := await service.executor.threads.search(query)):
        await threads.prune(service.executor, [thread.thread_id for thread in batch], latest=False)


@router.post("/assistants/{assistant_id}/versions")
async def list_versions(
    assistant_id: AssistantId, body: VersionSearch, service: ServiceDep, caller: CallerDep
) -> list[Json]:
    """An assistant's versions, newest first."""
    await service.assistants.get(assistant_id, owner=caller.owner)
    versions = await service.assistants.versions(
        assistant_id, metadata=body.metadata, limit=body.limit, offset=body.offset
    )
    return [_reply(version) for version in versions]


@router.post("/assistants/{assistant_id}/latest", dependencies=[require_scope("learn")])
async def set_version(
    assistant_id: AssistantId, body: VersionChoice, service: ServiceDep, caller: CallerDep
) -> Json:
    """Makes a version the current one."""
    async with _changing(assistant_id, service, caller):
        return _reply(await service.assistants.set_version(assistant_id, body.version))


@router.get("/assistants/{assistant_id}/graph")
async def graph(
    assistant_id: AssistantId,
    service: ServiceDep,
    caller: CallerDep,
    xray: Annotated[bool | int, Query(le=10)] = False,
) -> Json:
    """The graph's nodes and edges, for drawing."""
    drawn = (await _graph_spec(assistant_id, service, caller)).graph.get_graph(xray=xray)
    nodes = [
        {"id": node.id, "type": "runnable", "data": {"name": node.name}} for node in drawn.nodes.values()
    ]
    return {"nodes": nodes, "edges": [_edge(edge) for edge in drawn.edges]}


@router.get("/assistants/{assistant_id}/schemas")
async def schemas(assistant_id: AssistantId, service: ServiceDep, caller: CallerDep) -> Json:
    """JSON schemas of the graph's input, output, state and options."""
    graph_spec = await _graph_spec(assistant_id, service, caller)
    state = graph_spec.graph.get_output_jsonschema()
    return {
        "graph_id": graph_spec.name,
        "input_schema": graph_spec.input.model_json_schema(),
        "output_schema": state,
        "state_schema": state,
        "config_schema": graph_spec.options.model_json_schema(),
        "context_schema": None,
    }


@router.get("/assistants/{assistant_id}/rights")
async def rights(assistant_id: AssistantId, service: ServiceDep, caller: CallerDep) -> Json:
    """What clients may change on the graph's threads: state keys, steps to jump to and to write as."""
    graph_spec = await _graph_spec(assistant_id, service, caller)
    changeable = graph_spec.rights
    return {
        "graph_id": graph_spec.name,
        "keys": sorted(changeable.keys),
        "goto": sorted(changeable.goto),
        "as_node": sorted(changeable.as_node),
    }


@router.get("/assistants/{assistant_id}/subgraphs")
async def subgraphs(
    assistant_id: AssistantId, service: ServiceDep, caller: CallerDep, recurse: bool = False
) -> Json:
    """The graph's subgraphs: always none."""
    await _graph_spec(assistant_id, service, caller)
    return {}


@router.get("/assistants/{assistant_id}/subgraphs/{namespace}")
async def subgraph(
    assistant_id: AssistantId, namespace: str, service: ServiceDep, caller: CallerDep, recurse: bool = False
) -> Json:
    """A subgraph by its namespace: always none."""
    return await subgraphs(assistant_id, service, caller, recurse)


async def _graph_spec(name: str, service: Service, caller: Caller) -> GraphSpec:
    return service.executor.graph_specs[(await service.assistants.get(name, owner=caller.owner)).graph_id]


@asynccontextmanager
async def _changing(name: str, service: Service, caller: Caller) -> AsyncIterator[Assistant]:
    """The assistant, which the caller may change; a change of a shared one is in the audit log.

    Raises UnknownAssistant, and Forbidden for a shared one.
    """
    assistant = await service.assistants.get(name, owner=caller.owner)
    if caller.owner is not None and assistant.owner != caller.owner:
        raise Forbidden(
            f"assistant {name} is everybody's, so only an admin's key may change it: make one of your own"
        )
    if assistant.owner is not None:
        yield assistant
        return
    audit = service.runtime.audit
    async with audit.acting("assistant.change", by=caller.name, subject=assistant.assistant_id):
        yield assistant


def _check(fields: AssistantFields, service: Service) -> None:
    if fields.graph_id not in service.executor.graph_specs:
        raise ValueError(
            f"no graph {fields.graph_id!r}; the graphs are {', '.join(service.executor.graph_specs)}"
        )
    if fields.context:
        raise ValueError("context is not supported: use config.configurable")
    validated(service.executor.graph_specs[fields.graph_id].options, fields.options, "config.configurable")


def _reply(assistant: Assistant) -> Json:
    return assistant.model_dump(mode="json", exclude={"owner"})


def _edge(edge: Any) -> Json:
    reply: Json = {"source": edge.source, "target": edge.target}
    return (
        reply
        | ({"conditional": True} if edge.conditional else {})
        | ({"data": edge.data} if edge.data else {})
    )
