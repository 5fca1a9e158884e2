"""Spans of OpenTelemetry traces, which cost nothing and go nowhere until `agent.telemetry` exports them.

No span has a text of a user, a document or a model, nor the message of an error, which may quote one.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

NAME = "nightschool"
Attributes = Mapping[str, str | int | float | bool | None]
NO_ATTRIBUTES: Attributes = {}
TRACEPARENT = "traceparent"


def is_on() -> bool:
    """Whether spans are recorded in this process."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


@contextmanager
def span(
    name: str,
    attributes: Attributes = NO_ATTRIBUTES,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: Context | None = None,
    expected: tuple[type[BaseException], ...] = (),
) -> Iterator[Span]:
    """A span around the block, below the current one or `parent`; attributes that are None are left out.

    An error ends it as failed, by the name of its class, unless it is `expected`. Not for generators, between
    whose items the context may change: see `open_span`.
    """
    if not is_on():
        yield trace.INVALID_SPAN
        return
    opened = open_span(name, attributes, kind=kind, parent=parent)
    with trace.use_span(opened, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield opened
        except expected:
            raise
        except BaseException as error:
            failed(opened, error)
            raise


def open_span(
    name: str,
    attributes: Attributes = NO_ATTRIBUTES,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: Context | None = None,
) -> Span:
    """A span that is not made the current one; whoever opens it calls `end` on it."""
    if not is_on():
        return trace.INVALID_SPAN
    known = {key: value for key, value in attributes.items() if value is not None}
    return trace.get_tracer(NAME).start_span(name, context=parent, kind=kind, attributes=known)


def failed(opened: Span, error: BaseException) -> None:
    """Marks the span as failed."""
    opened.set_status(Status(StatusCode.ERROR, type(error).__name__))


def headers(opened: Span) -> dict[str, str]:
    """HTTP headers that continue the trace below this span in another process; empty if tracing is off."""
    carrier: dict[str, str] = {}
    if opened is not trace.INVALID_SPAN:
        propagate.inject(carrier, context=trace.set_span_in_context(opened))
    return carrier


def traceparent() -> str | None:
    """The current span, to continue the trace later by `continued`; None if tracing is off."""
    return headers(trace.get_current_span()).get(TRACEPARENT) if is_on() else None


def continued(carrier: Mapping[str, str]) -> Context:
    """The context to give as `parent` to spans of a trace that these headers continue."""
    return propagate.extract(carrier)
