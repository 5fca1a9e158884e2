"""A conflict is decided by withdrawing what is wrong: it is not found, said or read again."""

from collections.abc import AsyncIterator

import httpx
import pytest

from graphs.state import Runtime
from memory.server.keys import ApiKeys
from tests.api.conftest import Serve, asking
from tests.support.adapters import adapter, curriculum

PATH = "/v1/memory/withdrawn"
RIGHT, WRONG = "The brass kettle was built in 1962.", "The brass kettle was built in 1971."
NEW = {"source": "b.md", "sentence": WRONG, "reason": "a misprint"}
Keys = dict[str, dict[str, str]]


@pytest.fixture
async def keys(runtime: Runtime) -> Keys:
    made = ApiKeys(runtime.database)
    scopes = (("ada", "chat"), ("ben", "learn"), ("cy", "learn"), ("root", "admin"))
    return {owner: {"x-api-key": (await made.create(owner, scope))[1]} for owner, scope in scopes}  # type: ignore[arg-type]


@pytest.fixture
async def client(serve: Serve, runtime: Runtime, keys: Keys) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(runtime, learning=True) as opened:
        await ingest(opened, keys["ben"], "a.md", f"# Kettle\n\n{RIGHT} It is heavy.")
        await ingest(opened, keys["ben"], "b.md", f"# Kettle\n\n{WRONG} A lamp is a light.")
        yield opened


async def ingest(client: httpx.AsyncClient, key: dict[str, str], source: str, text: str) -> dict[str, int]:
    headers = key | {"content-type": "text/markdown"}
    reply = await client.post("/v1/documents", params={"source": source}, content=text, headers=headers)
    reply.raise_for_status()
    report: dict[str, int] = reply.json()
    return report


async def conflicts(client: httpx.AsyncClient, key: dict[str, str]) -> int:
    total: int = (await client.get("/v1/memory/conflicts", headers=key)).json()["total"]
    return total


async def test_a_withdrawn_sentence_is_in_no_conflict_search_or_answer(
    client: httpx.AsyncClient, keys: Keys
) -> None:
    ben = keys["ben"]
    assert await conflicts(client, ben) == 1
    done = await client.post(PATH, json=NEW, headers=ben)
    assert done.status_code == 201
    assert (done.json()["passages"], done.json()["facts"], done.json()["taught"]) == (1, 1, [])
    assert await conflicts(client, ben) == 0
    query = {"query": "When was the brass kettle built?"}
    found = await client.post("/v1/search", json=query, headers=ben)
    assert ("1962" in found.text, "1971" in found.text) == (True, False)
    asked = await client.post("/v1/chat/completions", json=asking(query["query"]), headers=ben)
    assert "1962" in asked.json()["choices"][0]["message"]["content"]
    assert "1971" not in asked.text
    kept = (await client.get("/v1/documents/contents", params={"source": "b.md"}, headers=ben)).text
    assert ("A lamp is a light." in kept, "1971" in kept) == (True, False)


async def test_it_stays_out_of_every_later_version_until_it_is_reinstated(
    client: httpx.AsyncClient, keys: Keys
) -> None:
    ben = keys["ben"]
    made = (await client.post(PATH, json=NEW, headers=ben)).json()["withdrawn"]
    again = await ingest(client, ben, "b.md", f"# Kettle\n\n{WRONG} A lamp is a light.")
    assert (again["unchanged"], await conflicts(client, ben)) == (1, 0)
    await ingest(client, ben, "b.md", f"# Kettle\n\n{WRONG} A lamp is a bright light.")
    assert await conflicts(client, ben) == 0
    listed = (await client.get(PATH, headers=ben)).json()
    assert [(each["sentence"], each["by"], each["reason"]) for each in listed] == [
        (WRONG, "ben", "a misprint")
    ]
    assert (
        await client.post(PATH, json=NEW, headers=ben)
    ).status_code == 404  # it is in no document any more
    undone = await client.delete(f"{PATH}/{made['id']}", headers=ben)
    assert undone.json()["sentence"] == WRONG
    await ingest(client, ben, "b.md", f"# Kettle\n\n{WRONG} A lamp is a bright light.")
    assert await conflicts(client, ben) == 1


async def test_only_who_may_change_the_document_withdraws_and_sees_what_was_withdrawn(
    client: httpx.AsyncClient, keys: Keys, runtime: Runtime
) -> None:
    assert (await client.post(PATH, json=NEW, headers=keys["ada"])).status_code == 403
    for other in ("cy", "root"):
        assert (await client.post(PATH, json=NEW, headers=keys[other])).status_code == 404
    made = (await client.post(PATH, json=NEW, headers=keys["ben"])).json()["withdrawn"]
    assert (await client.get(PATH, headers=keys["cy"])).json() == []
    assert (await client.delete(f"{PATH}/{made['id']}", headers=keys["cy"])).status_code == 404
    assert len((await client.get(PATH, headers=keys["root"])).json()) == 1
    audited = await runtime.audit.list(action="sentence.withdraw")
    assert [(row.by, row.subject) for row in audited] == [("ben", made["id"])]
    assert WRONG not in str(audited)


async def test_what_an_admin_corrected_in_a_shared_document_stays_corrected(
    client: httpx.AsyncClient, keys: Keys
) -> None:
    root = keys["root"]
    await ingest(client, root, "shared.md", f"# Kettle\n\n{WRONG} A lamp is a light.")
    shared = NEW | {"source": "shared.md"}
    path = f"{PATH}/{(await client.post(PATH, json=shared, headers=root)).json()['withdrawn']['id']}"
    refused = await client.delete(path, headers=keys["ben"])
    assert (refused.status_code, "not yours" in refused.text) == (404, True)
    assert len((await client.get(PATH, headers=keys["ben"])).json()) == 1, "which everybody may see"
    assert (await client.delete(path, headers=root)).status_code == 200


async def test_a_sentence_that_no_document_holds_is_refused_and_nothing_is_noted(
    client: httpx.AsyncClient, keys: Keys
) -> None:
    for part in (" ", ".", "kettle", "The brass kettle was built"):
        refused = await client.post(PATH, json=NEW | {"sentence": part}, headers=keys["ben"])
        assert refused.status_code == 404, part
    for wrong in ({"sentence": "The kettle sings."}, {"source": "c.md"}, {"domain": "elsewhere"}):
        assert (await client.post(PATH, json=NEW | wrong, headers=keys["ben"])).status_code == 404
    for bad in ({"sentence": ""}, {"source": ""}, {"why": "x"}):
        assert (await client.post(PATH, json=NEW | bad, headers=keys["ben"])).status_code == 422
    assert (await client.get(PATH, headers=keys["ben"])).json() == []


async def test_adapters_that_were_taught_it_are_named(
    client: httpx.AsyncClient, keys: Keys, runtime: Runtime
) -> None:
    lesson = curriculum()
    pair = lesson.pairs[0].model_copy(update={"source": "b.md", "quote": WRONG})
    lesson = lesson.model_copy(update={"pairs": (pair, *lesson.pairs[1:])})
    await runtime.outbox.publish(lesson)
    learned = adapter(lesson.domain, digest=lesson.digest)
    runtime.registry.register(learned)
    runtime.registry.promote(learned.name)
    (taught,) = (await client.post(PATH, json=NEW, headers=keys["ben"])).json()["taught"]
    assert (taught["adapter"], taught["digest"]) == (learned.name, lesson.digest)
    assert taught["command"].startswith(f"nightschool adapters forget {lesson.domain} ")


async def test_a_document_that_is_forgotten_takes_its_withdrawn_sentences_along(
    client: httpx.AsyncClient, keys: Keys
) -> None:
    await client.post(PATH, json=NEW, headers=keys["ben"])
    reply = await client.delete("/v1/memory", params={"source": "b.md"}, headers=keys["ben"])
    assert reply.json()["counts"]["withdrawn sentences"] == 1
    assert (await client.get(PATH, headers=keys["ben"])).json() == []


async def test_a_document_of_which_nothing_is_left_is_gone(client: httpx.AsyncClient, keys: Keys) -> None:
    await ingest(client, keys["ben"], "c.md", f"# Kettle\n\n{WRONG}")
    await client.post(PATH, json=NEW | {"source": "c.md"}, headers=keys["ben"])
    assert (await client.get("/v1/documents", headers=keys["ben"])).json()["sources"] == [
        "a.md",
        "b.md",
        "rust.md",
    ]


async def test_a_document_is_shown_withdrawn_from_and_forgotten_by_a_name_that_is_not_normalised(
    client: httpx.AsyncClient, keys: Keys
) -> None:
    ben, name = keys["ben"], "cafe\u0301\u202fb.md"
    await ingest(client, ben, name, f"# Kettle\n\n{WRONG} A lamp is a light.")
    shown = await client.get("/v1/documents/contents", params={"source": name}, headers=ben)
    assert [each["source"] for each in shown.json()] == ["caf\u00e9 b.md"]
    done = await client.post(PATH, json=NEW | {"source": name}, headers=ben)
    assert done.status_code == 201
    forgotten = await client.delete("/v1/memory", params={"source": name}, headers=ben)
    assert forgotten.json()["counts"]["passages"] == 1


async def test_withdrawn_sentences_are_listed_a_page_at_a_time(client: httpx.AsyncClient, keys: Keys) -> None:
    ben = keys["ben"]
    for sentence in (RIGHT, WRONG, "It is heavy."):
        source = "b.md" if sentence == WRONG else "a.md"
        body = {"source": source, "sentence": sentence}
        (await client.post(PATH, json=body, headers=ben)).raise_for_status()
    whole = (await client.get(PATH, headers=ben)).json()
    assert len(whole) == 3
    first = (await client.get(PATH, params={"limit": 2}, headers=ben)).json()
    rest = (await client.get(PATH, params={"limit": 2, "after": first[-1]["id"]}, headers=ben)).json()
    assert [*first, *rest] == whole
    other = await client.get(PATH, params={"after": first[0]["id"]}, headers=keys["cy"])
    assert (other.status_code, "begin without `after`" in other.text) == (404, True)


@pytest.mark.parametrize("listing", ["conflicts", "stale", "names"])
async def test_a_listing_says_whether_all_facts_were_compared(
    client: httpx.AsyncClient, keys: Keys, monkeypatch: pytest.MonkeyPatch, listing: str
) -> None:
    for most, complete in ((100_000, True), (1, False)):
        monkeypatch.setattr("api.nightschool.facts.MOST_FACTS", most)
        reply = await client.get(f"/v1/memory/{listing}", headers=keys["ben"])
        assert reply.json()["complete"] == complete


async def test_facts_are_shown_with_their_confidence_and_support(
    client: httpx.AsyncClient, keys: Keys
) -> None:
    await ingest(client, keys["ben"], "c.md", f"# Kettle\n\n{RIGHT} It is old.")
    about = {"about": "brass kettle"}
    facts = (await client.get("/v1/memory/facts", params=about, headers=keys["ben"])).json()
    support = {(fact["source"], fact["object"]): fact["support"] for fact in facts}
    assert (support["a.md", "1962"], support["b.md", "1971"]) == (2, 1)
    assert {fact["confidence"] for fact in facts} == {0.85}
    shown = await client.get("/v1/documents/contents", params={"source": "a.md"}, headers=keys["ben"])
    (built,) = [fact for fact in shown.json()[0]["facts"] if fact["object"] == "1962"]
    assert (built["support"], built["confidence"]) == (2, 0.85)
