"""The route of webhooks: the secret that verifies those of the caller's runs."""

from fastapi import APIRouter
from pydantic import BaseModel

from api.auth import CallerDep
from api.compose import ServiceDep
from api.errors import openai_errors

router = APIRouter(tags=["access"])


class WebhookSecret(BaseModel):
    """A secret in the format of Standard Webhooks: `whsec_` and base64."""

    secret: str


@router.get("/v1/webhooks/secret", responses=openai_errors(400))
async def secret(service: ServiceDep, caller: CallerDep) -> WebhookSecret:
    """The secret that webhooks of the caller's runs are signed with; every owner has one of its own."""
    webhooks = service.run_service.webhooks
    if webhooks is None:
        raise ValueError("the service sends no webhooks: set NIGHTSCHOOL_WEBHOOK_SECRET")
    return WebhookSecret(secret=webhooks.secret_of(caller.owner))
