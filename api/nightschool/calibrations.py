"""The calibration route: refits a domain's gate on the caller's labelled questions."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from agent.chat.domain_calibration import CalibrationReport, LabelledQuestion, calibrate_domain
from agent.chat.routing import route_of_domain
from api.auth import CallerDep
from api.compose import ServiceDep
from api.disconnect import cancel_on_disconnect
from api.errors import openai_errors
from memory.records.base import Domain

router = APIRouter(tags=["calibration"])

MAX_QUESTIONS = 10_000
"""Most questions in a request; long ones reach the limit of JSON bodies first."""


class CalibrationRequest(BaseModel):
    """The domain whose gate to refit, and the labelled questions."""

    model_config = ConfigDict(extra="forbid")

    domain: Domain
    questions: list[LabelledQuestion] = Field(min_length=1, max_length=MAX_QUESTIONS)


@router.post("/v1/calibrations", responses=openai_errors(400, 404, 413, 422, 503))
async def calibrate(
    request: CalibrationRequest, service: ServiceDep, caller: CallerDep, http: Request
) -> CalibrationReport:
    """Asks labelled questions of a domain's adapter or the base model, and refits its gate on the answers."""
    runtime = service.runtime
    calibration = calibrate_domain(
        request.questions,
        route_of_domain(request.domain, routes=runtime.routes, base=runtime.base),
        engine=runtime.engine,
        routes=runtime.routes,
        card=runtime.card,
        clock=runtime.clock,
    )
    details = {"questions": len(request.questions)}
    async with runtime.audit.acting(
        "gate.calibrate", by=caller.name, subject=request.domain, details=details
    ):
        return await cancel_on_disconnect(http, calibration)
