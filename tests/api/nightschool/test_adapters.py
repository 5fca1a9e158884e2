"""Adapters are listed, promoted and rolled back while the service goes on answering."""

from collections.abc import Mapping
from dataclasses import replace

import httpx
import pytest

from agent.engines.scripted import Line, ScriptedEngine
from agent.loops import Loops
from api.adapter_loops import keep_adapters_loaded
from graphs.state import Runtime
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.errors import BadSignature
from memory.records.adapters import Adapter
from memory.records.base import Domain
from tests.api.conftest import Serve, asking
from tests.graphs.conftest import BASE_LINES, TRAINED, eventually
from tests.support.adapters import adapter

NO_EFFECT: Mapping[str, Line] = {}


async def test_promotion_swaps_the_adapter_in_and_rollback_takes_it_out(client: httpx.AsyncClient) -> None:
    async def says() -> tuple[str, str | None]:
        reply = (
            await client.post("/v1/chat/completions", json=asking("What is a borrow?", model="rust"))
        ).json()
        return reply["choices"][0]["message"]["content"], reply["nightschool"]["adapter"]

    promoted = await client.post(f"/v1/adapters/{TRAINED.name}/promote")
    assert promoted.raise_for_status().json()["adapter"]["status"] == "live"
    assert await says() == ("a reference", TRAINED.name)
    back = await client.post("/v1/adapters/rollback", json={"domain": "rust"})
    assert back.json() == {"domain": "rust", "adapter": None}
    (listed,) = (await client.get("/v1/adapters?domain=rust")).json()
    assert listed["status"] != "live"


async def test_adapters_are_listed_a_page_at_a_time(serve: Serve, runtime: Runtime) -> None:
    versions = [adapter("rust", number) for number in range(1, 12)] + [adapter("cooking", 1)]
    ordered = [each.name for each in (versions[-1], *versions[:-1])]
    async with serve(replace(runtime, registry=VolatileAdapterRegistry(versions))) as client:

        async def names(**query: str | int) -> list[str]:
            reply = (await client.get("/v1/adapters", params=query)).raise_for_status()
            return [each["name"] for each in reply.json()]

        assert await names() == ordered
        pages = [await names(limit=5)]
        while pages[-1]:
            pages.append(await names(limit=5, after=pages[-1][-1]))
        assert [len(each) for each in pages] == [5, 5, 2, 0]
        assert [name for page in pages for name in page] == ordered
        assert await names(domain="rust", after=ordered[3], limit=1) == ordered[4:5]
        unknown = await client.get("/v1/adapters", params={"after": "rust-v99-00000000"})
        assert (unknown.status_code, "begin without `after`" in unknown.text) == (404, True)
        for limit in (0, 1001):
            assert (await client.get("/v1/adapters", params={"limit": limit})).status_code == 422


async def test_an_adapter_without_effect_is_not_swapped_in(serve: Serve, runtime: Runtime) -> None:
    engine = ScriptedEngine(BASE_LINES, adapters={TRAINED.name: NO_EFFECT})
    async with serve(replace(runtime, engine=engine)) as client:
        reply = await client.post(f"/v1/adapters/{TRAINED.name}/promote")
        assert (reply.status_code, reply.json()["error"]["code"]) == (409, "canary_failed")
        assert (await client.get(f"/v1/adapters/{TRAINED.name}")).json()["status"] == "candidate"
        assert await engine.loaded() == ()


async def test_a_rejected_adapter_is_never_served(serve: Serve, runtime: Runtime) -> None:
    bad = adapter("rust", 2, rejected=True)
    registry = VolatileAdapterRegistry([bad])
    async with serve(replace(runtime, registry=registry)) as client:
        reply = await client.post(f"/v1/adapters/{bad.name}/promote")
        assert (reply.status_code, reply.json()["error"]["code"]) == (409, "adapter_not_servable")


async def test_unknown_adapters_and_domains_are_named(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/adapters/rust-v9-00000000")).status_code == 404
    assert (await client.post("/v1/adapters/../promote")).status_code in (404, 405)
    assert (await client.post("/v1/adapters/rollback", json={"domain": "No Domain"})).status_code == 422


async def test_live_adapters_come_back_after_the_engine_has_forgotten_them(runtime: Runtime) -> None:
    async def served() -> bool:
        return await runtime.engine.loaded() == (TRAINED.name,)

    runtime.registry.promote(TRAINED.name)
    async with Loops() as loops:
        loops.start(keep_adapters_loaded(runtime.engine, runtime.registry, runtime.audit, every=0.01))
        await eventually(served)
        await runtime.engine.unload(TRAINED.name)
        await eventually(served)


class ForgedRegistry(VolatileAdapterRegistry):
    """Its live adapter is not what the worker signed, and is therefore not listed."""

    def get(self, name: str) -> Adapter:
        raise BadSignature(f"{name}: the signature is not one of the worker's")

    def list(self, domain: Domain | None = None) -> tuple[Adapter, ...]:
        return ()


async def test_a_live_adapter_that_the_worker_did_not_sign_stays_out_and_is_noted_once(
    runtime: Runtime,
) -> None:
    registry = ForgedRegistry([TRAINED])
    registry._live["rust", TRAINED.base_digest] = TRAINED.name
    loop = keep_adapters_loaded(runtime.engine, registry, runtime.audit)
    for _ in range(3):
        await loop._step()
    (row,) = await runtime.audit.list(action="signature.refuse")
    assert (row.subject, row.by) == (TRAINED.name, "api")
    assert await runtime.engine.loaded() == ()


class FaultyRegistry(VolatileAdapterRegistry):
    """Fails as no store should."""

    def list(self, domain: Domain | None = None) -> tuple[Adapter, ...]:
        raise RuntimeError("a fault of ours")


async def test_a_fault_ends_no_watch(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    async def named() -> bool:
        return "a fault of ours" in (loops.states["live adapters"] or "")

    async with Loops() as loops:
        loops.start(keep_adapters_loaded(runtime.engine, FaultyRegistry(), runtime.audit, every=0.01))
        await eventually(named)
    assert "a fault of ours" in caplog.text
