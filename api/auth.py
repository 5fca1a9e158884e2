"""Authentication and authorisation: who calls, which scopes the caller has, which threads it may access.

Without any keys, authentication is off; the api then listens on loopback only.
"""

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.datastructures import Headers

from api.callers import Caller, scope_of
from api.compose import Service, ServiceDep
from api.errors import Forbidden, Unauthorized
from memory.database.database import RunRecord
from memory.errors import UnknownThread
from memory.records.access import Access
from memory.server.keys import LOCAL_OPERATOR, Scope
from memory.server.threads import unknown

BEARER = HTTPBearer(
    auto_error=False, description="A key made by `nightschool keys create`, as OpenAI's clients send it."
)
HEADER = APIKeyHeader(
    name="x-api-key", auto_error=False, description="The same key, as LangGraph's clients send it."
)


async def identify(service: Service, headers: Headers) -> Caller:
    """The caller, by the key in the headers. Raises Unauthorized, and StoreUnavailable."""
    if not await service.keys.required():
        return Caller(name=LOCAL_OPERATOR, owner=None, allows=lambda scope: True)
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    token = credentials.strip() if scheme.lower() == "bearer" else headers.get("x-api-key")
    key = await service.keys.find(token) if token else None
    if key is None:
        problem = "the key is unknown or was revoked" if token else "a key is required"
        raise Unauthorized(
            f"{problem}: send one made by `nightschool keys create` as a bearer token or x-api-key"
        )
    owner = None if key.allows("admin") else key.owner
    return Caller(name=key.owner, owner=owner, allows=key.allows, key_id=key.id)


async def authenticate(
    request: Request,
    service: ServiceDep,
    bearer: Annotated[Any, Depends(BEARER)],
    header: Annotated[str | None, Depends(HEADER)],
) -> Caller:
    """The caller of the request, as `api.admission` found it. Raises Unauthorized.

    `bearer` and `header` are there for the OpenAPI document.
    """
    caller: Caller | None = getattr(request.state, "caller", None)
    return caller or await identify(service, request.headers)


CallerDep = Annotated[Caller, Depends(authenticate)]


async def access_of(service: ServiceDep, caller: CallerDep) -> Access:
    """What the caller may read and write."""
    return await service.runtime.grants.access(caller.owner)


AccessDep = Annotated[Access, Depends(access_of)]


def require_scope(scope: Scope) -> Any:
    """A dependency of routes, see ScopeCheck."""
    return Depends(ScopeCheck(scope))


class ScopeCheck:
    """The caller needs the scope, and access to the thread in the path, if any."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, request: Request, service: ServiceDep, caller: CallerDep) -> None:
        caller.require(self.scope)
        path = request.path_params
        if "thread_id" in path:
            await check_access(service, caller, path["thread_id"])
        elif "run_id" in path and not await _may_approve(service, caller, request):
            # A learn run, whose thread has the same id.
            await check_access(service, caller, path["run_id"], must_exist=True)


async def _may_approve(service: Service, caller: Caller, request: Request) -> bool:
    """Whether the request reads or decides on a learn run that the caller may approve, whoever owns it.

    Raises UnknownRun.
    """
    reads_or_decides = request.method == "GET" or request.url.path.endswith("/approval")
    if caller.owner is None or not (reads_or_decides and caller.allows("approve")):
        return False
    run = await service.runtime.database.run(request.path_params["run_id"])
    return may_see_run(run, await service.runtime.grants.access(caller.owner))


def may_see_run(run: RunRecord, access: Access) -> bool:
    """Whether a caller who approves may see a learn run of another owner.

    A run that has found no domain may tell of any, so nobody sees it to whom one is hidden.
    """
    return not access.hidden if run.domain is None else access.may_use(run.domain)


async def check_access(service: Service, caller: Caller, thread_id: str, *, must_exist: bool = False) -> None:
    """Checks that the caller may use the thread. One that does not exist passes, unless `must_exist`.

    Raises UnknownThread for a thread of another owner, and Forbidden without the scope of its graph.
    """
    if caller.owner is None:
        return
    try:
        thread = await service.executor.threads.get(thread_id, expired=True)
    except UnknownThread:
        if must_exist:
            raise
        return
    if thread.owner != caller.owner:
        raise unknown(thread_id)
    caller.require(scope_of(str(thread.metadata.get("graph_id"))))


async def has_access(service: Service, caller: Caller, thread_id: str) -> bool:
    """Whether the caller may use the thread, or the thread does not exist."""
    try:
        await check_access(service, caller, thread_id)
    except (UnknownThread, Forbidden):
        return False
    return True
