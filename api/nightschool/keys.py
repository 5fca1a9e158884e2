"""The route that lists API keys.

They are made and revoked by `nightschool keys` alone, on the machine itself: an admin's stolen key makes no
others, and neither does the api's role in PostgreSQL.
"""

from fastapi import APIRouter

from api.compose import ServiceDep
from api.errors import openai_errors
from memory.server.keys import ApiKey

router = APIRouter(prefix="/v1/keys", tags=["access"])


@router.get("", responses=openai_errors(503))
async def listing(service: ServiceDep) -> list[ApiKey]:
    """All API keys with their owners and scopes, without their secrets; also revoked ones, oldest first."""
    return list(await service.keys.list())
