"""Keys forget what is theirs, and only that; admins forget all."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from agent.feedback.pseudonyms import pseudonym
from graphs.state import Runtime
from memory.records.interactions import Gap
from memory.server.keys import ApiKeys
from tests.api.conftest import Serve
from tests.support.adapters import curriculum
from tests.support.facts import fact, passage
from tests.support.interactions import feedback, interaction
from tests.support.nights import golden, night, revision, statement

PATH = "/v1/memory"


@pytest.fixture
async def keys(runtime: Runtime) -> dict[str, dict[str, str]]:
    """The headers of a key each."""
    made = ApiKeys(runtime.database)
    scopes = (("ada", "chat"), ("ben", "learn"), ("cy", "learn"), ("root", "admin"))
    return {owner: {"x-api-key": (await made.create(owner, scope))[1]} for owner, scope in scopes}  # type: ignore[arg-type]


@pytest.fixture
async def client(
    serve: Serve, runtime: Runtime, keys: dict[str, dict[str, str]]
) -> AsyncIterator[httpx.AsyncClient]:
    unit = pseudonym("ann", runtime.pseudonym_key)
    for owner in ("ada", "ben"):
        await runtime.interactions.save(interaction(f"i-{owner}", unit=unit, owner=owner, citations=()))
    async with serve(runtime, learning=True) as opened:
        yield opened


async def owners(runtime: Runtime) -> list[str | None]:
    return sorted(turn.owner or "" for turn in await runtime.interactions.list())


async def test_a_chat_key_forgets_its_own_users_and_nobody_elses(
    client: httpx.AsyncClient, runtime: Runtime, keys: dict[str, dict[str, str]]
) -> None:
    reply = await client.delete(PATH, params={"user": "ann"}, headers=keys["ada"])
    assert reply.json() == {"counts": {"turns": 1}, "taught": []}
    assert await owners(runtime) == ["ben"]
    assert (await client.delete(PATH, params={"user": "ben"}, headers=keys["ada"])).json()["counts"] == {}
    assert (await client.delete(PATH, params={"id": "i-ben"}, headers=keys["ada"])).json()["counts"] == {}
    assert await owners(runtime) == ["ben"]


async def test_an_admin_forgets_a_user_of_all_keys(
    client: httpx.AsyncClient, runtime: Runtime, keys: dict[str, dict[str, str]]
) -> None:
    await client.delete(PATH, params={"user": "ann"}, headers=keys["root"])
    assert await owners(runtime) == []
    (row,) = await runtime.audit.list(action="memory.forget")
    assert (row.by, row.subject) == ("root", pseudonym("ann", runtime.pseudonym_key))


async def test_documents_need_the_scope_learn_and_belong_to_their_owner(
    client: httpx.AsyncClient, runtime: Runtime, keys: dict[str, dict[str, str]]
) -> None:
    for owner in ("ben", "root"):
        reply = await client.post(
            "/v1/documents",
            params={"source": "kettle.md"},
            content=b"# Kettle\n\nThe kettle was built in 1962.",
            headers=keys[owner] | {"content-type": "text/markdown"},
        )
        reply.raise_for_status()
    forbidden = await client.delete(PATH, params={"source": "kettle.md"}, headers=keys["ada"])
    assert forbidden.status_code == 403
    own = await client.delete(PATH, params={"source": "kettle.md"}, headers=keys["ben"])
    assert own.json()["counts"]["passages"] == 1
    shared = await client.get("/v1/documents", headers=keys["ben"])
    assert "kettle.md" in shared.json()["sources"]


async def test_all_that_was_made_of_a_turn_goes_with_it(
    client: httpx.AsyncClient, runtime: Runtime, keys: dict[str, dict[str, str]]
) -> None:
    await runtime.feedback.add(feedback("f1", "comment", interaction_id="i-ada", text="Fine."))
    await runtime.nights.save_revision(revision("r1", interaction_id="i-ada"))
    await runtime.nights.save_golden([golden("g1", source="r1"), golden("g2", source="i-ben")])
    await runtime.nights.save_statements([statement("s1", interaction_id="i-ada", owner="ada")])
    reply = await client.delete(PATH, params={"id": "i-ada"}, headers=keys["root"])
    counts = {"turns": 1, "feedback": 1, "revisions": 1, "golden pairs": 1, "statements": 1}
    assert reply.json()["counts"] == counts
    assert [pair.id for pair in await runtime.nights.golden()] == ["g2"]


async def test_exactly_one_thing_has_to_be_named(
    client: httpx.AsyncClient, keys: dict[str, dict[str, str]]
) -> None:
    for params in ({}, {"user": "a", "id": "b"}):
        assert (await client.delete(PATH, params=params, headers=keys["root"])).status_code == 400


async def test_nobody_forgets_the_learn_runs_of_another_key(
    client: httpx.AsyncClient, runtime: Runtime, keys: dict[str, dict[str, str]]
) -> None:
    begun = await client.post("/v1/learn", json={"topic": "Rust ownership"}, headers=keys["ben"])
    run = begun.raise_for_status().json()["run_id"]
    reply = await client.delete(PATH, params={"user": "ben"}, headers=keys["ada"])
    assert reply.json()["counts"] == {}
    assert (await runtime.database.run(run)).asked_by == "ben"
    assert (await client.get(f"/threads/{run}", headers=keys["ben"])).status_code == 200


@pytest.mark.parametrize("word", ["done", "rust", "2026-01-01T", "night", "What is a borrow?"])
async def test_a_question_of_one_word_takes_nothing_else_out_of_nights(
    client: httpx.AsyncClient, runtime: Runtime, keys: dict[str, dict[str, str]], word: str
) -> None:
    kept = night("n1", reason="done: What is a borrow? Nights of rust are done", status="done")
    await runtime.nights.begin(kept)
    await runtime.nights.update(kept)
    await runtime.interactions.save(interaction("i-word", question=word, owner="ada", citations=()))
    await client.delete(PATH, params={"id": "i-word"}, headers=keys["ada"])
    (left,) = await runtime.nights.nights()
    gone = kept.reason.replace(word, "<forgotten>") if " " in word else kept.reason
    assert left == kept.model_copy(update={"reason": gone})


@pytest.mark.parametrize("word", ["rules", "rust", "definition", "What is a borrow?"])
async def test_a_gap_takes_only_lessons_with_it_that_were_made_of_it(
    client: httpx.AsyncClient, runtime: Runtime, keys: dict[str, dict[str, str]], word: str
) -> None:
    lesson = curriculum()
    await runtime.outbox.publish(lesson)
    gap = Gap(
        id="gap", question=word, domain="rust", owner="ada", keywords=(), uncertainty=None,
        opened_at=runtime.clock(),
    )  # fmt: skip
    await runtime.database.open_gap(gap)
    reply = await client.delete(PATH, params={"id": "gap"}, headers=keys["ada"])
    assert reply.json()["counts"] == {"gaps": 1}
    assert runtime.registry.quarantined(lesson.digest) is None
    assert await runtime.outbox.curriculum(lesson.digest) == lesson


async def test_the_lesson_of_a_private_document_goes_with_it(
    client: httpx.AsyncClient, runtime: Runtime, keys: dict[str, dict[str, str]]
) -> None:
    shared = curriculum()
    (fact,) = shared.facts
    private = shared.model_copy(update={"facts": (fact.model_copy(update={"owner": "ben"}),)})
    for lesson in (shared, private):
        await runtime.outbox.publish(lesson)
    await client.delete(PATH, params={"source": fact.source}, headers=keys["ben"])
    quarantined = [runtime.registry.quarantined(lesson.digest) for lesson in (shared, private)]
    assert [each is not None for each in quarantined] == [False, True]


async def test_contradicting_facts_are_listed_to_those_who_may_read_both(
    client: httpx.AsyncClient, runtime: Runtime, keys: dict[str, dict[str, str]]
) -> None:
    for owner, source, year in (("root", "a.md", 1962), ("root", "b.md", 1971), ("ben", "c.md", 1980)):
        reply = await client.post(
            "/v1/documents",
            params={"source": source},
            content=f"# Kettle\n\nThe brass kettle was built in {year}.".encode(),
            headers={**keys[owner], "content-type": "text/markdown"},
        )
        assert reply.is_success
    listed = (await client.get(f"{PATH}/conflicts", headers=keys["cy"])).json()
    assert listed["total"] == 1
    (conflict,) = listed["conflicts"]
    assert {conflict["current"]["source"], conflict["other"]["source"]} == {"a.md", "b.md"}
    assert (conflict["kind"], conflict["reason"]) == ("date", "newer")
    assert (await client.get(f"{PATH}/conflicts", headers=keys["ben"])).json()["total"] == 3
    other = {"domain": "elsewhere"}
    assert (await client.get(f"{PATH}/conflicts", params=other, headers=keys["ben"])).json()["total"] == 0


async def test_facts_about_a_name_are_those_that_the_caller_may_read(
    client: httpx.AsyncClient, runtime: Runtime, keys: dict[str, dict[str, str]]
) -> None:
    texts = ("The kettle is a vessel.", "A cook buys kettles.", "The spoon is a tool.")
    said = [fact("kettle", "is", "a vessel", texts[0]), fact("cook", "buys", "Kettles", texts[1])]
    spoon = fact("spoon", "is", "a tool", texts[2])
    hidden = fact("kettle", "costs", "nine pounds", "The kettle costs nine pounds.")
    await runtime.semantic.add([*said, spoon, hidden.model_copy(update={"owner": "ben"})])
    about = {"about": "The kettle"}
    for owner, relations in (("cy", ["is", "buys"]), ("ben", ["is", "costs", "buys"])):
        found = (await client.get(f"{PATH}/facts", params=about, headers=keys[owner])).json()
        assert sorted(each["relation"] for each in found) == sorted(relations)
        assert found[-1]["relation"] == "buys"
    limited = await client.get(f"{PATH}/facts", params=about | {"limit": 1}, headers=keys["cy"])
    assert len(limited.json()) == 1
    elsewhere = await client.get(f"{PATH}/facts", params=about | {"domain": "x"}, headers=keys["cy"])
    assert elsewhere.json() == []


async def test_a_triple_tells_names_of_one_spelling_apart_until_its_document_is_removed(
    client: httpx.AsyncClient, keys: dict[str, dict[str, str]]
) -> None:
    headers = keys["root"]
    documents = {
        "metal.md": ("text/markdown", "The mercury is a metal of the old thermometers.\n"),
        "planet.md": ("text/markdown", "Mercury is a planet near the sun.\n"),
        "names.csv": ("text/x-triples", "Mercury,is not the same as,mercury\n"),
    }

    async def known(about: str) -> set[str]:
        found = (await client.get(f"{PATH}/facts", params={"about": about}, headers=headers)).json()
        return {each["source"] for each in found} - {"names.csv"}

    for source, (media_type, text) in documents.items():
        reply = await client.post(
            "/v1/documents",
            params={"source": source},
            content=text.encode(),
            headers=headers | {"content-type": media_type},
        )
        assert reply.raise_for_status().json()["documents"] == 1
    assert (await known("Mercury"), await known("the mercury")) == ({"planet.md"}, {"metal.md", "planet.md"})
    listed = (await client.get(f"{PATH}/names", headers=headers)).json()
    assert [(each["names"], each["because"]["source"]) for each in listed["apart"]] == [
        (["Mercury", "mercury"], "names.csv")
    ]
    (await client.delete(PATH, params={"source": "names.csv"}, headers=headers)).raise_for_status()
    assert await known("Mercury") == {"metal.md", "planet.md"}
    assert (await client.get(f"{PATH}/names", headers=headers)).json()["apart"] == []


async def test_old_states_are_listed_and_past_events_are_not(
    client: httpx.AsyncClient, runtime: Runtime, keys: dict[str, dict[str, str]]
) -> None:
    texts = {"is": "The kettle is the symbol of Varn.", "was built in": "The kettle was built in 1962."}
    for days in (300, 500):
        for relation, text in texts.items():
            page = passage(f"{text} Read {days} days ago.", source=f"{days}.md")
            read = {"observed_at": runtime.clock() - timedelta(days=days)}
            await runtime.semantic.add(
                [fact("kettle", relation, text, text, within=page).model_copy(update=read)]
            )
    listed = (await client.get(f"{PATH}/stale", headers=keys["cy"])).json()
    assert [(old["relation"], old["source"]) for old in listed["facts"]] == [("is", "500.md")]
    assert listed["total"] == 1
    elsewhere = await client.get(f"{PATH}/stale", params={"domain": "elsewhere"}, headers=keys["cy"])
    assert elsewhere.json()["total"] == 0


@pytest.mark.parametrize("listing", ["conflicts", "stale", "facts?about=kettle"])
async def test_listings_of_facts_need_the_scope_learn(
    client: httpx.AsyncClient, keys: dict[str, dict[str, str]], listing: str
) -> None:
    assert (await client.get(f"{PATH}/{listing}", headers=keys["ada"])).status_code == 403
    assert (await client.get(f"{PATH}/{listing}", headers=keys["cy"])).status_code == 200
