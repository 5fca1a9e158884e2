"""Experiments are started, watched, checked and stopped over HTTP, and decided by their figures."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from agent.engines.scripted import ScriptedEngine
from api.experiment_loops import experiment_checks
from graphs.state import Runtime
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.records.experiments import CONTROL, Experiment
from memory.server.keys import ApiKeys
from tests.api.conftest import Serve, asking
from tests.graphs.conftest import Clock
from tests.support.adapters import adapter
from tests.support.experiments import CANDIDATE, GENERAL, LEMUR, LIVE, fill, served

PATH = "/v1/experiments"


@pytest.fixture
async def changed(runtime: Runtime) -> Runtime:
    """A runtime with a candidate adapter for the default domain."""
    prepared = served(runtime)
    await prepared.routes.refresh()
    return prepared


@pytest.fixture
async def client(serve: Serve, changed: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(changed) as opened:
        yield opened


def body(**fields: Any) -> dict[str, Any]:
    """A request to try the default domain's adapter."""
    variants = [{"name": "polite", "adapter": GENERAL.name}]
    return {"domain": "general", "variants": variants, "holdout": 0.0} | fields


async def started(client: httpx.AsyncClient, **fields: Any) -> Experiment:
    reply = await client.post(PATH, json=body(**fields))
    assert reply.status_code == 201, reply.text
    return Experiment.model_validate(reply.json())


def code(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["error"]["code"]


async def test_an_experiment_starts_with_its_control_and_loads_its_adapters(
    client: httpx.AsyncClient, changed: Runtime
) -> None:
    experiment = await started(client)
    assert [(v.name, v.share, v.adapter) for v in experiment.variants] == [
        (CONTROL, 0.5, None),
        ("polite", 0.5, GENERAL.name),
    ]
    assert GENERAL.name in await changed.engine.loaded()
    assert [each["id"] for each in (await client.get(PATH, params={"status": "running"})).json()] == [
        experiment.id
    ]


async def test_users_are_divided_from_then_on_and_no_longer_after_the_stop(client: httpx.AsyncClient) -> None:
    async def adapters() -> set[str | None]:
        replies = [
            (await client.post("/v1/chat/completions", json=asking(LEMUR, user=f"user-{n}"))).json()
            for n in range(20)
        ]
        return {reply["nightschool"]["adapter"] for reply in replies}

    experiment = await started(client)
    assert await adapters() == {None, GENERAL.name}
    report = (await client.get(f"{PATH}/{experiment.id}")).json()
    assert report["units"] == 20
    stopped = await client.post(f"{PATH}/{experiment.id}/stop", json={"reason": "enough"})
    assert stopped.json()["status"] == "stopped"
    assert stopped.json()["log"][-1]["reason"] == "enough"
    assert await adapters() == {None}


async def test_shares_that_are_left_out_divide_the_rest(client: httpx.AsyncClient) -> None:
    variants = [
        {"name": "a", "adapter": GENERAL.name, "share": 0.2},
        {"name": "b", "system_prompt": "Be brief."},
    ]
    experiment = await started(client, variants=variants)
    assert [round(variant.share, 6) for variant in experiment.variants] == [0.4, 0.2, 0.4]


@pytest.mark.parametrize(
    ("variants", "said"),
    [
        ([{"name": "control"}], "needs a variant beside the control"),
        ([{"name": "same"}], "is like the control"),
        (
            [{"name": "a", "adapter": GENERAL.name, "share": 0.9}, {"name": "control", "share": 0.3}],
            "add up to 1",
        ),
        ([{"name": "a", "adapter": LIVE.name}], "is an adapter of the domain 'rust'"),
        ([{"name": "a", "adapter": GENERAL.name}, {"name": "a", "system_prompt": "x"}], "different names"),
        ([{"name": "holdout", "adapter": GENERAL.name}], "none may be called"),
        ([{"name": f"v{n}", "adapter": GENERAL.name} for n in range(8)], "at most 8 variants"),
    ],
)
async def test_variants_that_cannot_be_compared_are_refused(
    client: httpx.AsyncClient, variants: list[dict[str, Any]], said: str
) -> None:
    reply = await client.post(PATH, json=body(variants=variants))
    assert reply.status_code == 400, reply.text
    assert said in reply.json()["error"]["message"]
    assert (await client.get(PATH)).json() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"coverage": 1.5},
        {"alpha": 0},
        {"minimum": 0},
        {"goal": "money"},
        {"variants": []},
        {"variants": [{"name": "No Name", "adapter": GENERAL.name}]},
        {"variants": [{"name": "a", "adapter": "nonsense"}]},
        {"variants": [{"name": "a", "adapter": GENERAL.name, "share": 0}]},
        {"salt": "chosen"},
        {"holdout": 1},
        {"planned": 10**400},
        {"minimum": 10**400},
        {"variants": [{"name": "a", "system_prompt": " \n"}]},
    ],
)
async def test_a_malformed_request_is_refused(client: httpx.AsyncClient, wrong: dict[str, Any]) -> None:
    assert (await client.post(PATH, json=body(**wrong))).status_code == 422


@pytest.mark.parametrize(
    "wrong",
    [
        {"planned": 4, "minimum": 30},
        {"planned": 1000, "minimum": 30, "variants": [{"name": "a", "system_prompt": "x", "share": 0.02}]},
        {"planned": 1000, "minimum": 30, "variants": [{"name": "a", "system_prompt": "x", "share": 0.99}]},
    ],
)
async def test_an_experiment_that_ends_before_it_can_be_decided_is_refused(
    client: httpx.AsyncClient, wrong: dict[str, Any]
) -> None:
    reply = await client.post(PATH, json=body(**wrong))
    assert reply.status_code == 400
    assert "30 are the minimum of each variant: plan more units" in reply.json()["error"]["message"]


async def test_texts_that_say_nothing_or_cannot_be_stored_are_refused(client: httpx.AsyncClient) -> None:
    assert (await client.post(PATH, json=body(name="a\0b"))).status_code == 400
    assert (await started(client, name=" ")).name == "polite"
    [experiment] = (await client.get(PATH)).json()
    for reason, status in ((" \n", 422), ("\0", 400)):
        reply = await client.post(f"{PATH}/{experiment['id']}/stop", json={"reason": reason})
        assert reply.status_code == status


async def test_two_experiments_on_one_domain_are_refused(client: httpx.AsyncClient) -> None:
    first = await started(client)
    reply = await client.post(PATH, json=body())
    assert code(reply) == (409, "already_exists")
    assert first.id in reply.json()["error"]["message"]


async def test_unknown_rejected_and_broken_adapters_are_refused(
    client: httpx.AsyncClient, changed: Runtime
) -> None:
    rejected = adapter("general", 3, rejected=True)
    broken = adapter("general", 4)
    assert isinstance(changed.registry, VolatileAdapterRegistry)
    changed.registry.register(rejected)
    changed.registry.register(broken)  # the engine answers as without it

    async def tried(name: str) -> tuple[int, str]:
        return code(await client.post(PATH, json=body(variants=[{"name": "a", "adapter": name}])))

    assert await tried("general-v9-00000000") == (404, "model_not_found")
    assert await tried(rejected.name) == (409, "adapter_not_servable")
    assert await tried(broken.name) == (409, "canary_failed")


async def test_a_domain_that_nothing_serves_is_refused(client: httpx.AsyncClient) -> None:
    reply = await client.post(PATH, json=body(domain="python"))
    assert code(reply) == (404, "model_not_found")


@pytest.mark.parametrize("path", ["", "/check", "/stop", "/coverage"])
async def test_an_unknown_experiment_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    bodies = {"/stop": {"reason": "x"}, "/coverage": {"coverage": 0.5}}
    where = f"{PATH}/nowhere{path}"
    reply = await (client.post(where, json=bodies.get(path)) if path else client.get(where))
    assert code(reply) == (404, "experiment_not_found")


async def test_only_an_admin_may_experiment(client: httpx.AsyncClient, changed: Runtime) -> None:
    _, key = await ApiKeys(changed.database).create("ada", "learn")
    assert (await client.get(PATH, headers={"x-api-key": key})).status_code == 403


async def test_the_coverage_changes_and_is_logged(client: httpx.AsyncClient) -> None:
    experiment = await started(client)
    reply = await client.post(f"{PATH}/{experiment.id}/coverage", json={"coverage": 0.25})
    assert (reply.json()["coverage"], reply.json()["log"][-1]["action"]) == (0.25, "changed")
    await client.post(f"{PATH}/{experiment.id}/stop", json={"reason": "enough"})
    again = await client.post(f"{PATH}/{experiment.id}/coverage", json={"coverage": 1})
    assert (again.status_code, "has ended" in again.json()["error"]["message"]) == (400, True)


async def test_a_check_without_enough_users_says_what_is_missing(client: httpx.AsyncClient) -> None:
    experiment = await started(client, minimum=30)
    report = (await client.post(f"{PATH}/{experiment.id}/check")).json()
    assert report["lacking"] == {CONTROL: 30, "polite": 30}
    assert report["experiment"]["status"] == "running"
    assert report["experiment"]["log"][-1]["reason"].startswith("waiting for the minimum of 30 units")


async def test_a_winner_becomes_live_and_serves_everybody(
    client: httpx.AsyncClient, changed: Runtime
) -> None:
    experiment = await started(client, minimum=30, prove_guardrails=False)
    await fill(changed, experiment, {CONTROL: 0.1, "polite": 0.9})
    report = (await client.post(f"{PATH}/{experiment.id}/check")).json()
    assert (report["experiment"]["status"], report["decision"]) == ("promoted", None)
    assert report["experiment"]["log"][-1]["variant"] == "polite"
    live = changed.registry.live("general")
    assert live is not None
    assert live.name == GENERAL.name
    reply = await client.post("/v1/chat/completions", json=asking(LEMUR))
    assert reply.json()["nightschool"]["adapter"] == GENERAL.name


async def test_harm_is_rolled_back_to_the_control(client: httpx.AsyncClient, changed: Runtime) -> None:
    experiment = await started(client, minimum=30)
    await fill(changed, experiment, {CONTROL: 0.5})
    await fill(changed, experiment, {"polite": 0.9}, outcome="abstained")
    report = (await client.post(f"{PATH}/{experiment.id}/check")).json()
    assert report["experiment"]["status"] == "rolled_back"
    assert changed.registry.live("general") is None
    (treatment,) = report["variants"][1:]
    statuses = {each["metric"]: each["status"] for each in treatment["guardrails"]}
    assert statuses["abstention"] == "fails"


async def test_a_winner_that_cannot_be_loaded_raises_an_alarm_and_goes_on(
    client: httpx.AsyncClient, changed: Runtime
) -> None:
    experiment = await started(client, minimum=30, prove_guardrails=False)
    await fill(changed, experiment, {CONTROL: 0.1, "polite": 0.9})
    assert isinstance(changed.engine, ScriptedEngine)
    changed.engine.restart()
    changed.engine._refused[GENERAL.name] = "its folder is gone"
    report = (await client.post(f"{PATH}/{experiment.id}/check")).json()
    assert report["experiment"]["status"] == "running"
    last = report["experiment"]["log"][-1]
    assert (last["action"], "its folder is gone" in last["reason"]) == ("alarm", True)
    assert changed.registry.live("general") is None


async def test_a_prompt_that_wins_is_reported_to_the_operator(
    client: httpx.AsyncClient, changed: Runtime
) -> None:
    variants = [{"name": "polite", "system_prompt": "Be polite."}]
    experiment = await started(client, variants=variants, minimum=30, prove_guardrails=False)
    await fill(changed, experiment, {CONTROL: 0.1, "polite": 0.9})
    report = (await client.post(f"{PATH}/{experiment.id}/check")).json()
    assert report["experiment"]["status"] == "promoted"
    assert "put its system prompt into your application" in report["experiment"]["log"][-1]["reason"]
    assert changed.registry.live("general") is None


async def test_an_experiment_ends_when_another_adapter_goes_live(
    client: httpx.AsyncClient, changed: Runtime
) -> None:
    variants = [{"name": "brief", "adapter": CANDIDATE.name}]
    experiment = await started(client, domain="rust", variants=variants)
    changed.registry.promote(CANDIDATE.name)
    report = (await client.post(f"{PATH}/{experiment.id}/check")).json()
    assert report["experiment"]["status"] == "stopped"
    assert f"changed from {LIVE.name} to {CANDIDATE.name}" in report["experiment"]["log"][-1]["reason"]


@pytest.mark.parametrize(
    "variant", [{"adapter": GENERAL.name}, {"system_prompt": "Be polite."}], ids=["adapter", "prompt"]
)
async def test_a_winner_over_a_control_that_is_no_longer_live_is_not_promoted(
    client: httpx.AsyncClient, changed: Runtime, variant: dict[str, str]
) -> None:
    variants = [{"name": "polite", **variant}]
    experiment = await started(client, variants=variants, minimum=30, prove_guardrails=False)
    await fill(changed, experiment, {CONTROL: 0.1, "polite": 0.9})
    other = adapter("general", 2)
    assert isinstance(changed.registry, VolatileAdapterRegistry)
    changed.registry.register(other)
    changed.registry.promote(other.name)
    report = (await client.post(f"{PATH}/{experiment.id}/check")).json()
    last = report["experiment"]["log"][-1]
    assert (report["experiment"]["status"], last["variant"]) == ("stopped", None)
    assert f"changed from the base model to {other.name}" in last["reason"]
    live = changed.registry.live("general")
    assert live is not None
    assert live.name == other.name


async def test_a_promotion_that_was_not_logged_is_repeated(
    client: httpx.AsyncClient, changed: Runtime
) -> None:
    experiment = await started(client, minimum=30, prove_guardrails=False)
    await fill(changed, experiment, {CONTROL: 0.1, "polite": 0.9})
    changed.registry.promote(GENERAL.name)
    report = (await client.post(f"{PATH}/{experiment.id}/check")).json()
    assert report["experiment"]["status"] == "promoted"


async def test_automatic_checks_that_say_the_same_are_logged_once_an_hour(
    client: httpx.AsyncClient, changed: Runtime, clock: Clock
) -> None:
    experiment = await started(client)
    checks = experiment_checks(changed)

    async def entries() -> int:
        checked, _ = await checks.check(experiment.id)
        return len(checked.log)

    assert [await entries() for _ in range(3)] == [2, 2, 2]
    clock.advance(3600)
    assert await entries() == 3


async def test_an_experiment_that_has_ended_is_only_measured(
    client: httpx.AsyncClient, changed: Runtime
) -> None:
    experiment = await started(client, minimum=30)
    await client.post(f"{PATH}/{experiment.id}/stop", json={"reason": "enough"})
    await fill(changed, experiment, {CONTROL: 0.1, "polite": 0.9})
    report = (await client.post(f"{PATH}/{experiment.id}/check")).json()
    assert report["experiment"]["status"] == "stopped"
    assert len(report["experiment"]["log"]) == 2


async def test_a_thread_keeps_its_variant_and_cannot_choose_one(serve: Serve, changed: Runtime) -> None:
    async with serve(changed, learning=True) as client:
        experiment = await started(client)
        variants: set[str] = set()
        for number in range(12):
            thread = f"00000000-0000-4000-8000-{number:012d}"
            (await client.post("/threads", json={"thread_id": thread})).raise_for_status()
            for _ in range(2):
                run = {"assistant_id": "chat", "input": {"messages": "Hi"}}
                values = (
                    (await client.post(f"/threads/{thread}/runs/wait", json=run)).raise_for_status().json()
                )
            variant, name = values["assignment"]["variant"], values["route"]["adapter"]
            assert name == (GENERAL.name if variant == "polite" else None)
            variants.add(variant)
            if variant == CONTROL:
                forged = {"values": {"assignment": values["assignment"] | {"variant": "polite"}}}
                refused = await client.post(f"/threads/{thread}/state", json=forged)
                assert refused.status_code == 422
        assert variants == {CONTROL, "polite"}
        exposures = await changed.experiments.store.exposures(experiment.id) if changed.experiments else {}
        assert sum(exposures.values()) == 12
