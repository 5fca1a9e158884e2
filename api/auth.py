"""Owns who calls: the key that a request carries, what it may do, and whose threads and runs it may see.

A service without keys asks nobody; it is for one machine, and listens nowhere else.
"""

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPBearer

from api.callers import Caller
from api.compose import Given, Service
from api.errors import Unauthorized
from memory.keys import Scope
from memory.threads import unknown

BEARER = HTTPBearer(
    auto_error=False, description="A key of `nightschool keys create`, as OpenAI's clients send it."
)
HEADER = APIKeyHeader(
    name="x-api-key", auto_error=False, description="The same, as LangGraph's clients send it."
)


async def caller(
    request: Request,
    given: Given,
    bearer: Annotated[Any, Depends(BEARER)],
    key: Annotated[str | None, Depends(HEADER)],
) -> Caller:
    """Who asks. Raises Unauthorized."""
    if not await given.keys.needed():
        return Caller(owner=None, may=lambda scope: True)
    text = bearer.credentials if bearer is not None else key
    found = await given.keys.find(text) if text else None
    if found is None:
        said = "no such key, or it was revoked" if text else "no key"
        raise Unauthorized(f"{said}: send one of `nightschool keys create` as a bearer token or x-api-key")
    return Caller(owner=None if found.may("admin") else found.owner, may=found.may)


Calling = Annotated[Caller, Depends(caller)]


def may(scope: Scope) -> Any:
    """A dependency of routes: the caller needs the scope, and the thread that their path names, if any."""

    async def check(request: Request, given: Given, calling: Calling) -> None:
        calling.need(scope)
        named = request.path_params.get("thread_id", request.path_params.get("run_id"))  # a learn run's
        if named is not None and calling.owner is not None:
            await own(given, calling, str(named))

    return Depends(check)


async def own(given: Service, calling: Caller, thread_id: str) -> None:
    """Raises UnknownThread for a thread that is another's, as if it were not there."""
    if not await given.executor.threads.open_to(calling.owner, thread_id):
        raise unknown(thread_id)
