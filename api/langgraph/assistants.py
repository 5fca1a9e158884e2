"""Routes of assistants and of information about the service, in LangGraph's format.

What a graph takes and gives is read off the graph.
"""

from typing import Annotated, Any, Literal

from fastapi import Path, Query, Response
from pydantic import Field

from api.auth import CallerDep, require_scope
from api.compose import Service, ServiceDep
from api.langgraph.common import Body, Id, Limit, Offset, Select, picked, surface
from api.langgraph.run_requests import ConfigBody
from graphs.server import threads
from graphs.server.graph_spec import GraphSpec, validated
from memory.server.assistants import Assistant, AssistantFields, AssistantQuery
from memory.server.threads import Json, Search

router = surface("assistants")

Named = Annotated[str, Path(min_length=1, max_length=64)]
Title = Annotated[str, Field(min_length=1, max_length=200)]


class AssistantCreate(Body):
    """A new assistant: a graph, and the options that it is run with."""

    graph_id: Title
    config: ConfigBody = ConfigBody()
    context: Json = {}
    metadata: Json = {}
    assistant_id: Id | None = None
    if_exists: Literal["raise", "do_nothing"] = "raise"
    name: Title | None = None
    description: Annotated[str, Field(max_length=2000)] | None = None


class AssistantPatch(Body):
    """What to change, in a new version."""

    graph_id: Title | None = None
    config: ConfigBody | None = None
    context: Json | None = None
    metadata: Json | None = None
    name: Title | None = None
    description: Annotated[str, Field(max_length=2000)] | None = None


class AssistantSearch(Body):
    """Which assistants, in which order."""

    metadata: Json = {}
    graph_id: str | None = None
    name: str | None = None
    limit: Limit = 10
    offset: Offset = 0
    sort_by: Literal["assistant_id", "graph_id", "name", "created_at", "updated_at"] = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"
    select: Select | None = None


class AssistantCount(Body):
    """Which assistants to count."""

    metadata: Json = {}
    graph_id: str | None = None
    name: str | None = None


class VersionsAsked(Body):
    """Which versions of an assistant."""

    metadata: Json = {}
    limit: Limit = 10
    offset: Offset = 0


class VersionChosen(Body):
    """The version to go back, or on, to."""

    version: Annotated[int, Field(ge=1, le=10**6)]


@router.post("/assistants", dependencies=[require_scope("learn")])
async def create(body: AssistantCreate, service: ServiceDep) -> Json:
    """Creates an assistant."""
    facts = AssistantFields(
        graph_id=body.graph_id,
        name=body.name or body.graph_id,
        description=body.description,
        config=body.config.model_dump(mode="json", exclude_defaults=True),
        context=body.context,
        metadata=body.metadata,
    )
    _check(facts, service)
    exist_ok = body.if_exists == "do_nothing"
    made = await service.assistants.create(facts, assistant_id=body.assistant_id, exist_ok=exist_ok)
    return _reply(made)


@router.post("/assistants/search")
async def search(body: AssistantSearch, service: ServiceDep, response: Response) -> list[Json]:
    """Lists assistants; the header X-Pagination-Next holds the offset of those that are left."""
    wanted = AssistantQuery(**body.model_dump(exclude={"select"}))
    found = await service.assistants.search(wanted.model_copy(update={"limit": wanted.limit + 1}))
    if len(found) > wanted.limit:
        response.headers["X-Pagination-Next"] = str(wanted.offset + wanted.limit)
    return [picked(_reply(assistant), body.select) for assistant in found[: wanted.limit]]


@router.post("/assistants/count")
async def count(body: AssistantCount, service: ServiceDep) -> int:
    """Counts assistants."""
    return len(await service.assistants.search(AssistantQuery(**body.model_dump(), limit=0)))


@router.get("/assistants/{assistant_id}")
async def show(assistant_id: Named, service: ServiceDep) -> Json:
    """One assistant, by its id or by the name of its graph."""
    return _reply(await service.assistants.get(assistant_id))


@router.patch("/assistants/{assistant_id}", dependencies=[require_scope("learn")])
async def amend(assistant_id: Named, body: AssistantPatch, service: ServiceDep) -> Json:
    """Makes a new version."""
    changes = {
        key: value
        for key, value in body.model_dump(mode="json", exclude_unset=True).items()
        if value is not None
    }
    before = await service.assistants.get(assistant_id)
    _check(
        AssistantFields(
            **{key: changes.get(key, getattr(before, key)) for key in AssistantFields.model_fields}
        ),
        service,
    )
    return _reply(await service.assistants.update(assistant_id, changes))


@router.delete("/assistants/{assistant_id}", status_code=204, dependencies=[require_scope("learn")])
async def delete(
    assistant_id: Named, service: ServiceDep, caller: CallerDep, delete_threads: bool = False
) -> None:
    """Deletes an assistant, and with `delete_threads` its threads."""
    found = await service.assistants.get(assistant_id)
    await service.assistants.delete(assistant_id)
    wanted = Search(owner=caller.owner, metadata={"assistant_id": found.assistant_id}, limit=100)
    while delete_threads and (batch := await service.executor.threads.search(wanted)):
        await threads.prune(service.executor, [thread.thread_id for thread in batch], latest=False)


@router.post("/assistants/{assistant_id}/versions")
async def versions(assistant_id: Named, body: VersionsAsked, service: ServiceDep) -> list[Json]:
    """An assistant's versions, newest first."""
    found = await service.assistants.versions(
        assistant_id, metadata=body.metadata, limit=body.limit, offset=body.offset
    )
    return [_reply(one) for one in found]


@router.post("/assistants/{assistant_id}/latest", dependencies=[require_scope("learn")])
async def choose(assistant_id: Named, body: VersionChosen, service: ServiceDep) -> Json:
    """Makes a version the current one."""
    return _reply(await service.assistants.set_version(assistant_id, body.version))


@router.get("/assistants/{assistant_id}/graph")
async def graph(
    assistant_id: Named, service: ServiceDep, xray: Annotated[bool | int, Query(le=10)] = False
) -> Json:
    """The graph's nodes and edges, to be drawn."""
    drawn = (await _graph_spec(assistant_id, service)).graph.get_graph(xray=xray)
    nodes = [
        {"id": node.id, "type": "runnable", "data": {"name": node.name}} for node in drawn.nodes.values()
    ]
    return {"nodes": nodes, "edges": [_edge(edge) for edge in drawn.edges]}


@router.get("/assistants/{assistant_id}/schemas")
async def schemas(assistant_id: Named, service: ServiceDep) -> Json:
    """JSON schemas of what the graph takes and gives."""
    graph_spec = await _graph_spec(assistant_id, service)
    state = graph_spec.graph.get_output_jsonschema()
    return {
        "graph_id": graph_spec.name,
        "input_schema": graph_spec.input.model_json_schema(),
        "output_schema": state,
        "state_schema": state,
        "config_schema": graph_spec.options.model_json_schema(),
        "context_schema": None,
    }


@router.get("/assistants/{assistant_id}/subgraphs")
async def subgraphs(assistant_id: Named, service: ServiceDep, recurse: bool = False) -> Json:
    """The graph's subgraphs: none of ours has any."""
    await _graph_spec(assistant_id, service)
    return {}


@router.get("/assistants/{assistant_id}/subgraphs/{namespace}")
async def subgraph(assistant_id: Named, namespace: str, service: ServiceDep, recurse: bool = False) -> Json:
    """A subgraph by its namespace: none of ours has any."""
    return await subgraphs(assistant_id, service, recurse)


async def _graph_spec(name: str, service: Service) -> GraphSpec:
    return service.executor.graph_specs[(await service.assistants.get(name)).graph_id]


def _check(facts: AssistantFields, service: Service) -> None:
    if facts.graph_id not in service.executor.graph_specs:
        raise ValueError(f"no graph {facts.graph_id!r}: there are {', '.join(service.executor.graph_specs)}")
    if facts.context:
        raise ValueError("the graphs here take no context: use config.configurable")
    validated(service.executor.graph_specs[facts.graph_id].options, facts.options, "config.configurable")


def _reply(assistant: Assistant) -> Json:
    return assistant.model_dump(mode="json")


def _edge(edge: Any) -> Json:
    told: Json = {"source": edge.source, "target": edge.target}
    return (
        told
        | ({"conditional": True} if edge.conditional else {})
        | ({"data": edge.data} if edge.data else {})
    )
