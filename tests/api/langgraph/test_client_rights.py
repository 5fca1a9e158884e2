"""A learn key changes what a lesson is made from, and nothing that has been verified, approved or done."""

from typing import Any

import httpx
import pytest

from graphs.state import Runtime
from memory.outbox.volatile import VolatileOutbox
from tests.api.conftest import Serve
from tests.api.nightschool.test_learn import ended
from tests.graphs.conftest import TRAINED
from tests.support.adapters import curriculum
from tests.support.keys import key_maker

FORGED = curriculum().model_dump(mode="json")
ACTING = ("forget", "approve", "hand_over", "train", "promote", "next_lesson", "ask_again", "report")


@pytest.fixture
async def learner(serve: Serve, runtime: Runtime) -> Any:
    """A client with a learn key, and a run of its own that has ended."""
    headers = await key_maker(runtime)("ada", "learn")
    async with serve(learning=True) as client:
        client.headers.update(headers)
        run = (await client.post("/v1/learn", json={"topic": "Rust ownership"})).json()["run_id"]
        await ended(client, run)
        yield client, run


def untouched(runtime: Runtime) -> tuple[Any, ...]:
    """What an admin alone may change."""
    assert isinstance(runtime.outbox, VolatileOutbox)
    live = runtime.registry.live("rust")
    quarantined = runtime.registry.quarantined(TRAINED.curriculum or "")
    return tuple(runtime.outbox.submitted), live and live.name, quarantined


@pytest.mark.parametrize("node", ACTING)
async def test_no_node_that_acts_is_entered_by_a_client(
    learner: tuple[httpx.AsyncClient, str], runtime: Runtime, node: str
) -> None:
    client, run = learner
    before = untouched(runtime)
    at = (await client.get(f"/threads/{run}/state")).json()["checkpoint_id"]
    commands: list[dict[str, Any]] = [{"goto": node}, {"goto": {"node": node, "input": {}}}]
    for command in commands:
        body = {"assistant_id": "learn", "command": command}
        assert (await client.post(f"/threads/{run}/runs/wait", json=body)).status_code == 422
        assert (await client.post("/runs/wait", json=body)).status_code == 422
    written = {"values": {}, "as_node": node}
    assert (await client.post(f"/threads/{run}/state", json=written)).status_code == 422
    assert (
        await client.post(f"/threads/{run}/fork", json=written | {"checkpoint_id": at})
    ).status_code == 422
    made = {"metadata": {"graph_id": "learn"}, "supersteps": [{"updates": [written]}]}
    assert (await client.post("/threads", json=made)).status_code == 422
    assert untouched(runtime) == before


@pytest.mark.parametrize(
    "forged",
    [
        {"forget": TRAINED.curriculum, "domain": "rust", "because": "no reason"},
        {"curriculum": FORGED},
        {"lessons": []},
        {"approval": {"approved": True, "by": "bob"}},
        {"job": {"digest": "a" * 64, "domain": "rust", "run_id": "r"}},
        {"adapter": TRAINED.model_dump(mode="json")},
        {"outcome": {"status": "learned", "reason": "so I say"}},
        {"run_id": "another"},
        {"domain": "law"},
        {"critique": {"relevance": 1, "faithfulness": 1, "quality": 1, "verdict": "accept", "reasons": []}},
        {"approval_policy": "auto"},
        {"known": True},
    ],
    ids=lambda forged: next(iter(forged)),
)
async def test_what_was_verified_approved_or_done_is_not_written_by_a_client(
    learner: tuple[httpx.AsyncClient, str], runtime: Runtime, forged: dict[str, Any]
) -> None:
    client, run = learner
    before = untouched(runtime)
    at = (await client.get(f"/threads/{run}/state")).json()["checkpoint_id"]
    for command in ({"update": forged}, {"update": forged, "goto": "explore"}):
        body = {"assistant_id": "learn", "command": command}
        assert (await client.post(f"/threads/{run}/runs/wait", json=body)).status_code == 422
    jump = {"assistant_id": "learn", "command": {"goto": {"node": "verify", "input": forged}}}
    assert (await client.post(f"/threads/{run}/runs/wait", json=jump)).status_code == 422
    for written in ({"values": forged}, {"values": forged, "as_node": "curriculum"}):
        assert (await client.post(f"/threads/{run}/state", json=written)).status_code == 422
        forked = await client.post(f"/threads/{run}/fork", json=written | {"checkpoint_id": at})
        assert forked.status_code == 422
    assert untouched(runtime) == before


async def test_a_copy_of_a_run_reports_to_a_run_of_its_own(
    learner: tuple[httpx.AsyncClient, str], runtime: Runtime
) -> None:
    client, run = learner
    record = await runtime.database.run(run)
    twin = (await client.post(f"/threads/{run}/copy")).json()["thread_id"]
    body = {"assistant_id": "learn", "command": {"goto": "explore", "update": {"refinements": 2}}}
    state = (await client.post(f"/threads/{twin}/runs/wait", json=body)).json()
    assert state["run_id"] == twin
    assert (await runtime.database.run(twin)).asked_by == "ada"
    assert await runtime.database.run(run) == record


async def test_a_chat_key_makes_no_thread_of_a_graph_that_it_may_not_run(
    serve: Serve, runtime: Runtime
) -> None:
    headers = await key_maker(runtime)("ada", "chat")
    learn = {"metadata": {"graph_id": "learn"}}
    async with serve(learning=True) as client:
        client.headers.update(headers)
        assert (await client.post("/threads", json=learn)).status_code == 403
        thread = (await client.post("/threads", json={})).json()["thread_id"]
        assert (await client.patch(f"/threads/{thread}", json=learn)).status_code == 403


@pytest.mark.parametrize(
    "forged", [{"answer": "7"}, {"outcome": "answered"}, {"route": {}}, {"findings": {}}]
)
async def test_a_chat_key_forges_no_answer(serve: Serve, forged: dict[str, Any]) -> None:
    async with serve(learning=True) as client:
        thread = (await client.post("/threads", json={})).json()["thread_id"]
        asked = {"assistant_id": "chat", "input": {"messages": "What is a lemur?"}}
        await client.post(f"/threads/{thread}/runs/wait", json=asked)
        assert (await client.post(f"/threads/{thread}/state", json={"values": forged})).status_code == 422
        for node in ("remember", "open_gap", "apply_policy"):
            body = {"assistant_id": "chat", "command": {"goto": node}}
            assert (await client.post(f"/threads/{thread}/runs/wait", json=body)).status_code == 422


async def test_a_removed_grant_ends_the_use_of_an_adapter_that_a_thread_was_routed_to(
    serve: Serve, runtime: Runtime
) -> None:
    runtime.registry.promote(TRAINED.name)
    await runtime.routes.refresh()
    for owner in ("ada", "ben"):
        await runtime.grants.add(owner, "rust")
    headers = await key_maker(runtime)("ada", "chat")
    async with serve(learning=True) as client:
        client.headers.update(headers)
        thread = (await client.post("/threads", json={})).json()["thread_id"]
        path = f"/threads/{thread}/runs/wait"
        asked = {"input": {"messages": "What is a borrow?", "model": "rust"}}
        first = (await client.post(path, json={"assistant_id": "chat", **asked})).json()
        assert first["route"]["adapter"] == TRAINED.name
        await runtime.grants.remove("ada", "rust")
        jump = {"goto": "answer", "update": {"messages": "What is a borrow?"}}
        again = (await client.post(path, json={"assistant_id": "chat", "command": jump})).json()
        assert again["__error__"]["error"] == "UnknownAdapter"


@pytest.mark.parametrize("whole", [True, False])
async def test_a_jump_to_verification_takes_nothing_out_of_a_closed_domain(
    serve: Serve, runtime: Runtime, whole: bool
) -> None:
    await runtime.grants.add("ada", "rust", write=True)
    headers = await key_maker(runtime)("ada", "learn")
    subject = {"topic": "Rust ownership"} if whole else {"question": "What is a move?"}
    async with serve(learning=True) as client:
        client.headers.update(headers)
        inside = {"assistant_id": "learn", "input": subject, "interrupt_after": ["verify"]}
        thread = (await client.post("/threads", json={})).json()["thread_id"]
        written = {**inside, "interrupt_after": ["curriculum"]}
        draft = (await client.post(f"/threads/{thread}/runs/wait", json=written)).json()["draft"]
        assert draft["candidates"]
        twin = (await client.post("/threads", json={})).json()["thread_id"]
        begun = {**inside, "interrupt_after": ["explore"]}
        await client.post(f"/threads/{twin}/runs/wait", json=begun)
        jump = {"goto": "verify", "update": {"draft": draft}}
        state = (
            await client.post(f"/threads/{twin}/runs/wait", json={"assistant_id": "learn", "command": jump})
        ).json()
        assert state["outcome"]["status"] == "nothing_to_learn", state.get("outcome")
        assert "curriculum" not in state


async def test_no_client_changes_or_enters_a_night(serve: Serve) -> None:
    async with serve(learning=True) as client:
        body: dict[str, Any] = {"metadata": {"graph_id": "night"}}
        thread = (await client.post("/threads", json=body)).json()["thread_id"]
        for values, node in (({"training": "lesson"}, None), ({}, "surprise"), ({}, "__start__")):
            written = {"values": values, "as_node": node}
            assert (await client.post(f"/threads/{thread}/state", json=written)).status_code == 422
        jump = {"assistant_id": "night", "command": {"goto": "deploy"}}
        assert (await client.post(f"/threads/{thread}/runs", json=jump)).status_code == 422


async def test_a_graph_says_what_clients_may_change(learner: tuple[httpx.AsyncClient, str]) -> None:
    client, _ = learner
    rights = (await client.get("/assistants/learn/rights")).json()
    assert rights["graph_id"] == "learn"
    assert {"findings", "draft"} <= set(rights["keys"])
    assert not {"approval", "curriculum", "outcome"} & set(rights["keys"])
    assert not set(ACTING) & {*rights["goto"], *rights["as_node"]}
