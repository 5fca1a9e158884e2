"""A lesson is taken out of a domain over HTTP; what cannot be is refused before anything is done."""

from dataclasses import replace

import pytest

from agent.chat.routing import Routes
from agent.engines.scripted import ScriptedEngine
from graphs.state import Runtime
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.outbox.volatile import VolatileOutbox
from tests.api.conftest import Serve, asking
from tests.api.nightschool.test_learn import ended
from tests.graphs.conftest import BASE_LINES
from tests.graphs.test_forget import BAD, DOMAIN, LIVE, OLD, RETAUGHT, SONG, lived, published
from tests.support.cards import card


@pytest.fixture
async def forgetful(runtime: Runtime) -> Runtime:
    engine = ScriptedEngine(BASE_LINES, adapters={each.name: SONG for each in (OLD, LIVE, RETAUGHT)})
    registry = lived()
    routes = Routes(registry, lambda digest: BAD)
    return replace(runtime, registry=registry, routes=routes, outbox=await published(), engine=engine)


async def test_a_lesson_is_forgotten_and_its_report_can_be_read(serve: Serve, forgetful: Runtime) -> None:
    body = {"domain": DOMAIN, "curriculum": BAD.digest[:8], "reason": "the sensor was broken"}
    async with serve(forgetful, learning=True) as client:
        begun = await client.post("/v1/adapters/forget", json=body)
        assert begun.status_code == 202
        run_id = begun.json()["run_id"]
        assert begun.json()["links"]["events"] == f"/v1/learn/{run_id}/events"
        reply = await ended(client, run_id)
        assert (reply["outcome"]["status"], reply["outcome"]["adapter"]) == ("forgotten", RETAUGHT.name)
        assert reply["report"]["forget"] == BAD.digest
        refused = await client.post(f"/v1/adapters/{LIVE.name}/promote")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "adapter_not_servable")
        assert f"{BAD.digest[:12]}, which is in quarantine" in refused.json()["error"]["message"]
        asked = await client.post("/v1/chat/completions", json=asking("What is a borrow?", model=LIVE.name))
        assert asked.status_code == 409, "nor does it answer by its name"
        again = await client.post("/v1/adapters/forget", json=body)
        assert again.status_code == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"domain": DOMAIN, "curriculum": "00000000"}, 400),
        ({"domain": "rivers", "curriculum": "00000000"}, 404),
        ({"domain": DOMAIN, "curriculum": "0000000"}, 422),
        ({"domain": DOMAIN, "curriculum": "0" * 65}, 422),
        ({"domain": DOMAIN, "curriculum": "not a digest"}, 422),
        ({"domain": "No Domain", "curriculum": "00000000"}, 422),
        ({"domain": DOMAIN}, 422),
    ],
)
async def test_what_cannot_be_forgotten_is_refused_and_begins_no_run(
    serve: Serve, forgetful: Runtime, body: object, status: int
) -> None:
    async with serve(forgetful) as client:
        reply = await client.post("/v1/adapters/forget", json=body)
        assert (reply.status_code, bool(reply.json()["error"]["message"])) == (status, True)
        assert (await client.get("/v1/learn")).json() == []
    assert forgetful.registry.quarantined(BAD.digest) is None


async def test_a_domain_served_by_the_base_model_has_nothing_to_forget(
    serve: Serve, runtime: Runtime
) -> None:
    changed_runtime = replace(runtime, registry=VolatileAdapterRegistry([LIVE]), outbox=VolatileOutbox({}))
    async with serve(changed_runtime) as client:
        reply = await client.post(
            "/v1/adapters/forget", json={"domain": DOMAIN, "curriculum": BAD.digest[:8]}
        )
    assert reply.status_code == 400
    assert "uses the base model" in reply.json()["error"]["message"]


async def test_on_a_model_for_retrieval_only_forgetting_is_refused_with_its_reason(
    serve: Serve, forgetful: Runtime
) -> None:
    unfit = replace(forgetful, card=card(verdict="retrieval only", reasons=("its context is short",)))
    async with serve(unfit, learning=True) as client:
        body = {"domain": DOMAIN, "curriculum": BAD.digest[:8]}
        refused = await client.post("/v1/adapters/forget", json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "model_not_teachable")
    assert "its context is short" in refused.json()["error"]["message"]
