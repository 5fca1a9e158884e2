"""Authentication: the key that a request carries, what it may do, and whose threads and runs it may see.

A service without keys asks nobody; it is for one machine, and listens nowhere else.
"""

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPBearer

from api.callers import Caller, scope_of
from api.compose import Service, ServiceDep
from api.errors import Forbidden, Unauthorized
from memory.errors import UnknownThread
from memory.server.keys import Scope
from memory.server.threads import unknown

BEARER = HTTPBearer(
    auto_error=False, description="A key of `nightschool keys create`, as OpenAI's clients send it."
)
HEADER = APIKeyHeader(
    name="x-api-key", auto_error=False, description="The same, as LangGraph's clients send it."
)


async def caller(
    request: Request,
    service: ServiceDep,
    bearer: Annotated[Any, Depends(BEARER)],
    key: Annotated[str | None, Depends(HEADER)],
) -> Caller:
    """Who asks. Raises Unauthorized."""
    if not await service.keys.required():
        return Caller(owner=None, may=lambda scope: True)
    text = bearer.credentials if bearer is not None else key
    found = await service.keys.find(text) if text else None
    if found is None:
        said = "no such key, or it was revoked" if text else "no key"
        raise Unauthorized(f"{said}: send one of `nightschool keys create` as a bearer token or x-api-key")
    return Caller(owner=None if found.allows("admin") else found.owner, may=found.allows)


Calling = Annotated[Caller, Depends(caller)]


def may(scope: Scope) -> Any:
    """A dependency of routes: the caller needs the scope, and the thread that their path names, if any."""

    async def check(request: Request, service: ServiceDep, calling: Calling) -> None:
        calling.need(scope)
        path = request.path_params
        if "thread_id" in path:
            await own(service, calling, path["thread_id"])
        elif "run_id" in path:  # a learn run's, which is its thread's
            await own(service, calling, path["run_id"], made=True)

    return Depends(check)


async def own(service: Service, calling: Caller, thread_id: str, *, made: bool = False) -> None:
    """Raises UnknownThread for a thread that is another's, as if it were not there.

    Raises Forbidden where the key does not cover the thread's graph. One that is not there yet may be made,
    unless it should have been `made` already.
    """
    if calling.owner is None:
        return
    try:
        thread = await service.executor.threads.get(thread_id)
    except UnknownThread:
        if made:
            raise
        return
    if thread.owner != calling.owner:
        raise unknown(thread_id)
    calling.need(scope_of(str(thread.metadata.get("graph_id"))))


async def opens(service: Service, calling: Caller, thread_id: str) -> bool:
    """Whether the caller may do anything with the thread, or it is not there."""
    try:
        await own(service, calling, thread_id)
    except (UnknownThread, Forbidden):
        return False
    return True
