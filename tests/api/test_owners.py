"""What one key's owner added, asked or was granted is nothing to the keys of other owners."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from graphs.state import Runtime
from memory.records.access import EVERYTHING
from memory.records.interactions import Gap
from memory.server.keys import ApiKeys, Scope
from tests.api.conftest import Serve, asking
from tests.graphs.conftest import TRAINED

Client = httpx.AsyncClient
Key = Callable[[str, Scope], Awaitable[dict[str, str]]]
QUESTION = "What is a zorble?"
TEXT = "# Lamps\n\nA zorble is a small green lamp that burns oil.\n"


@pytest.fixture
def key(runtime: Runtime) -> Key:
    async def made(owner: str, scope: Scope = "learn") -> dict[str, str]:
        _, text = await ApiKeys(runtime.database).create(owner, scope)
        return {"x-api-key": text}

    return made


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[Client]:
    async with serve(learning=True) as opened:
        yield opened


async def add(
    client: Client, owner: dict[str, str], text: str = TEXT, domain: str = "general", source: str = "lamps.md"
) -> httpx.Response:
    headers = {**owner, "Content-Type": "text/markdown"}
    params = {"source": source, "domain": domain}
    return await client.post("/v1/documents", params=params, content=text, headers=headers)


async def ask(client: Client, owner: dict[str, str], question: str = QUESTION, **more: Any) -> dict[str, Any]:
    body = asking(question, **more)
    reply: dict[str, Any] = (await client.post("/v1/chat/completions", json=body, headers=owner)).json()
    return reply


async def sources(client: Client, owner: dict[str, str]) -> list[str]:
    listed: list[str] = (await client.get("/v1/documents", headers=owner)).json()["sources"]
    return listed


async def test_documents_are_answered_from_and_listed_to_their_owner_alone(client: Client, key: Key) -> None:
    ann, ben, admin = await key("ann", "learn"), await key("ben", "learn"), await key("root", "admin")
    (await add(client, ann)).raise_for_status()
    assert "small green lamp" in (await ask(client, ann))["choices"][0]["message"]["content"]
    assert "lamp" not in json.dumps(await ask(client, ben))
    assert "lamps.md" in await sources(client, ann)
    assert "lamps.md" not in await sources(client, ben)
    assert "lamps.md" in await sources(client, admin)


async def test_documents_of_admins_are_shared(client: Client, key: Key) -> None:
    (await add(client, await key("root", "admin"))).raise_for_status()
    ben = await key("ben", "learn")
    assert "small green lamp" in json.dumps(await ask(client, ben))
    assert "lamps.md" in await sources(client, ben)


async def test_a_document_of_the_same_name_replaces_nobody_elses(client: Client, key: Key) -> None:
    ann, ben = await key("ann", "learn"), await key("ben", "learn")
    await add(client, ann)
    assert (await add(client, ben, TEXT.replace("green", "blue"))).json()["documents"] == 1
    assert (await add(client, ann)).json()["unchanged"] == 1
    assert "green" in json.dumps(await ask(client, ann))
    assert "green" not in json.dumps(await ask(client, ben))


async def test_nobody_removes_a_document_of_another_owner(client: Client, key: Key) -> None:
    ann, ben, admin = await key("ann", "learn"), await key("ben", "learn"), await key("root", "admin")
    await add(client, ann)
    for other in (ben, admin):
        reply = await client.delete("/v1/documents", params={"source": "lamps.md"}, headers=other)
        assert reply.json() == {"passages": 0, "facts": 0}
    assert "lamps.md" in await sources(client, ann)
    await client.delete("/v1/documents", params={"source": "lamps.md"}, headers=ann)
    assert "lamps.md" not in await sources(client, ann)


async def test_a_closed_domain_is_read_and_written_by_grant_alone(client: Client, key: Key) -> None:
    keys = {name: await key(name, "learn") for name in ("ann", "ben", "cem")}
    admin = await key("root", "admin")
    (await add(client, admin, domain="lamps")).raise_for_status()
    assert "small green lamp" in json.dumps(await ask(client, keys["cem"]))
    for owner, write in (("ann", False), ("ben", True)):
        body = {"owner": owner, "domain": "lamps", "write": write}
        granted = await client.post("/v1/grants", json=body, headers=admin)
        assert granted.status_code == 201, granted.text
        assert ("was open to every key" in granted.json()["message"]) == (owner == "ann")
    found = {name: "small green lamp" in json.dumps(await ask(client, each)) for name, each in keys.items()}
    assert found == {"ann": True, "ben": True, "cem": False}
    added = {
        name: (await add(client, each, source=f"{name}.md", domain="lamps")).status_code
        for name, each in keys.items()
    }
    assert added == {"ann": 403, "ben": 200, "cem": 403}
    assert "ben.md" in await sources(client, keys["ann"])
    assert "ben.md" not in await sources(client, keys["cem"])


async def test_only_admins_grant(client: Client, key: Key) -> None:
    learner = await key("ann", "approve")
    body = {"owner": "ann", "domain": "lamps"}
    assert (await client.post("/v1/grants", json=body, headers=learner)).status_code == 403
    assert (await client.get("/v1/grants", headers=learner)).status_code == 403
    admin = await key("root", "admin")
    await client.post("/v1/grants", json=body, headers=admin)
    last = await client.delete("/v1/grants/lamps/ann", headers=admin)
    assert (last.status_code, "last grant" in last.text) == (400, True)
    opened = await client.delete("/v1/grants/lamps/ann", params={"reopen": True}, headers=admin)
    assert opened.json()["opened"]
    assert (await client.delete("/v1/grants/lamps/ann", headers=admin)).status_code == 404


async def test_the_adapter_of_a_closed_domain_does_not_exist_for_others(
    client: Client, key: Key, runtime: Runtime
) -> None:
    runtime.registry.promote(TRAINED.name)
    await runtime.routes.refresh()
    (live,) = [each.route.adapter for each in runtime.routes.live.values()]
    ann, ben = await key("ann", "learn"), await key("ben", "learn")
    await runtime.grants.add("ann", "rust")

    async def names(owner: dict[str, str]) -> list[str]:
        return [each["id"] for each in (await client.get("/v1/models", headers=owner)).json()["data"]]

    assert "rust" in await names(ann)
    assert "rust" not in await names(ben)
    for name in ("rust", live):
        assert "choices" in await ask(client, ann, model=str(name))
    unknown = await ask(client, ben, model="no-such-model")
    for name in ("rust", live):
        refused = await ask(client, ben, model=str(name))
        assert refused["error"]["code"] == "model_not_found"
        assert (
            refused["error"]["message"].replace(f"'{name}'", "'no-such-model'") == unknown["error"]["message"]
        )
        assert (await client.get(f"/v1/models/{name}", headers=ben)).status_code == 404
        body = {"model": name, "prompt": "A borrow"}
        assert (await client.post("/v1/completions", json=body, headers=ben)).status_code == 404


async def test_gaps_are_opened_listed_and_changed_by_owner(
    client: Client, key: Key, runtime: Runtime
) -> None:
    ann, ben, admin = await key("ann", "learn"), await key("ben", "learn"), await key("root", "admin")
    anns, bens = [(await ask(client, each))["nightschool"]["gap_id"] for each in (ann, ben)]
    assert anns != bens
    assert (await ask(client, ann))["nightschool"]["gap_id"] == anns

    async def listed(owner: dict[str, str]) -> set[str]:
        return {gap["id"] for gap in (await client.get("/v1/gaps", headers=owner)).json()}

    assert (await listed(ann), await listed(ben), await listed(admin)) == ({anns}, {bens}, {anns, bens})
    assert (await client.get(f"/v1/gaps/{anns}", headers=ben)).status_code == 404
    assert (await client.post(f"/v1/gaps/{anns}/dismiss", headers=ben)).status_code == 404
    assert (await client.delete(f"/v1/gaps/{anns}", headers=ben)).status_code == 404
    for pair in ((anns, bens), (bens, anns)):
        body = {"into": pair[1]}
        assert (await client.post(f"/v1/gaps/{pair[0]}/merge", json=body, headers=ben)).status_code == 404
    assert (await client.post("/v1/learn", json={"gap_id": anns}, headers=ben)).status_code == 404
    merged = await client.post(f"/v1/gaps/{anns}/merge", json={"into": bens}, headers=admin)
    assert merged.status_code == 200


async def test_a_shared_gap_is_not_merged_into_ones_own(client: Client, key: Key, runtime: Runtime) -> None:
    ann = await key("ann", "learn")
    mine = (await ask(client, ann))["nightschool"]["gap_id"]
    shared = await runtime.database.open_gap(
        Gap(
            id="shared",
            question="How deep is it?",
            domain="general",
            keywords=(),
            uncertainty=None,
            opened_at=runtime.clock(),
        )
    )
    refused = await client.post(f"/v1/gaps/{shared.id}/merge", json={"into": mine}, headers=ann)
    assert refused.status_code == 403


async def test_a_gap_of_a_closed_domain_is_learned_only_with_a_grant_to_write(
    client: Client, key: Key, runtime: Runtime
) -> None:
    gap = Gap(
        id="g", question="What is a move?", domain="rust", keywords=(), uncertainty=None,
        opened_at=runtime.clock(),
    )  # fmt: skip
    await runtime.database.open_gap(gap)
    await runtime.grants.add("ann", "rust")
    ann = await key("ann", "learn")
    assert (await client.get("/v1/gaps/g", headers=ann)).status_code == 200
    assert (await client.post("/v1/learn", json={"gap_id": "g"}, headers=ann)).status_code == 403
    assert (await runtime.database.gap("g", access=EVERYTHING)).status == "open"


@pytest.mark.parametrize("path", ["/v1/learn", "run", "/v1/nights", "/v1/nights/schedule"])
async def test_a_closed_domain_is_taught_only_with_a_grant_to_write(
    client: Client, key: Key, runtime: Runtime, path: str
) -> None:
    ann = await key("ann", "learn")
    await runtime.grants.add("ann", "rust")
    body: dict[str, Any] = {"topic": "Rust ownership", "domain": "rust"}
    if path == "run":
        run = {"assistant_id": "learn", "input": body}
        refused = await client.post("/runs/wait", json=run, headers=ann)
    elif path.endswith("schedule"):
        refused = await client.put(path, json={"domain": "rust"}, headers=ann)
    else:
        values = body if path == "/v1/learn" else {"domain": "rust"}
        refused = await client.post(path, json=values, headers=ann)
    assert refused.status_code == 403, refused.text
    assert "nightschool grants add ann rust --write" in refused.text


async def test_a_run_learns_from_documents_that_its_owner_may_read_alone(client: Client, key: Key) -> None:
    ann, ben = await key("ann", "learn"), await key("ben", "learn")
    await add(client, ann)
    body = {"topic": "zorbles", "sources": ["lamps.md"], "domain": "general"}
    refused = await client.post("/v1/learn", json=body, headers=ben)
    assert (refused.status_code, "no document 'lamps.md'" in refused.text) == (400, True)
    assert (await client.post("/v1/learn", json=body, headers=ann)).status_code == 202


async def test_a_thread_of_chat_holds_quoted_sentences_and_no_whole_passages(
    client: Client, key: Key
) -> None:
    admin, ann = await key("root", "admin"), await key("ann", "chat")
    hidden = "Its inventor was Quillfeather of Brambleton."
    (await add(client, admin, f"{TEXT.strip()} {hidden}\n")).raise_for_status()
    thread = (await client.post("/threads", json={}, headers=ann)).json()["thread_id"]
    messages = {"messages": [{"role": "user", "content": QUESTION}]}
    modes = ["values", "updates", "debug", "tasks", "checkpoints", "events"]
    run = {"assistant_id": "chat", "input": messages, "stream_mode": modes}
    streamed = await client.post(f"/threads/{thread}/runs/stream", json=run, headers=ann)
    state = await client.get(f"/threads/{thread}/state", headers=ann)
    history = await client.post(f"/threads/{thread}/history", json={}, headers=ann)
    waited = await client.post(f"/threads/{thread}/runs/wait", json=run, headers=ann)
    assert waited.json()["citations"][0]["quote"]
    for reply in (streamed, state, history, waited):
        assert "small green lamp" in reply.text
        assert "Quillfeather" not in reply.text
        assert "findings" not in reply.text


@pytest.mark.parametrize("source", ["/etc/passwd", "../lamps.md", "C:\\lamps.md"])
async def test_no_source_tells_where_a_file_is(client: Client, key: Key, source: str) -> None:
    refused = await add(client, await key("ann", "learn"), source=source)
    assert (refused.status_code, "relative path" in refused.text) == (422, True)


async def test_each_owner_has_a_webhook_secret_of_its_own(serve: Serve, key: Key, runtime: Runtime) -> None:
    async with serve(learning=True) as client:
        without = await client.get("/v1/webhooks/secret", headers=await key("ann", "chat"))
        assert (without.status_code, "NIGHTSCHOOL_WEBHOOK_SECRET" in without.text) == (400, True)
