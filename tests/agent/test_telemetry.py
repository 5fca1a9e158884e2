"""Spans reach a collector over OTLP, as the standard variables say."""

import os
import subprocess
import sys
from http.server import ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agent.standard_variables import TracingVariables
from tests.support.stub import JsonHandler, serving

CODE = """
from agent.telemetry import exported_traces
from memory import tracing
with exported_traces("api"), tracing.span("request", {"http.route": "/x"}):
    pass
"""


class Collector(ThreadingHTTPServer):
    """Receives OTLP over HTTP."""

    received: list[tuple[str, bytes]]


class Handler(JsonHandler):
    server: Collector

    def do_POST(self) -> None:  # noqa: N802  # the name that http.server calls
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.received.append((self.path, body))
        self.reply(200, {})


@pytest.mark.slow
def test_the_spans_of_a_process_reach_the_collector_when_it_ends() -> None:
    collector = Collector(("127.0.0.1", 0), Handler)
    collector.received = []
    with serving(collector):
        endpoint = f"http://127.0.0.1:{collector.server_port}"
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_RESOURCE_ATTRIBUTES": "team=ops"}
        subprocess.run([sys.executable, "-c", CODE], check=True, env=os.environ | variables, timeout=120)
    ((path, body),) = collector.received
    assert path == "/v1/traces"
    (sent,) = ExportTraceServiceRequest.FromString(body).resource_spans
    resource = {each.key: each.value.string_value for each in sent.resource.attributes}
    assert resource["service.name"] == "nightschool-api"
    assert resource["team"] == "ops"
    assert [span.name for span in sent.scope_spans[0].spans] == ["request"]


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, None),
        ({"ENDPOINT": "http://c:4318/"}, "http://c:4318/v1/traces"),
        ({"ENDPOINT": "http://c:4317", "PROTOCOL": "grpc"}, "http://c:4317"),
        ({"TRACES_ENDPOINT": "http://c/t"}, "http://c/t"),
    ],
)
def test_the_engine_sends_its_spans_to_the_same_place(
    variables: dict[str, str], url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)
    assert TracingVariables().traces_url == url
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert TracingVariables().traces_url is None
