"""What the service could not answer is taken off the list over HTTP."""

import httpx
import pytest

from tests.api.conftest import asking

QUESTIONS = ("How deep is the Mariana trench?", "What is the depth of the Mariana trench?")


async def opened(client: httpx.AsyncClient) -> list[str]:
    """Ids of two gaps."""
    replies = [await client.post("/v1/chat/completions", json=asking(text)) for text in QUESTIONS]
    return [str(reply.raise_for_status().json()["nightschool"]["gap_id"]) for reply in replies]


async def listed(client: httpx.AsyncClient, status: str) -> list[str]:
    return [gap["id"] for gap in (await client.get("/v1/gaps", params={"status": status})).json()]


async def test_a_dismissed_gap_leaves_the_open_ones_and_does_not_come_back(client: httpx.AsyncClient) -> None:
    first, second = await opened(client)
    reply = await client.post(f"/v1/gaps/{first}/dismiss")
    assert reply.raise_for_status().json()["status"] == "dismissed"
    assert await opened(client) == [first, second]
    assert await listed(client, "open") == [second]
    assert await listed(client, "dismissed") == [first]


async def test_a_deleted_gap_is_gone(client: httpx.AsyncClient) -> None:
    first, second = await opened(client)
    reply = await client.delete(f"/v1/gaps/{first}")
    assert (reply.status_code, reply.content) == (204, b"")
    assert (await client.get(f"/v1/gaps/{first}")).status_code == 404
    assert await listed(client, "open") == [second]


async def test_a_merged_gap_is_stood_for_by_the_other(client: httpx.AsyncClient) -> None:
    first, second = await opened(client)
    reply = await client.post(f"/v1/gaps/{first}/merge", json={"into": second})
    assert reply.raise_for_status().json()["id"] == second
    assert await listed(client, "open") == [second]
    assert await opened(client) == [second, second]


async def test_merging_again_changes_nothing(client: httpx.AsyncClient) -> None:
    first, second = await opened(client)
    turn = (await client.post("/v1/chat/completions", json=asking(QUESTIONS[0]))).json()["id"]
    body = {"interaction_id": turn, "correction": "11 km"}
    (await client.post("/v1/feedback", json=body)).raise_for_status()
    once, twice = [
        (await client.post(f"/v1/gaps/{first}/merge", json={"into": second})).raise_for_status().json()
        for _ in range(2)
    ]
    assert once == twice
    assert [each["text"] for each in twice["corrections"]] == ["11 km"]


async def test_a_gap_says_how_often_it_was_asked_and_by_how_many_users(client: httpx.AsyncClient) -> None:
    first, second = await opened(client)
    for user in ("ada", "ada", "bob"):
        await client.post("/v1/chat/completions", json=asking(QUESTIONS[0], user=user))

    async def demand() -> dict[str, dict[str, int]]:
        return {gap["id"]: gap["demand"] for gap in (await client.get("/v1/gaps")).json()}

    assert await demand() == {first: {"asked": 4, "users": 2}, second: {"asked": 1, "users": 0}}
    await client.post(f"/v1/gaps/{first}/merge", json={"into": second})
    assert (await demand())[second] == {"asked": 5, "users": 2}


@pytest.mark.parametrize("act", ["dismiss", "merge", "delete"])
async def test_an_unknown_gap_is_not_found(client: httpx.AsyncClient, act: str) -> None:
    if act == "delete":
        reply = await client.delete("/v1/gaps/nowhere")
    else:
        body = {"into": "nowhere else"} if act == "merge" else None
        reply = await client.post(f"/v1/gaps/nowhere/{act}", json=body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "gap_not_found")


async def test_a_gap_is_not_merged_into_itself(client: httpx.AsyncClient) -> None:
    first, _ = await opened(client)
    reply = await client.post(f"/v1/gaps/{first}/merge", json={"into": first})
    assert reply.status_code == 400
