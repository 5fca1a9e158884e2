"""`/metrics` tells what is counted and what the stores hold, to nobody but whom it is for."""

import re
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.engines.scripted import ScriptedEngine
from agent.nights.report.report import morning_report
from agent.skew.measure import measure_aspect
from agent.skew.records import SkewReport
from api.metrics import catalogue, readings
from api.metrics.counters import Metrics
from graphs.state import Runtime
from memory.errors import StoreUnavailable
from memory.server.keys import SCOPES, ApiKeys
from tests.api.conftest import Serve, asking
from tests.support.nights import WHEN, night

Values = dict[tuple[str, ...], float]
CHAT = "/v1/chat/completions"


async def scraped(client: httpx.AsyncClient, **headers: str) -> dict[str, Values]:
    """The samples of `/metrics`, by name and label values."""
    reply = await client.get("/metrics", headers=headers)
    assert reply.status_code == 200
    found: dict[str, Values] = {}
    for family in text_string_to_metric_families(reply.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


@pytest.fixture(autouse=True)
def read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "CACHE_SECONDS", 0.0)


async def test_turns_tokens_gate_decisions_and_requests_are_counted(serve: Serve, runtime: Runtime) -> None:
    async with serve(runtime) as client:
        before = await scraped(client)
        reply = await client.post(CHAT, json=asking("Where is the Zork of Blimp?"))
        await client.post(CHAT, json=asking(""))
        after = await scraped(client)
    assert reply.status_code == 200
    assert sum(before["nightschool_turns_total"].values()) == 0
    assert sum(after["nightschool_turns_total"].values()) == 1
    assert sum(after["nightschool_gate_decisions_total"].values()) == 1
    assert after["nightschool_answer_entropy_nats_count"] == {(): 1.0}
    usage = reply.json()["usage"]
    assert after["nightschool_tokens_total"][("prompt",)] == usage["prompt_tokens"]
    assert after["nightschool_tokens_total"][("completion",)] == usage["completion_tokens"]
    requests = after["nightschool_http_requests_total"]
    assert requests[("POST", CHAT, "200")] == 1
    assert requests[("GET", "/metrics", "200")] == 1
    assert after["nightschool_http_request_seconds_count"][(CHAT,)] == 2
    assert after["nightschool_gaps"] == {("open",): 1.0}


async def test_label_values_are_templates_and_words_of_ours(learning: httpx.AsyncClient) -> None:
    """A stranger who sends many paths, methods and ids makes no new series of each."""
    for name in ("wilhelmina", "zebulon"):
        await learning.get(f"/threads/00000000-0000-0000-0000-00000000000{len(name)}")
        await learning.get(f"/no/{name}")
        await learning.request(f"X{name.upper()}", f"/v1/gaps/{name}")
        await learning.get("/v1/models", headers={"host": f"{name}.example"})
    text = (await learning.get("/metrics")).text
    routes = set(re.findall(r'route="([^"]*)"', text))
    assert "/threads/{thread_id}" in routes
    assert not any("wilhelmina" in line.lower() or "zebulon" in line.lower() for line in text.splitlines())
    assert set(re.findall(r'method="([^"]*)"', text)) <= {"GET", "POST", "other"}


async def test_a_stranger_reads_no_metrics_once_there_are_keys(serve: Serve, runtime: Runtime) -> None:
    keys = ApiKeys(runtime.database)
    texts = {scope: (await keys.create(f"holder of {scope}", scope))[1] for scope in SCOPES}
    async with serve(runtime) as client:
        assert (await client.get("/metrics")).status_code == 401
        statuses = {
            scope: (await client.get("/metrics", headers={"x-api-key": text})).status_code
            for scope, text in texts.items()
        }
        with_metrics_key = await client.get("/v1/models", headers={"x-api-key": texts["metrics"]})
    assert statuses == {scope: 200 if scope in ("metrics", "admin") else 403 for scope in SCOPES}
    assert with_metrics_key.status_code == 403


async def test_no_rate_limit_counts_a_scrape_but_refusals_are_metrics(serve: Serve, runtime: Runtime) -> None:
    keys = ApiKeys(runtime.database)
    _, metrics = await keys.create("prometheus", "metrics")
    _, chat = await keys.create("ada", "chat")
    async with serve(runtime, rate_requests=1) as client:
        for _ in range(3):
            found = await scraped(client, **{"x-api-key": metrics})
        statuses = [
            (await client.get("/v1/models", headers={"x-api-key": chat})).status_code for _ in range(2)
        ]
        await client.get("/metrics", headers={"x-api-key": chat})
        after = await scraped(client, **{"x-api-key": metrics})
    assert statuses == [200, 429]
    assert found["nightschool_rate_limit_refusals_total"][("requests",)] == 0
    assert after["nightschool_rate_limit_refusals_total"][("requests",)] == 2


async def test_the_stores_are_read_once_however_often_metrics_are_asked_for(
    serve: Serve, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "CACHE_SECONDS", 60.0)
    engine = ScriptedEngine()
    asked = 0

    async def loaded() -> tuple[str, ...]:
        nonlocal asked
        asked += 1
        return ()

    monkeypatch.setattr(engine, "loaded", loaded)
    async with serve(replace(runtime, engine=engine)) as client:
        for _ in range(5):
            await scraped(client)
    assert asked == 2  # for readiness, and for the adapters in it


async def test_of_a_store_that_fails_no_metric_is_reported_and_the_others_are(
    serve: Serve, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def count() -> int:
        raise StoreUnavailable("the disk is full", part="the passages")

    monkeypatch.setattr(runtime.episodic, "count", count)
    async with serve(runtime) as client:
        found = await scraped(client)
    assert "nightschool_passages" not in found
    assert set(found["nightschool_facts"]) == {()}
    assert found["nightschool_part_ready"][("database",)] == 1


async def test_ended_runs_and_ingested_documents_are_counted(learning: httpx.AsyncClient) -> None:
    before = await scraped(learning)
    await learning.post("/v1/documents?source=lamps.md", content="# Lamps\n\nThe lamp stands in Berlin.")
    body = {"assistant_id": "chat", "input": {"messages": [{"role": "user", "content": "Hello!"}]}}
    assert (await learning.post("/runs/wait", json=body)).status_code == 200
    found = await scraped(learning)
    assert found["nightschool_ingested_total"][("documents",)] == 1
    assert found["nightschool_passages"][()] == before["nightschool_passages"][()] + 1
    assert found["nightschool_runs_ended_total"] == {("chat", "success"): 1.0}


def test_every_metric_that_is_registered_is_in_the_catalogue() -> None:
    """The reference page is made from the catalogue."""
    registered = {name for name in Metrics().registry._names_to_collectors if name.startswith("nightschool_")}
    documented = {each.name for each in catalogue.ALL}
    endings = re.compile(r"_(created|bucket|count|sum)$")
    bare = {each.name.removesuffix("_total") for each in catalogue.ALL}
    assert {endings.sub("", name) for name in registered} - documented - bare == set()
    assert documented - registered == set()
    assert len({each.name for each in catalogue.ALL}) == len(catalogue.ALL)


async def test_alarms_about_skew_are_those_of_each_domains_latest_report(
    serve: Serve, runtime: Runtime
) -> None:
    skewed = measure_aspect("sources", {"a.md": 90, "b.md": 10}, {})
    for number, aspects in enumerate(((skewed, skewed), (skewed,))):
        until = WHEN + timedelta(days=number)
        begun = await runtime.nights.begin(night(f"n{number}", until=until, began_at=until))
        skew = SkewReport(domain="rust", since=WHEN, until=WHEN, aspects=aspects)
        made = morning_report(begun, turns=(), scores=(), skew=skew).model_dump(mode="json")
        await runtime.nights.update(begun.model_copy(update={"status": "done", "summary": made}))
    async with serve(runtime) as client:
        counts = (await scraped(client))["nightschool_skew_alarms"]
    assert (counts[("sources",)], counts[("topics",)]) == (1, 0)
