"""The route by which people's own labelled questions refit a domain's gate."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from agent.chat.domain_calibration import CalibrationReport, LabelledQuestion, calibrate_domain
from agent.chat.routing import route_of_domain
from api.compose import ServiceDep
from api.disconnect import unless_gone
from api.errors import refusals
from memory.records.base import Domain

router = APIRouter(tags=["calibration"])

MOST = 10_000
"""Questions of one request; the limit of a JSON body comes first where they are long."""


class CalibrationRequest(BaseModel):
    """Which domain's gate is refitted, and on what."""

    model_config = ConfigDict(extra="forbid")

    domain: Domain
    questions: list[LabelledQuestion] = Field(min_length=1, max_length=MOST)


@router.post("/v1/calibrations", responses=refusals(400, 404, 413, 422, 503))
async def calibrate(request: CalibrationRequest, service: ServiceDep, http: Request) -> CalibrationReport:
    """Asks labelled questions of a domain's adapter or the base model, and refits its gate on the answers."""
    runtime = service.runtime
    return await unless_gone(
        http,
        calibrate_domain(
            request.questions,
            route_of_domain(request.domain, routes=runtime.routes, base=runtime.base),
            engine=runtime.engine,
            routes=runtime.routes,
            card=runtime.card,
            clock=runtime.clock,
        ),
    )
