"""People decide on revised answers and golden pairs over HTTP, and chat gives again what they approved."""

from collections.abc import AsyncIterator

import httpx
import pytest

from graphs.state import Runtime
from memory.records.access import EVERYTHING
from memory.records.knowledge import Citation
from memory.records.nights import ArchivedAnswer
from memory.server.keys import ApiKeys
from tests.api.conftest import Serve
from tests.support.interactions import interaction
from tests.support.nights import golden, night, revision, topic


@pytest.fixture
async def client(serve: Serve, runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    await runtime.nights.begin(night())
    await runtime.interactions.save(interaction("i1"))
    await runtime.interactions.save(interaction("i2"))
    async with serve(runtime) as opened:
        yield opened


async def archived(runtime: Runtime) -> list[ArchivedAnswer]:
    return [
        answer
        for answer, _ in await runtime.answers.search(
            "What is A?", domain="rust", limit=10, access=EVERYTHING
        )
    ]


def code(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["error"]["code"]


async def test_revisions_are_listed_by_night_and_status(client: httpx.AsyncClient, runtime: Runtime) -> None:
    await runtime.nights.save_revision(revision("r1", status="needs_person"))
    await runtime.nights.save_revision(revision("r2", interaction_id="i2"))
    found = await client.get("/v1/revisions", params={"night_id": "n1", "status": "needs_person"})
    assert [each["id"] for each in found.json()] == ["r1"]
    assert len((await client.get("/v1/revisions")).json()) == 2
    assert (await client.get("/v1/revisions", params={"night_id": "n9"})).json() == []
    assert (await client.get("/v1/revisions", params={"status": "perfect"})).status_code == 422


async def test_an_approved_revision_is_given_again(client: httpx.AsyncClient, runtime: Runtime) -> None:
    await runtime.nights.save_revision(revision(status="needs_person"))
    reply = await client.post("/v1/revisions/r1", json={"approve": True})
    assert (reply.json()["status"], reply.json()["decided_by"]) == ("improved", "local operator")
    assert [answer.answer for answer in await archived(runtime)] == ["A value."]


async def test_a_declined_revision_is_no_longer_given_again(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    await runtime.nights.save_revision(revision())
    await client.post("/v1/revisions/r1", json={"approve": True})
    reply = await client.post("/v1/revisions/r1", json={"approve": False})
    assert reply.json()["status"] == "rejected"
    assert await archived(runtime) == []
    assert (await runtime.nights.revision("r1")).status == "rejected"


async def test_an_answer_that_cites_nothing_cannot_be_approved(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    await runtime.nights.save_revision(revision(status="needs_person", citations=()))
    reply = await client.post("/v1/revisions/r1", json={"approve": True})
    assert reply.status_code == 400
    assert "cites no source" in reply.json()["error"]["message"]
    assert (await runtime.nights.revision("r1")).status == "needs_person"


async def test_golden_pairs_are_listed_and_decided(client: httpx.AsyncClient, runtime: Runtime) -> None:
    await runtime.nights.save_golden([golden(status="waiting"), golden("g2")])
    waiting = await client.get("/v1/golden", params={"status": "waiting"})
    assert [each["id"] for each in waiting.json()] == ["g1"]
    reply = await client.post("/v1/golden/g1", json={"approve": True})
    assert (reply.json()["status"], reply.json()["decided_by"]) == ("approved", "local operator")
    assert len(await archived(runtime)) == 1
    assert (await client.post("/v1/golden/g1", json={"approve": False})).json()["status"] == "declined"
    assert await archived(runtime) == []
    assert (await client.get("/v1/golden", params={"status": "waiting"})).json() == []


async def test_spot_checks_are_listed_until_somebody_has_decided(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    pairs = [golden("g1", spot_check=True), golden("g2", spot_check=True, status="waiting"), golden("g3")]
    await runtime.nights.save_golden(pairs)

    async def queue(**more: str) -> list[str]:
        found = await client.get("/v1/golden", params={"queue": "true", **more})
        return [each["id"] for each in found.json()]

    assert await queue() == ["g1", "g2"]
    assert await queue(status="waiting") == ["g2"]
    await client.post("/v1/golden/g1", json={"approve": True})
    assert await queue() == ["g2"]
    await client.post("/v1/golden/g2", json={"approve": False})
    assert await queue() == []


async def test_a_golden_pair_and_its_revision_are_declined_and_approved_together(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    await runtime.nights.save_revision(revision("r1"))
    await runtime.nights.save_golden([golden("g1", source="r1")])
    await client.post("/v1/revisions/r1", json={"approve": True})
    assert {each.id for each in await archived(runtime)} == {"r1", "golden-g1"}
    await client.post("/v1/golden/g1", json={"approve": False})
    assert (await runtime.nights.revision("r1")).status == "rejected"
    assert await archived(runtime) == []
    await client.post("/v1/golden/g1", json={"approve": True})
    assert len(await archived(runtime)) == 2
    await client.post("/v1/revisions/r1", json={"approve": False})
    assert [each.status for each in await runtime.nights.golden()] == ["declined"]
    assert await archived(runtime) == []


async def test_topics_are_listed_without_their_embeddings(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    await runtime.nights.save_topics("n1", [topic("t1", priority=1), topic("t2", priority=2)])
    found = (await client.get("/v1/topics", params={"domain": "rust"})).json()
    assert [(each["id"], each["centre"]) for each in found] == [("t2", []), ("t1", [])]
    assert (await client.get("/v1/topics")).status_code == 422


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/v1/revisions/r9", "revision_not_found"), ("/v1/golden/g9", "golden_pair_not_found")],
)
async def test_what_does_not_exist_is_not_found(client: httpx.AsyncClient, path: str, expected: str) -> None:
    assert code(await client.post(path, json={"approve": True})) == (404, expected)
    assert (await client.post(path, json={})).status_code == 422


async def test_decisions_are_in_the_audit_log_also_if_they_fail(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    await runtime.nights.save_revision(revision("r1", status="needs_person", citations=()))
    await runtime.nights.save_golden([golden("g1", status="waiting")])
    assert (await client.post("/v1/revisions/r1", json={"approve": True})).status_code == 400
    assert (await client.post("/v1/golden/g1", json={"approve": True})).is_success
    recorded = {(row.action, row.subject, row.by) for row in await runtime.audit.list()}
    acts = [("revision.decide", "r1"), ("revision.decide.failed", "r1"), ("golden.decide", "g1")]
    assert recorded == {(*act, "local operator") for act in acts}


@pytest.mark.parametrize("path", ["revisions", "golden"])
async def test_decisions_on_what_does_not_exist_leave_nothing_in_the_audit_log(
    client: httpx.AsyncClient, runtime: Runtime, path: str
) -> None:
    reply = await client.post(f"/v1/{path}/{'x' * 20_000}", json={"approve": False})
    assert reply.status_code == 404
    assert await runtime.audit.list() == ()


async def test_a_key_for_approving_is_needed_and_is_who_decided(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    await runtime.nights.save_golden([golden(status="waiting")])
    keys = ApiKeys(runtime.database)
    _, learns = await keys.create("bob", "learn")
    _, approves = await keys.create("ada", "approve")
    body = {"approve": True}
    refused = await client.post("/v1/golden/g1", json=body, headers={"x-api-key": learns})
    assert code(refused) == (403, "insufficient_scope")
    reply = await client.post("/v1/golden/g1", json=body, headers={"x-api-key": approves})
    assert reply.json()["decided_by"] == "ada"


async def test_what_quotes_a_domain_that_was_closed_since_is_shown_to_those_with_a_grant_alone(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    cited = (Citation(source="law.md", title="Law", start=0, end=3, quote="abc", domain="law"),)
    await runtime.nights.save_revision(revision(citations=cited))
    await runtime.nights.save_golden([golden("g1", citations=cited, status="waiting")])
    paths = ("/v1/revisions", "/v1/golden", "/v1/golden?queue=true")
    keys = ApiKeys(runtime.database)
    ann, ben = [{"x-api-key": (await keys.create(owner, "approve"))[1]} for owner in ("ann", "ben")]
    assert [len((await client.get(path, headers=ben)).json()) for path in paths] == [1, 1, 1]
    await runtime.grants.add("ann", "law")
    assert [len((await client.get(path, headers=ann)).json()) for path in paths] == [1, 1, 1]
    assert [(await client.get(path, headers=ben)).json() for path in paths] == [[], [], []]
    for path in ("/v1/revisions/r1", "/v1/golden/g1"):
        assert (await client.post(path, json={"approve": False}, headers=ben)).status_code == 404
        assert (await client.post(path, json={"approve": False}, headers=ann)).status_code == 200
