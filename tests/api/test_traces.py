"""A trace goes from the request through the graph's steps to the model, and tells no text."""

import subprocess
import sys
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
from opentelemetry import trace

from agent.engines.scripted import ScriptedEngine
from agent.errors import EngineUnavailable
from graphs.state import Runtime
from memory import tracing
from memory.outbox.base import job_of
from tests.api.conftest import Serve, asking
from tests.support.adapters import curriculum
from tests.support.tracing import Spans

CHAT = "/v1/chat/completions"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    return Spans(monkeypatch)


async def test_a_trace_goes_from_the_clients_request_to_the_model(
    serve: Serve, runtime: Runtime, spans: Spans
) -> None:
    async with serve(runtime) as client:
        reply = await client.post(CHAT, json=asking("Hello there!"), headers=PARENT)
    assert reply.status_code == 200
    assert spans.parents("ask model")[-1] == f"POST {CHAT}"
    assert spans.parents("ask model")[0].startswith("step ")
    assert {f"{each.context.trace_id:032x}" for each in spans.ended if each.context} == {TRACE}
    asked = spans.named("ask model").attributes
    assert asked is not None
    assert asked["gen_ai.usage.output_tokens"] == reply.json()["usage"]["completion_tokens"]
    request = spans.named(f"POST {CHAT}").attributes
    assert request is not None
    assert request["nightschool.request_id"] == reply.headers["x-request-id"]


async def test_a_run_is_in_the_trace_of_its_request_with_its_id(
    serve: Serve, runtime: Runtime, spans: Spans
) -> None:
    body = {"assistant_id": "chat", "input": {"messages": [{"role": "user", "content": "Hello!"}]}}
    async with serve(runtime, learning=True) as client:
        reply = await client.post("/runs/wait", json=body, headers=PARENT)
    assert spans.parents("step remember") == ["run chat", "POST /runs/wait"]
    run = spans.named("run chat").attributes
    assert run is not None
    assert run["nightschool.run_id"] in reply.headers["content-location"]


async def test_no_span_has_a_text_of_a_user_a_key_or_an_errors_message(
    serve: Serve, runtime: Runtime, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = ScriptedEngine()

    async def stream(*args: object, **kwargs: object) -> AsyncGenerator[None, None]:
        raise EngineUnavailable("the prompt was: Zanzibar")
        yield

    monkeypatch.setattr(engine, "stream", stream)
    async with serve(replace(runtime, engine=engine)) as client:
        reply = await client.post(CHAT, json=asking("Zanzibar?"), headers={"x-api-key": "nsk_secret"})
        await client.get("/v1/interactions/zanzibar-7?secret=zanzibar")
    assert reply.status_code == 503
    assert spans.named("ask model").status.description == "EngineUnavailable"
    assert "zanzibar" not in spans.text.lower()
    assert "nsk_secret" not in spans.text


async def test_machines_that_ask_every_few_seconds_make_no_spans(serve: Serve, spans: Spans) -> None:
    async with serve() as client:
        for path in ("/healthz", "/readyz", "/metrics"):
            await client.get(path)
    assert spans.ended == ()


def test_a_training_job_continues_the_trace_of_its_run(spans: Spans) -> None:
    with tracing.span("run learn") as opened:
        job = job_of(curriculum("lamps"), "run-1")
    assert job.traceparent is not None
    with tracing.span("train lesson", parent=tracing.continued({"traceparent": job.traceparent})):
        pass
    assert spans.named("train lesson").context.trace_id == opened.get_span_context().trace_id
    assert spans.parents("train lesson") == ["run learn"]


def test_a_malformed_traceparent_begins_a_trace_of_its_own(spans: Spans) -> None:
    with tracing.span("request", parent=tracing.continued({"traceparent": "00-x-y-01\n"})):
        pass
    assert spans.named("request").parent is None


def test_nothing_is_traced_without_an_endpoint() -> None:
    """In a new process, because another test may have switched traces on in this one."""
    code = (
        "import sys\n"
        "from agent.telemetry import exported_traces\n"
        "from memory.outbox.base import job_of\n"
        "from memory import tracing\n"
        "with exported_traces('api'), tracing.span('request') as span:\n"
        "    assert not tracing.is_on()\n"
        "    assert tracing.traceparent() is None\n"
        "    assert tracing.headers(span) == {}\n"
        "    assert not any(name.startswith('opentelemetry.sdk') for name in sys.modules)\n"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={"PATH": "", "PYTHONPATH": ":".join(sys.path)}
    )


def test_an_unknown_protocol_is_refused_with_what_to_use(monkeypatch: pytest.MonkeyPatch) -> None:
    from agent.telemetry import exported_traces

    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon")
    with pytest.raises(ValueError, match="use grpc or http/protobuf"), exported_traces("api"):
        pass
