"""Spans in RAM, for tests of traces."""

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Spans:
    """The spans that have ended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)

    @property
    def ended(self) -> tuple[ReadableSpan, ...]:
        """All spans, in the order in which they ended."""
        return tuple(self._exporter.get_finished_spans())

    def named(self, name: str) -> ReadableSpan:
        """The only span of this name."""
        (found,) = [each for each in self.ended if each.name == name]
        return found

    def parents(self, name: str) -> list[str]:
        """The names of the spans above the one of this name, from below."""
        by_id = {each.context.span_id: each for each in self.ended if each.context is not None}
        above, current = [], self.named(name)
        while current.parent is not None and current.parent.span_id in by_id:
            current = by_id[current.parent.span_id]
            above.append(current.name)
        return above

    @property
    def text(self) -> str:
        """Everything that the spans say."""
        return "\n".join(each.to_json() for each in self.ended)
