"""Annotation over HTTP: annotators see what they need and no more, and operators see all."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.engines.scripted import Line
from api.nightschool import annotation_batches
from graphs.state import Runtime
from memory.feedback.annotations import LEASE, Annotations
from memory.server.keys import ApiKeys, Scope
from tests.api.conftest import Serve, asking
from tests.graphs.conftest import BASE_LINES, SONG, TRAINED, Clock
from tests.support.engines import VaryingEngine
from tests.support.interactions import follow_up, interaction

Key = Callable[[str, Scope], Awaitable[dict[str, str]]]
ROOT = Path(__file__).parents[3]
QUESTIONS = [f"What is a {name}?" for name in ("lemur", "glacier", "sonnet", "turbine", "ledger", "violin")]


@pytest.fixture
def engine() -> VaryingEngine:
    lines = {
        question: Line(text=f"an answer about {question[10:-1]}s", entropy=0.1) for question in QUESTIONS
    }
    return VaryingEngine(BASE_LINES | lines, adapters={TRAINED.name: SONG})


@pytest.fixture
async def client(serve: Serve, runtime: Runtime, engine: VaryingEngine) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(replace(runtime, engine=engine)) as opened:
        yield opened


@pytest.fixture
def key(runtime: Runtime) -> Key:
    async def made(owner: str, scope: Scope) -> dict[str, str]:
        _, text = await ApiKeys(runtime.database).create(owner, scope)
        return {"x-api-key": text}

    return made


async def ask(client: httpx.AsyncClient, *questions: str, **fields: Any) -> None:
    for question in questions:
        reply = await client.post("/v1/chat/completions", json=asking(question, **fields))
        reply.raise_for_status()


async def sample(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await client.post("/v1/annotation/sample", json={"batch": "monday", **fields})


async def next_task(client: httpx.AsyncClient, annotator: str = "ada") -> Any:
    reply = await client.get("/v1/annotation/next", params={"annotator": annotator})
    return reply.raise_for_status().json()


async def judge(client: httpx.AsyncClient, item: str, choice: str = "a", **fields: Any) -> httpx.Response:
    body = {"choice": choice, "annotator": "ada", **fields}
    return await client.post(f"/v1/annotation/items/{item}/judgement", json=body)


async def upload(client: httpx.AsyncClient, *rows: Any, **query: str) -> httpx.Response:
    params = {"format": "dpo", "batch": "imported", **query}
    content = "\n".join(json.dumps(row) for row in rows)
    return await client.post("/v1/annotation/import", params=params, content=content)


async def items(client: httpx.AsyncClient, **query: str) -> list[dict[str, Any]]:
    reply = await client.get("/v1/annotation/items", params=query)
    return list(reply.raise_for_status().json()["items"])


def pair(number: int) -> dict[str, str]:
    return {"prompt": f"Question {number}?", "chosen": f"good {number}", "rejected": f"bad {number}"}


async def test_sampled_turns_stand_beside_another_answer(client: httpx.AsyncClient) -> None:
    await ask(client, *QUESTIONS)
    reply = await sample(client, count=4, annotators=2)
    found = reply.raise_for_status().json()
    assert (found["candidates"], found["drawn"], found["items"], found["dropped"]) == (6, 4, 4, {})
    assert found["reasons"]["random"] == 1
    for item in await items(client):
        assert {item["a_source"], item["b_source"]} == {"served", "sampled"}
        assert item["a"] != item["b"]
        assert item["annotators"] == 2
    again = (await sample(client, count=10)).json()
    assert again["candidates"] == 2, "the drawn turns are not drawn again"


async def test_turns_without_another_answer_are_dropped_and_counted(serve: Serve, runtime: Runtime) -> None:
    async with serve(runtime) as client:
        await ask(client, "What is a lemur?")
        found = (await sample(client)).raise_for_status().json()
    assert found["dropped"] == {"every alternative is equal to the served answer": 1}
    assert found["items"] == 0


async def test_a_sample_takes_turns_of_the_period_and_the_domain(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await ask(client, QUESTIONS[0])
    clock.advance(60)
    since = clock.now.isoformat()
    await ask(client, QUESTIONS[1])
    assert (await sample(client, since=since)).json()["candidates"] == 1
    assert (await sample(client, until=since)).json()["candidates"] == 1
    assert (await sample(client, domain="bread")).json()["candidates"] == 0


async def test_of_too_many_turns_the_newest_are_drawn_from_as_the_guide_says(
    client: httpx.AsyncClient, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = await asyncio.to_thread((ROOT / "docs/guides/feedback.md").read_text, encoding="utf-8")
    assert f"draws from the newest {annotation_batches.MAX_CANDIDATES:,} turns" in guide
    monkeypatch.setattr(annotation_batches, "MAX_CANDIDATES", 2)
    for question in QUESTIONS[:3]:
        await ask(client, question)
        clock.advance(60)
    assert (await sample(client)).json()["candidates"] == 2
    assert {item["messages"][-1]["content"] for item in await items(client)} == set(QUESTIONS[1:3])


async def test_private_turns_reach_no_annotator(client: httpx.AsyncClient) -> None:
    await ask(client, *QUESTIONS[:2], "I moved last week. Where do I live?")
    turns = (await client.get("/v1/interactions")).raise_for_status().json()
    reported = next(turn["id"] for turn in turns if turn["question"] == QUESTIONS[0])
    report = {"interaction_id": reported, "reported": "This is private."}
    (await client.post("/v1/feedback", json=report)).raise_for_status()
    assert (await sample(client)).json()["candidates"] == 1
    assert [item["messages"][-1]["content"] for item in await items(client)] == [QUESTIONS[1]]


async def test_a_turn_that_is_reported_as_private_is_taken_from_the_annotators(
    client: httpx.AsyncClient,
) -> None:
    await ask(client, *QUESTIONS[:2])
    await sample(client)
    shown = next(i for i in await items(client) if i["messages"][-1]["content"] == QUESTIONS[0])
    report = {"interaction_id": shown["interaction_id"], "reported": "Please keep this private."}
    (await client.post("/v1/feedback", json=report)).raise_for_status()
    assert [item["messages"][-1]["content"] for item in await items(client)] == [QUESTIONS[1]]
    judgement = {"annotator": "ada", "choice": "a"}
    late = await client.post(f"/v1/annotation/items/{shown['id']}/judgement", json=judgement)
    assert late.status_code == 404


async def test_later_turns_that_quote_one_reported_as_private_reach_no_annotator(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    first = interaction("first", question="What is the secret of Apollo?", answer="It is behind schedule.")
    for turn in (first, follow_up(first, "drawn"), interaction("other", question="What is a move?")):
        await runtime.interactions.save(turn)
    await sample(client)
    assert {"drawn", "other"} <= {item["interaction_id"] for item in await items(client)}
    report = {"interaction_id": first.id, "reported": "Please keep this private."}
    (await client.post("/v1/feedback", json=report)).raise_for_status()
    assert [item["interaction_id"] for item in await items(client)] == ["other"]
    await runtime.interactions.save(follow_up(first, "later"))
    await sample(client, batch="next")
    assert [item["interaction_id"] for item in await items(client)] == ["other"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"count": 0}, 422),
        ({"count": 201}, 422),
        ({"batch": "two words"}, 422),
        ({"annotators": 10}, 422),
        ({"alternative": "teacher"}, 400),
        ({"alternative": "rust-v9-0123abcd"}, 404),
        ({"alternative": "anything"}, 404),
        ({"alternative": TRAINED.name, "domain": "bread"}, 400),
        ({"batch": "\0"}, 400),
        ({"since": "2026-02-01", "until": "2026-01-01"}, 400),
    ],
)
async def test_a_sample_that_cannot_be_drawn_is_refused(
    client: httpx.AsyncClient, fields: dict[str, Any], status: int
) -> None:
    reply = await sample(client, **fields)
    assert (reply.status_code, "error" in reply.json()) == (status, True)


async def test_an_annotator_sees_how_far_it_is_and_only_an_admin_how_far_others_are(
    client: httpx.AsyncClient, key: Key
) -> None:
    ada, root = await key("ada", "annotate"), await key("root", "admin")
    client.headers.update(root)
    await ask(client, *QUESTIONS)
    await sample(client, count=4)
    first, second = (item["id"] for item in (await items(client))[:2])
    await judge(client, first)
    await judge(client, second, "skip")

    async def progress(headers: dict[str, str], **query: str) -> httpx.Response:
        return await client.get("/v1/annotation/progress", headers=headers, params=query)

    assert (await progress(ada)).json() == {"judged": 1, "skipped": 1, "left": 2}
    assert (await progress(root, annotator="bob")).json() == {"judged": 0, "skipped": 0, "left": 3}
    assert (await progress(ada, annotator="bob")).status_code == 403


async def test_another_adapter_of_the_domain_may_give_the_alternative(
    client: httpx.AsyncClient, engine: VaryingEngine
) -> None:
    await ask(client, "What is a borrow?")
    reply = await sample(client, alternative=TRAINED.name)
    assert reply.json()["candidates"] == 0, "the turn is of the domain general"
    assert (await sample(client, alternative="nightschool")).json()["items"] == 1


async def test_an_engine_that_is_away_is_said_to_be(client: httpx.AsyncClient, engine: VaryingEngine) -> None:
    await ask(client, QUESTIONS[0])
    engine.available = False
    assert (await sample(client)).status_code == 503
    assert await items(client) == []


async def test_an_annotator_gets_an_item_judges_it_and_gets_the_next(client: httpx.AsyncClient) -> None:
    await ask(client, *QUESTIONS[:2])
    await sample(client)
    first = await next_task(client)
    assert set(first) == {"item_id", "domain", "messages", "a", "b", "expires_at"}
    saved = await judge(client, first["item_id"], "b", comment=" shorter ", rewrite="best", seconds=3.5)
    assert saved.json() | {"created_at": ""} == {
        "item_id": first["item_id"],
        "annotator": "ada",
        "choice": "b",
        "comment": "shorter",
        "rewrite": "best",
        "seconds": 3.5,
        "created_at": "",
    }
    assert (
        await judge(client, first["item_id"], "b", comment="shorter", rewrite="best")
    ).json() == saved.json()
    assert (await judge(client, first["item_id"], "a")).status_code == 409
    second = await next_task(client)
    assert second["item_id"] != first["item_id"]
    assert await next_task(client, "bob") is None
    released = await client.post(
        f"/v1/annotation/items/{second['item_id']}/release", json={"annotator": "ada"}
    )
    assert released.status_code == 204
    assert (await next_task(client, "bob"))["item_id"] == second["item_id"]


async def test_a_lease_ends_after_fifteen_minutes(client: httpx.AsyncClient, clock: Clock) -> None:
    await ask(client, QUESTIONS[0])
    await sample(client)
    task = await next_task(client)
    assert await next_task(client, "bob") is None
    clock.advance((LEASE + timedelta(seconds=1)).total_seconds())
    assert (await next_task(client, "bob"))["item_id"] == task["item_id"]
    assert (await judge(client, task["item_id"])).json()["error"]["code"] == "annotation_item_taken"


@pytest.mark.parametrize(
    ("item", "fields", "status"),
    [
        ("nothing", {}, 404),
        ("two words", {}, 422),
        ("nothing", {"choice": "c"}, 422),
        ("nothing", {"rewrite": "  "}, 422),
        ("nothing", {"comment": "x" * 4001}, 422),
        ("nothing", {"comment": "\0"}, 400),
        ("nothing", {"seconds": -1}, 422),
        ("nothing", {"annotator": ""}, 422),
        ("nothing", {"mood": "good"}, 422),
    ],
)
async def test_a_judgement_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, item: str, fields: dict[str, Any], status: int
) -> None:
    assert (await judge(client, item, **fields)).status_code == status


async def test_a_rewrite_of_separators_only_gives_no_pair(client: httpx.AsyncClient) -> None:
    await ask(client, QUESTIONS[0])
    await sample(client)
    task = await next_task(client)
    assert (await judge(client, task["item_id"], "both_good", rewrite="\x1c")).status_code == 200
    exported = await client.get("/v1/annotation/export", params={"format": "dpo"})
    assert (exported.status_code, exported.text) == (200, "")


async def test_personal_data_in_comments_and_rewrites_is_not_kept(client: httpx.AsyncClient) -> None:
    await upload(client, pair(1), gold="true")
    task = await next_task(client)
    saved = (await judge(client, task["item_id"], rewrite="Write to ada@example.com.")).json()
    assert "ada@example.com" not in saved["rewrite"]


async def test_an_annotators_key_annotates_in_its_owners_name_and_does_no_more(
    client: httpx.AsyncClient, key: Key
) -> None:
    ada, chatter, admin = await key("ada", "annotate"), await key("eve", "chat"), await key("root", "admin")
    client.headers.update(admin)
    await upload(client, pair(1), pair(2), gold="true")
    own = await client.get("/v1/annotation/next", headers=ada)
    assert own.status_code == 200
    item = own.json()["item_id"]
    as_bob = await client.get("/v1/annotation/next", params={"annotator": "bob"}, headers=ada)
    assert (as_bob.status_code, as_bob.json()["error"]["code"]) == (403, "insufficient_scope")
    judged = await client.post(f"/v1/annotation/items/{item}/judgement", json={"choice": "a"}, headers=ada)
    assert judged.json()["annotator"] == "ada"
    assert (await client.get("/v1/annotation/next", headers=chatter)).status_code == 403
    for method, path in (
        ("POST", "/v1/annotation/sample"),
        ("GET", "/v1/annotation/items"),
        ("GET", "/v1/annotation/agreement"),
        ("GET", "/v1/annotation/export?format=dpo"),
        ("POST", "/v1/annotation/import?format=dpo&batch=x"),
        ("POST", f"/v1/annotation/items/{item}/gold"),
    ):
        body = {"batch": "x"} if path.endswith("sample") else {"choice": "a"}
        refused = await client.request(method, path, json=body if method == "POST" else None, headers=ada)
        assert refused.status_code == 403, path
        allowed = await client.request(method, path, json=body if method == "POST" else None, headers=admin)
        assert allowed.status_code in (200, 400), (path, allowed.text)


async def test_gold_items_show_who_is_careless_and_their_judgements_are_not_exported(
    client: httpx.AsyncClient,
) -> None:
    await upload(client, *(pair(n) for n in range(5)), gold="true", batch="checks")
    right = {item["id"]: item["gold"] for item in await items(client, batch="checks")}
    await ask(client, *QUESTIONS)
    await sample(client, annotators=2)
    for annotator in ("ada", "bob"):
        while (task := await next_task(client, annotator)) is not None:
            assert "gold" not in json.dumps(task)
            known = right.get(task["item_id"], "a")
            choice = known if annotator == "ada" else "both_bad"
            await judge(client, task["item_id"], choice, annotator=annotator)
    report = (await client.get("/v1/annotation/agreement")).json()
    assert {each["annotator"]: each["careless"] for each in report["annotators"]} == {
        "ada": False,
        "bob": True,
    }
    assert report["items"] == 6
    exported = await client.get("/v1/annotation/export", params={"format": "dpo", "batch": "monday"})
    assert exported.headers["content-type"].startswith("application/x-ndjson")
    assert len(exported.text.splitlines()) == 6
    assert set(json.loads(exported.text.splitlines()[0])) == {"prompt", "chosen", "rejected"}


async def test_an_import_is_all_or_nothing_and_the_same_again_changes_nothing(
    client: httpx.AsyncClient,
) -> None:
    bad = await upload(client, pair(1), {"prompt": "x", "chosen": "same", "rejected": "same"}, pair(2))
    assert bad.status_code == 400
    assert bad.json()["error"]["message"].startswith("line 2: ")
    assert await items(client) == []
    first = (await upload(client, pair(1), pair(2))).json()
    assert (first["records"], first["items"], first["judgements"]) == (2, 2, 2)
    assert (await upload(client, pair(1), pair(2))).json()["items"] == 0
    assert len(await items(client, status="done")) == 2
    exported = await client.get("/v1/annotation/export", params={"format": "dpo"})
    chosen = {json.loads(line)["chosen"][0]["content"] for line in exported.text.splitlines()}
    assert chosen == {"good 1", "good 2"}


async def test_argilla_takes_open_items_and_brings_back_judgements(client: httpx.AsyncClient) -> None:
    await ask(client, *QUESTIONS[:2])
    await sample(client)
    exported = await client.get("/v1/annotation/export", params={"format": "argilla", "batch": "monday"})
    records = exported.json()
    assert len(records) == 2
    assert "served" not in exported.text, "annotators elsewhere do not see which answer was served"
    user = "7a3e1d52-31b1-4a3a-a3f5-0a0d6f0d6a11"
    records[0]["responses"] = {"preference": [{"value": "b", "user_id": user}]}
    content = json.dumps(records)
    params = {"format": "argilla", "batch": "monday"}
    reply = await client.post("/v1/annotation/import", params=params, content=content)
    assert (reply.json()["items"], reply.json()["judgements"]) == (0, 1)
    (done,) = await items(client, status="done")
    assert {done["a_source"], done["b_source"]} == {"served", "sampled"}, "what is known of it stays"
    records[1]["fields"]["a"] = "something else"
    changed = await client.post("/v1/annotation/import", params=params, content=json.dumps(records))
    assert changed.status_code == 400
    assert changed.json()["error"]["message"].startswith("line 1: ")


async def test_a_file_may_be_as_large_as_a_document_and_no_larger(client: httpx.AsyncClient) -> None:
    reply = await upload(client, *(pair(n) for n in range(100)))
    assert reply.status_code == 413
    wrong = await client.post("/v1/annotation/import", params={"format": "csv", "batch": "x"}, content="x")
    assert wrong.status_code == 422


async def test_an_item_is_made_gold_and_ordinary_again(client: httpx.AsyncClient, runtime: Runtime) -> None:
    await ask(client, QUESTIONS[0])
    await sample(client)
    (item,) = await items(client)
    path = f"/v1/annotation/items/{item['id']}/gold"
    assert (await client.post(path, json={"choice": "a"})).json()["gold"] == "a"
    assert (await client.post(path, json={"choice": "skip"})).status_code == 400
    assert (await client.post("/v1/annotation/items/nothing/gold", json={"choice": "a"})).status_code == 404
    counts = (await client.get("/v1/annotation/items")).json()["batches"]
    assert counts == [{"batch": "monday", "open": 0, "done": 0, "gold": 1, "judgements": 0}]
    assert (await client.post(path, json={"choice": None})).json()["gold"] is None
    assert (await Annotations(runtime.database).get(item["id"])).gold is None
