"""Exports traces with OpenTelemetry's SDK by its standard OTEL_ variables; off without an endpoint."""

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from opentelemetry import trace

from agent.standard_variables import TracingVariables

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

log = logging.getLogger(__name__)


@contextmanager
def exported_traces(process: str) -> Iterator[None]:
    """Exports the spans of this process, such as `api`, while the block runs, the last ones at its end.

    Does nothing, and imports no SDK, unless an endpoint is set. Raises ValueError for an unknown protocol.
    """
    variables = TracingVariables()
    if not variables.on:
        yield
        return
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = {} if variables.service_name else {"service.name": f"nightschool-{process}"}
    resource = Resource.create(
        {
            **named,
            "service.namespace": "nightschool",
            "service.version": version("nightschool"),
            "service.instance.id": uuid.uuid4().hex,
            "nightschool.process": process,
        }
    )
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(_exporter(variables.protocol)))
    trace.set_tracer_provider(provider)
    log.info("traces are exported over OTLP (%s)", variables.protocol)
    try:
        yield
    finally:
        provider.shutdown()


def flush() -> None:
    """Sends the spans that wait, before the process ends without cleaning up."""
    provider = trace.get_tracer_provider()
    if (force := getattr(provider, "force_flush", None)) is not None:
        force(timeout_millis=2000)


def _exporter(protocol: str) -> "SpanExporter":
    try:
        if protocol == "grpc":
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc

            return Grpc()
        if protocol == "http/protobuf":
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http

            return Http()
    except ImportError as error:
        raise ValueError(
            f"traces need {error.name}: run `pip install 'nightschool[traces]'`, or unset the OTEL_ variables"
        ) from error
    raise ValueError(f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol}: use grpc or http/protobuf")
