"""The route that tells a caller who it is: the owner of its key, and what the key allows."""

from fastapi import APIRouter
from pydantic import BaseModel

from api.auth import CallerDep
from api.errors import openai_errors
from memory.server.keys import SCOPES, Scope

router = APIRouter(tags=["health"])


class CallerReply(BaseModel):
    """Who sent the request."""

    owner: str
    """Owner of the key; `local operator` where no key is required."""
    scopes: tuple[Scope, ...]


@router.get("/v1/caller", responses=openai_errors(503))
async def who(caller: CallerDep) -> CallerReply:
    """The owner of the caller's key and the scopes that it has."""
    return CallerReply(owner=caller.name, scopes=tuple(scope for scope in SCOPES if caller.allows(scope)))
