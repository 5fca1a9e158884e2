"""Where a person approves, no request goes around it, and nobody approves what they asked for."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from graphs.state import Runtime
from memory.server.keys import LOCAL_OPERATOR
from tests.api.conftest import Serve
from tests.api.nightschool.test_learn import ended, started
from tests.support.keys import MakeKey, key_maker

TOPIC = {"topic": "Rust ownership"}
YES = {"approved": True, "reason": "I have read it"}


@pytest.fixture
def key(runtime: Runtime) -> MakeKey:
    return key_maker(runtime)


@pytest.fixture
async def supervised(serve: Serve, runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """A service in which a person approves what is learned."""
    async with serve(replace(runtime, approval="human"), learning=True) as client:
        yield client


async def waiting(client: httpx.AsyncClient, key: MakeKey) -> str:
    """A run of Ada's that waits for approval; the client has her key from now on."""
    client.headers.update(await key("ada", "learn"))
    run = await started(client, **TOPIC)
    await ended(client, run, "waiting")
    return run


async def test_no_request_makes_approval_unnecessary(supervised: httpx.AsyncClient) -> None:
    loose = {"approval": "auto"}
    assert (await supervised.post("/v1/learn", json=TOPIC | loose)).status_code == 400
    run = {"assistant_id": "learn", "input": TOPIC}
    for body in (
        run | {"input": TOPIC | loose},
        run | {"config": {"configurable": loose}},
    ):
        refused = await supervised.post("/runs", json=body)
        assert (refused.status_code, "a person approve" in refused.json()["detail"]) == (422, True)
    own = {"graph_id": "learn", "config": {"configurable": loose}}
    assistant = (await supervised.post("/assistants", json=own)).json()["assistant_id"]
    assert (await supervised.post("/runs", json=run | {"assistant_id": assistant})).status_code == 422
    cron = run | {"schedule": "0 3 * * *", "input": TOPIC | loose}
    assert (await supervised.post("/runs/crons", json=cron)).status_code == 422
    assert (await supervised.get("/v1/learn")).json() == []


async def test_a_request_may_ask_for_a_person_where_the_service_does_not(learning: httpx.AsyncClient) -> None:
    run = await started(learning, **TOPIC, approval="human")
    await ended(learning, run, "waiting")


async def test_approval_needs_its_scope_and_another_persons_key(
    supervised: httpx.AsyncClient, key: MakeKey, runtime: Runtime
) -> None:
    run = await waiting(supervised, key)
    path = f"/v1/learn/{run}/approval"
    assert (await supervised.post(path, json=YES)).status_code == 403
    own = await supervised.post(path, json=YES, headers=await key("ada", "admin"))
    assert own.status_code == 403
    assert "the owner of another key must decide" in own.json()["error"]["message"]
    bob = await key("bob", "approve")
    named = await supervised.post(path, json=YES | {"by": "carol"}, headers=bob)
    assert named.status_code == 422
    digest = (await supervised.get(f"/v1/learn/{run}", headers=bob)).json()["asks"]["digest"]
    assert [each["id"] for each in (await supervised.get("/v1/learn", headers=bob)).json()] == [run]
    assert (await supervised.post(path, json=YES, headers=bob)).status_code == 202
    report = (await ended(supervised, run))["report"]
    assert report["outcome"]["status"] == "learned"
    assert report["approval"] == YES | {"by": "bob", "digests": []}
    approval = await runtime.approvals.get(digest)
    assert approval is not None
    assert (approval.asked_by, approval.approved_by, approval.policy) == ("ada", "bob", "human")


async def test_an_answer_over_langgraph_is_the_same_act(supervised: httpx.AsyncClient, key: MakeKey) -> None:
    run = await waiting(supervised, key)
    body: dict[str, Any] = {"assistant_id": "learn", "command": {"resume": YES}}
    path = f"/threads/{run}/runs/wait"
    assert (await supervised.post(path, json=body)).status_code == 403
    for own in (await key("ada", "approve"), await key("ada", "admin")):
        refused = await supervised.post(path, json=body, headers=own)
        assert (refused.status_code, "another key" in refused.json()["detail"]) == (403, True)
    forged = {"assistant_id": "learn", "command": {"resume": YES | {"by": "carol"}}}
    root = await key("root", "admin")
    assert (await supervised.post(path, json=forged, headers=root)).status_code == 422
    state = (await supervised.post(path, json=body, headers=root)).json()
    assert state["approval"]["by"] == "root"
    assert state["outcome"]["status"] == "learned"


async def test_whoever_continued_a_run_does_not_approve_it(
    supervised: httpx.AsyncClient, key: MakeKey
) -> None:
    run = await waiting(supervised, key)
    root = await key("root", "admin")
    edited = {"assistant_id": "learn", "command": {"goto": "explore", "update": {"refinements": 1}}}
    await supervised.post(f"/threads/{run}/runs/wait", json=edited, headers=root)
    refused = await supervised.post(f"/v1/learn/{run}/approval", json=YES, headers=root)
    assert refused.status_code == 403


@pytest.mark.parametrize("copied", [False, True])
async def test_whoever_continued_a_run_does_not_approve_it_once_that_is_deleted(
    supervised: httpx.AsyncClient, key: MakeKey, copied: bool
) -> None:
    run = await waiting(supervised, key)
    root = await key("root", "admin")
    jump = {"assistant_id": "learn", "command": {"goto": "explore"}}
    await supervised.post(f"/threads/{run}/runs/wait", json=jump, headers=root)
    for each in (await supervised.get(f"/threads/{run}/runs")).json():
        gone = await supervised.delete(f"/threads/{run}/runs/{each['run_id']}", headers=root)
        assert gone.status_code == 204
    if copied:
        run = (await supervised.post(f"/threads/{run}/copy", headers=root)).json()["thread_id"]
        carol = await key("carol", "admin")
        await supervised.post(f"/threads/{run}/runs/wait", json=jump, headers=carol)
    for author in ("root", "ada"):
        refused = await supervised.post(
            f"/v1/learn/{run}/approval", json=YES, headers=await key(author, "admin")
        )
        assert (refused.status_code, "or changed it" in refused.text) == (403, True), author


@pytest.mark.parametrize("edited", ["in place", "without values", "by a command", "in a fork"])
async def test_whoever_edited_a_run_does_not_approve_it_nor_its_copies(
    supervised: httpx.AsyncClient, key: MakeKey, runtime: Runtime, edited: str
) -> None:
    run = await waiting(supervised, key)
    root = await key("root", "admin")
    change: dict[str, Any] = {"as_node": "critique"}
    if edited != "without values":
        change["values"] = {"bounds": {"facts": 2}}
    if edited == "in a fork":
        history = (await supervised.post(f"/threads/{run}/history", json={"limit": 100})).json()
        change["checkpoint_id"] = next(
            each["checkpoint_id"] for each in history if each["next"] == ["verify"]
        )
        run = (await supervised.post(f"/threads/{run}/fork", json=change, headers=root)).json()["thread_id"]
    elif edited == "by a command":
        command = {"goto": "curriculum", "update": change["values"]}
        body = {"assistant_id": "learn", "command": command}
        await supervised.post(f"/threads/{run}/runs/wait", json=body, headers=root)
        run = (await supervised.post(f"/threads/{run}/copy", headers=root)).json()["thread_id"]
    else:
        await supervised.post(f"/threads/{run}/state", json=change, headers=root)
    if edited != "by a command":
        (row,) = await runtime.audit.list(action="curriculum.edit")
        assert (row.by, row.subject, row.details) == ("root", run, {"keys": sorted(change.get("values", ()))})
    again = await supervised.post(f"/threads/{run}/runs/wait", json={"assistant_id": "learn"})
    assert "__interrupt__" in again.json()
    path = f"/v1/learn/{run}/approval"
    refused = await supervised.post(path, json=YES, headers=root)
    assert (refused.status_code, "or changed it" in refused.text) == (403, True)
    assert (await supervised.post(path, json=YES, headers=await key("bob", "approve"))).status_code == 202


async def test_a_fork_of_an_approved_run_is_approved_for_what_it_teaches_only(
    supervised: httpx.AsyncClient, key: MakeKey
) -> None:
    run = await waiting(supervised, key)
    bob = await key("bob", "approve")
    await supervised.post(f"/v1/learn/{run}/approval", json=YES, headers=bob)
    await ended(supervised, run)
    history = (await supervised.post(f"/threads/{run}/history", json={"limit": 100})).json()
    at = next(state["checkpoint_id"] for state in history if state["next"] == ["critique"])
    edit = {"checkpoint_id": at, "values": {"bounds": {"facts": 2}}}
    twin = (await supervised.post(f"/threads/{run}/fork", json=edit)).json()["thread_id"]
    state = (await supervised.post(f"/threads/{twin}/runs/wait", json={"assistant_id": "learn"})).json()
    assert "__interrupt__" in state
    assert (await supervised.post(f"/v1/learn/{twin}/approval", json=YES)).status_code == 403


async def test_a_run_that_found_a_closed_domain_is_shown_to_those_with_a_grant_alone(
    supervised: httpx.AsyncClient, key: MakeKey, runtime: Runtime
) -> None:
    for owner, write in (("ada", True), ("cem", False)):
        await runtime.grants.add(owner, "rust", write=write)
    run = await waiting(supervised, key)
    stranger, granted = await key("bob", "approve"), await key("cem", "approve")
    for path in (f"/v1/learn/{run}", f"/v1/learn/{run}/events"):
        assert (await supervised.get(path, headers=stranger)).status_code == 404
        assert (await supervised.get(path, headers=granted)).status_code == 200
    assert (await supervised.get("/v1/learn", headers=stranger)).json() == []
    (listed,) = (await supervised.get("/v1/learn", headers=granted)).json()
    assert (listed["id"], listed["domain"]) == (run, "rust")
    path = f"/v1/learn/{run}/approval"
    assert (await supervised.post(path, json=YES, headers=stranger)).status_code == 404
    assert (await supervised.post(path, json=YES, headers=granted)).status_code == 202


async def test_a_run_without_a_domain_is_not_shown_where_one_is_hidden(
    supervised: httpx.AsyncClient, key: MakeKey, runtime: Runtime
) -> None:
    await runtime.database.start_run(
        "r1", subject="x", whole=True, domain=None, gap_id=None, now=runtime.clock(), asked_by="ada"
    )
    bob = await key("bob", "approve")
    assert (await supervised.get("/v1/learn/r1", headers=bob)).status_code == 200
    await runtime.grants.add("ada", "law")
    assert (await supervised.get("/v1/learn/r1", headers=bob)).status_code == 404
    assert (await supervised.get("/v1/learn", headers=bob)).json() == []


async def test_a_decision_on_lessons_that_were_exchanged_is_refused(
    supervised: httpx.AsyncClient, key: MakeKey, runtime: Runtime
) -> None:
    run = await waiting(supervised, key)
    bob = await key("bob", "approve")
    shown = (await supervised.get(f"/v1/learn/{run}", headers=bob)).json()["asks"]["digests"]
    narrower = {"values": {"bounds": {"facts": 2}}, "as_node": "critique"}
    (await supervised.post(f"/threads/{run}/state", json=narrower)).raise_for_status()
    await supervised.post(f"/threads/{run}/runs/wait", json={"assistant_id": "learn"})
    now = (await supervised.get(f"/v1/learn/{run}", headers=bob)).json()["asks"]["digests"]
    assert now != shown
    path = f"/v1/learn/{run}/approval"
    refused = await supervised.post(path, json=YES | {"digests": shown}, headers=bob)
    assert (refused.status_code, "other lessons" in refused.text) == (400, True)
    resume = {"assistant_id": "learn", "command": {"resume": YES | {"digests": shown}}}
    root = await key("root", "admin")
    assert (await supervised.post(f"/threads/{run}/runs", json=resume, headers=root)).status_code == 422
    assert await runtime.approvals.get(now[0]) is None
    assert (await supervised.post(path, json=YES | {"digests": now}, headers=bob)).status_code == 202
    assert (await ended(supervised, run))["report"]["approval"]["digests"] == now


async def test_the_local_operator_is_alone_and_approves_what_they_asked_for(
    supervised: httpx.AsyncClient,
) -> None:
    run = await started(supervised, **TOPIC)
    await ended(supervised, run, "waiting")
    assert (await supervised.post(f"/v1/learn/{run}/approval", json=YES)).status_code == 202
    assert (await ended(supervised, run))["report"]["approval"]["by"] == LOCAL_OPERATOR


async def test_a_run_is_cancelled_in_the_name_of_the_key(supervised: httpx.AsyncClient, key: MakeKey) -> None:
    run = await waiting(supervised, key)
    assert (await supervised.post(f"/v1/learn/{run}/cancel", json={"by": "bob"})).status_code == 422
    assert (await supervised.post(f"/v1/learn/{run}/cancel", json={})).status_code == 202
    assert "declined by ada" in (await ended(supervised, run))["outcome"]["reason"]


async def test_a_cron_answers_nothing(supervised: httpx.AsyncClient) -> None:
    cron = {"assistant_id": "learn", "schedule": "0 3 * * *", "command": {"resume": YES}}
    assert (await supervised.post("/runs/crons", json=cron)).status_code == 422


async def test_of_several_decisions_at_once_one_is_carried_out_and_recorded(
    supervised: httpx.AsyncClient, key: MakeKey, runtime: Runtime
) -> None:
    run = await waiting(supervised, key)
    root, bob = await key("root", "admin"), await key("bob", "approve")
    no = {"approved": False, "reason": ""}
    resume = {"assistant_id": "learn", "command": {"resume": YES}}
    decisions = await asyncio.gather(
        supervised.post(f"/v1/learn/{run}/approval", json=no, headers=bob),
        *(supervised.post(f"/threads/{run}/runs", json=resume, headers=root) for _ in range(3)),
    )
    assert sum(each.is_success for each in decisions) == 1
    outcome = (await ended(supervised, run))["outcome"]
    late = await supervised.post(f"/threads/{run}/runs", json=resume, headers=root)
    assert (late.status_code, "not waiting" in late.text) == (422, True)
    assert (await supervised.get(f"/v1/learn/{run}")).json()["outcome"] == outcome
    assert outcome["status"] == ("declined" if decisions[0].is_success else "learned")
    recorded = [row.action for row in await runtime.audit.list() if row.action.startswith("curriculum.")]
    assert recorded == [f"curriculum.{'decline' if decisions[0].is_success else 'approve'}"]
