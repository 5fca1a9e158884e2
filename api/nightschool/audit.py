"""Routes of the audit log: its rows a page at a time, one JSON object a line, and whether it is intact."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from api.compose import ServiceDep
from api.errors import openai_errors
from api.limits import reject_nul
from memory.records.moments import Moment
from memory.server.audit import AuditRecord, Verification

router = APIRouter(prefix="/v1/audit", tags=["audit"], dependencies=[Depends(reject_nul)])

MAX_NUMBER = 2**31 - 1


@router.get(
    "",
    response_class=Response,
    responses=openai_errors(400, 422, 503)
    | {200: {"model": AuditRecord, "content": {"application/x-ndjson": {}}}},
)
async def listing(
    service: ServiceDep,
    action: Annotated[str | None, Query(max_length=200)] = None,
    by: Annotated[str | None, Query(max_length=1000)] = None,
    since: Annotated[
        Moment | None, Query(description="Rows from then on; without a time zone in UTC.")
    ] = None,
    after: Annotated[
        int, Query(ge=0, le=MAX_NUMBER, description="Number of the last row of the page before.")
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """Who approved, promoted, forgot or granted what: rows of the audit log, oldest first."""
    rows = await service.runtime.audit.list(action=action, by=by, since=since, after=after, limit=limit)
    lines = "".join(f"{row.model_dump_json()}\n" for row in rows)
    return Response(lines, media_type="application/x-ndjson")


@router.get("/verification", responses=openai_errors(503))
async def verification(service: ServiceDep) -> Verification:
    """Checks the hashes of all rows, and names the first row that was altered, moved or removed."""
    return await service.runtime.audit.verify()
