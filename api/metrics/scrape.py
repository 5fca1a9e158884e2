"""The route `/metrics`: everything in Prometheus's text format, for keys of scope `metrics` or `admin`."""

import asyncio
from functools import partial

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import choose_encoder

from api.compose import ServiceDep
from api.errors import openai_errors
from api.metrics.stores import read_stores

PATH = "/metrics"
CONTENT_TYPES = ("text/plain", "application/openmetrics-text")
router = APIRouter(tags=["health"])


@router.get(
    PATH,
    response_class=Response,
    responses=openai_errors(503)
    | {200: {"content": {kind: {"schema": {"type": "string"}} for kind in CONTENT_TYPES}}},
)
async def scrape(request: Request, service: ServiceDep) -> Response:
    """The metrics of this process and of the stores, in Prometheus's text format, or OpenMetrics' if it is
    accepted.

    The stores are asked at most every ten seconds. Several api processes report each its own counts.
    """
    await service.metrics.readings.refresh(partial(read_stores, service))
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    text = await asyncio.to_thread(encode, service.metrics.registry)
    return Response(text, media_type=content_type)
