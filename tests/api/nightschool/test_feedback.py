"""Feedback over HTTP: on one's own turns, as often as one likes, for as long as they are kept."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphs.state import Runtime
from memory.database.tables import METADATA
from memory.server.keys import ApiKeys, Scope
from tests.api.conftest import asking
from tests.graphs.conftest import Clock

Key = Callable[[str, Scope], Awaitable[dict[str, str]]]
DAY = 86_400.0


@pytest.fixture
def key(runtime: Runtime) -> Key:
    async def made(owner: str, scope: Scope) -> dict[str, str]:
        _, text = await ApiKeys(runtime.database).create(owner, scope)
        return {"x-api-key": text}

    return made


async def ask(client: httpx.AsyncClient, question: str = "What is a lemur?", **request: Any) -> str:
    """The id of a chat completion, as a client sees it."""
    headers = request.pop("headers", None)
    reply = await client.post("/v1/chat/completions", json=asking(question, **request), headers=headers)
    return str(reply.raise_for_status().json()["id"])


async def give(client: httpx.AsyncClient, id: str, **fields: Any) -> httpx.Response:
    return await client.post("/v1/feedback", json={"interaction_id": id, **fields})


async def test_each_kind_of_feedback_becomes_a_record_of_the_turn(client: httpx.AsyncClient) -> None:
    id = await ask(client)
    reply = await give(
        client,
        id,
        rating=4,
        vote="down",
        comment=" Too short. ",
        continued=True,
        copied=False,
        regenerated=True,
        dwell_seconds=12.5,
        reported="rude",
    )
    assert reply.status_code == 201
    assert reply.json()["gap_id"] is None
    stored = {each["kind"]: each["text"] or each["value"] for each in reply.json()["feedback"]}
    assert stored == {
        "rating": 4,
        "vote": -1,
        "comment": "Too short.",
        "continued": 1,
        "copied": 0,
        "regenerated": 1,
        "dwell": 12.5,
        "reported": "rude",
    }
    read = (await client.get(f"/v1/interactions/{id}")).raise_for_status().json()
    assert {each["kind"] for each in read["feedback"]} == set(stored)
    assert read["implicit_score"] == 2 - 2 - 1 - 5
    assert read["interaction"]["question"] == "What is a lemur?"


async def test_any_id_that_a_client_sees_names_the_turn(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/responses", json={"input": "What is a lemur?"})
    seen = [response.json()["id"], response.json()["output"][0]["id"]]
    seen += [response.json()["nightschool"]["run_id"], f"fc_{response.json()['nightschool']['run_id']}_0"]
    statuses = [(await give(client, id, rating=rating)).status_code for rating, id in enumerate(seen, 1)]
    assert statuses == [201, 201, 201, 201]
    read = (await client.get(f"/v1/interactions/{seen[0]}")).json()
    assert [each["value"] for each in read["feedback"]] == [1, 2, 3, 4]


async def test_the_same_again_changes_nothing_and_something_else_replaces_it(
    client: httpx.AsyncClient,
) -> None:
    id = await ask(client)
    first = await give(client, id, rating=4, comment="good")
    again = await give(client, id, rating=4, comment="good")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    changed = await give(client, id, rating=1, comment="good")
    assert changed.status_code == 201
    read = (await client.get(f"/v1/interactions/{id}")).json()
    assert [(each["kind"], each["value"]) for each in read["feedback"]] == [
        ("rating", 4),
        ("comment", None),
        ("rating", 1),
    ]


async def test_the_same_sent_at_once_is_stored_once(client: httpx.AsyncClient) -> None:
    id = await ask(client)
    replies = await asyncio.gather(*(give(client, id, vote="up") for _ in range(10)))
    assert sorted(reply.status_code for reply in replies) == [200] * 9 + [201]


async def test_feedback_comes_late_but_not_after_the_turn_has_gone(
    client: httpx.AsyncClient, runtime: Runtime, clock: Clock
) -> None:
    id = await ask(client)
    clock.advance(89 * DAY)
    assert (await give(client, id, rating=4)).status_code == 201
    clock.advance(2 * DAY)
    late = await give(client, id, rating=5)
    assert (late.status_code, late.json()["error"]["code"]) == (404, "interaction_not_found")
    assert "90 days" in late.json()["error"]["message"]


async def test_feedback_on_an_unknown_turn_is_not_found(client: httpx.AsyncClient) -> None:
    for id in ("nowhere", "chatcmpl-", "chatcmpl-nowhere", "resp_nowhere", "fc_"):
        reply = await give(client, id, rating=4)
        assert (reply.status_code, reply.json()["error"]["code"]) == (404, "interaction_not_found"), id


async def test_turns_and_feedback_are_their_owners(client: httpx.AsyncClient, key: Key) -> None:
    ann, bob, admin = [await key(owner, "chat") for owner in ("ann", "bob")] + [await key("root", "admin")]
    id = await ask(client, headers=ann)
    for headers, status in ((bob, 404), (ann, 201), (admin, 201)):
        body = {"interaction_id": id, "rating": 4}
        assert (await client.post("/v1/feedback", json=body, headers=headers)).status_code == status
        shown = await client.get(f"/v1/interactions/{id}", headers=headers)
        assert shown.status_code == (404 if status == 404 else 200)
        listed = (await client.get("/v1/interactions", headers=headers)).json()
        assert len(listed) == (0 if status == 404 else 1)
        exported = (await client.get("/v1/interactions/export", headers=headers)).text
        assert exported.count("\n") == len(listed)
    assert (await client.post("/v1/feedback", json={"interaction_id": id, "rating": 4})).status_code == 401


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"rating": 0},
        {"rating": 6},
        {"rating": 4.5},
        {"rating": True},
        {"rating": "4"},
        {"vote": "sideways"},
        {"comment": "  "},
        {"comment": "a" * 4001},
        {"correction": ""},
        {"copied": "yes"},
        {"dwell_seconds": -1},
        {"dwell_seconds": 1e9},
        {"stars": 4},
        {"rating": 4, "interaction_id": ""},
        {"rating": 4, "interaction_id": "i" * 201},
    ],
    ids=str,
)
async def test_malformed_feedback_is_refused_whole(client: httpx.AsyncClient, fields: dict[str, Any]) -> None:
    id = await ask(client)
    reply = await client.post("/v1/feedback", json={"interaction_id": id, **fields})
    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "invalid_value")
    assert (await client.get(f"/v1/interactions/{id}")).json()["feedback"] == []


async def test_a_nul_character_is_refused(client: httpx.AsyncClient) -> None:
    reply = await give(client, await ask(client), comment="a\0b")
    assert reply.status_code == 400
    assert "NUL" in reply.json()["error"]["message"]


async def test_personal_data_in_feedback_is_scrubbed(client: httpx.AsyncClient) -> None:
    reply = await give(client, await ask(client), comment="Write to ada@example.com")
    assert reply.json()["feedback"][0]["text"] == "Write to <EMAIL_ADDRESS>"


async def test_a_correction_opens_a_gap_that_shows_it(client: httpx.AsyncClient) -> None:
    id = await ask(client)
    reply = await give(client, id, correction="A strepsirrhine primate.")
    gap_id = reply.json()["gap_id"]
    assert (await give(client, id, correction="A strepsirrhine primate.")).json() == reply.json()
    (gap,) = (await client.get("/v1/gaps")).json()
    assert (gap["id"], gap["question"], gap["status"]) == (gap_id, "What is a lemur?", "open")
    assert [each["text"] for each in gap["corrections"]] == ["A strepsirrhine primate."]


async def test_a_correction_of_an_abstention_goes_to_its_gap(client: httpx.AsyncClient) -> None:
    asked = await client.post("/v1/chat/completions", json=asking("How deep is the Mariana trench?"))
    gap_id = asked.json()["nightschool"]["gap_id"]
    reply = await give(client, asked.json()["id"], correction="About eleven kilometres.")
    assert gap_id is not None
    assert reply.json()["gap_id"] == gap_id


async def test_a_correction_of_a_dismissed_gap_says_that_it_stays_dismissed(
    client: httpx.AsyncClient,
) -> None:
    id = await ask(client)
    opened = (await give(client, id, correction="A strepsirrhine primate.")).json()
    assert opened["gap_status"] == "open"
    (await client.post(f"/v1/gaps/{opened['gap_id']}/dismiss")).raise_for_status()
    corrected = (await give(client, await ask(client), correction="A primate of Madagascar.")).json()
    assert (corrected["gap_id"], corrected["gap_status"]) == (opened["gap_id"], "dismissed")
    (gap,) = (await client.get("/v1/gaps")).json()
    assert (gap["status"], len(gap["corrections"])) == ("dismissed", 2)


async def test_the_answer_itself_is_no_correction(client: httpx.AsyncClient) -> None:
    reply = await give(client, await ask(client), correction="a small primate")
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_value")
    assert (await client.get("/v1/gaps")).json() == []


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
async def test_a_turn_that_must_not_be_stored_takes_no_feedback_and_opens_no_gap(
    client: httpx.AsyncClient, path: str
) -> None:
    question = "How deep is the Mariana trench?"
    body = asking(question) if "chat" in path else {"input": question}
    reply = (await client.post(path, json={**body, "store": False})).raise_for_status().json()
    assert (reply["nightschool"]["outcome"], reply["nightschool"]["gap_id"]) == ("abstained", None)
    assert (await give(client, reply["id"], rating=4)).status_code == 404
    assert (await client.get("/v1/interactions")).json() == []
    assert (await client.get("/v1/gaps")).json() == []


async def test_a_database_that_is_away_is_said_to_be(client: httpx.AsyncClient, runtime: Runtime) -> None:
    id = await ask(client)
    async with runtime.database.begin() as connection:
        await connection.run_sync(METADATA.drop_all)
    reply = await give(client, id, rating=4)
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "store_unavailable")


async def test_whatever_is_sent_is_stored_or_refused(client: httpx.AsyncClient) -> None:
    id = await ask(client)
    values = st.none() | st.booleans() | st.integers(-1, 9) | st.floats() | st.text(max_size=20)
    names = st.sampled_from(
        ["rating", "vote", "comment", "correction", "copied", "dwell_seconds", "reported"]
    )
    loop = asyncio.get_running_loop()

    @given(st.dictionaries(names, values, max_size=4))
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    def send(fields: dict[str, Any]) -> None:
        fields = {name: value for name, value in fields.items() if value == value and abs_finite(value)}
        reply = asyncio.run_coroutine_threadsafe(give(client, id, **fields), loop).result(30)
        assert reply.status_code in (200, 201, 400, 422), reply.text

    await asyncio.to_thread(send)


def abs_finite(value: Any) -> bool:
    return not isinstance(value, float) or abs(value) != float("inf")
