"""LangGraph's own client, unmodified, works against the service: on SQLite and on PostgreSQL alike."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client, get_sync_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError, UnprocessableEntityError

from agent.engines.scripted import ScriptedEngine
from graphs.state import Runtime
from memory.database.database import open_database
from memory.server.keys import LOCAL_OPERATOR
from tests.graphs.conftest import BASE_LINES, SONG, TRAINED, clock, eventually, runtime
from tests.support.databases import database_url, empty_runs, home, on_database, postgresql, template
from tests.support.langgraph_server import serving

__all__ = ["clock", "database_url", "empty_runs", "home", "postgresql", "runtime", "template"]
pytestmark = pytest.mark.services

LEMUR = {"messages": [{"role": "user", "content": "What is a lemur?"}]}
BORROW = {"messages": [{"role": "user", "content": "What is a borrow?"}]}
TOPIC = {"topic": "Rust ownership"}


@pytest.fixture
async def given(runtime: Runtime, database_url: str) -> AsyncIterator[Runtime]:
    """The runtime on the database of the test."""
    database = await open_database(database_url)
    lines = BASE_LINES | {"What is a lemur?\n\nWhat is a borrow?": BASE_LINES["What is a borrow?"]}
    yield on_database(runtime, database, engine=ScriptedEngine(lines, adapters={TRAINED.name: SONG}))
    await database.aclose()


@pytest.fixture
async def url(given: Runtime, tmp_path: Path, database_url: str) -> AsyncIterator[str]:
    async with serving(given, tmp_path, database_url) as address:
        yield address


@pytest.fixture
async def client(url: str) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=url) as opened:
        yield opened


async def test_threads_are_made_found_counted_copied_changed_and_deleted(client: LangGraphClient) -> None:
    thread = await client.threads.create(metadata={"user": "ada", "tags": {"a": 1}})
    with pytest.raises(ConflictError):
        await client.threads.create(thread_id=thread["thread_id"])
    same = await client.threads.create(thread_id=thread["thread_id"], if_exists="do_nothing")
    assert same["metadata"] == thread["metadata"]
    await client.threads.create(metadata={"user": "bob"})
    assert await client.threads.count() == 2
    assert await client.threads.count(metadata={"tags": {"a": 1}}) == 1
    assert await client.threads.count(metadata={"tags": {"a": "1"}}) == 0
    (found,) = await client.threads.search(metadata={"user": "ada"}, select=["thread_id", "status"])
    assert found == {"thread_id": thread["thread_id"], "status": "idle"}
    assert [t["metadata"]["user"] for t in await client.threads.search(sort_by="created_at")] == [
        "bob",
        "ada",
    ]
    amended = await client.threads.update(thread["thread_id"], metadata={"user": "eve"})
    assert amended["metadata"] == {"user": "eve", "tags": {"a": 1}}
    assert await client.threads.update(thread["thread_id"], metadata={}, return_minimal=True) is None
    twin = await client.threads.copy(thread["thread_id"])
    assert twin["metadata"]["user"] == "eve"  # type: ignore[func-returns-value, index]
    await client.threads.delete(thread["thread_id"])
    for call in (client.threads.get, client.threads.delete, client.threads.get_state):
        with pytest.raises(NotFoundError):
            await call(thread["thread_id"])
    assert await client.threads.prune([twin["thread_id"], str(uuid.uuid4())]) == {"pruned_count": 1}  # type: ignore[index]
    assert await client.threads.count() == 1


async def test_a_conversation_accumulates_on_its_thread(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    assert (await client.threads.get_state(thread))["values"] == {}
    first: Any = await client.runs.wait(thread, "chat", input=LEMUR)
    assert [m["type"] for m in first["messages"]] == ["human", "ai"]
    assert first["messages"][-1]["content"] == "a small primate"
    unknown = {"messages": [{"type": "human", "content": "How deep is the Mariana trench?", "id": "mine"}]}
    second: Any = await client.runs.wait(thread, "chat", input=unknown)
    assert [m["type"] for m in second["messages"]] == ["human", "ai", "human", "ai"]
    assert second["messages"][2]["id"] == "mine"
    assert len({m["id"] for m in second["messages"]}) == 4
    assert (second["outcome"], second["gap_id"] is None) == ("abstained", False)
    third: Any = await client.runs.wait(thread, "chat", input=LEMUR)
    assert (third["outcome"], third["gap_id"]) == ("answered", None)
    state: Any = await client.threads.get_state(thread)
    assert (state["next"], state["values"]["messages"]) == ([], third["messages"])
    shown: Any = await client.threads.get(thread)
    assert (shown["status"], shown["values"]["messages"]) == ("idle", third["messages"])
    assert shown["metadata"]["graph_id"] == "chat"
    runs = await client.runs.list(thread)
    assert [run["status"] for run in runs] == ["success"] * 3
    history: Any = await client.threads.get_history(thread, limit=100)
    assert history[0]["checkpoint"] == state["checkpoint"]
    before = next(s for s in history if len(s["values"].get("messages", ())) == 2 and not s["next"])
    at: Any = await client.threads.get_state(thread, checkpoint=before["checkpoint"])
    same: Any = await client.threads.get_state(thread, checkpoint_id=before["checkpoint"]["checkpoint_id"])
    assert at["values"] == same["values"] == before["values"]
    earlier: Any = await client.threads.get_history(thread, before=before["checkpoint"], limit=1)
    assert earlier[0]["metadata"]["step"] == before["metadata"]["step"] - 1


async def test_every_stream_mode_sends_its_events(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    modes = [
        "values",
        "updates",
        "messages",
        "messages-tuple",
        "custom",
        "tasks",
        "checkpoints",
        "debug",
        "events",
    ]
    created: list[Any] = []
    parts = [
        part
        async for part in client.runs.stream(
            thread,
            "chat",
            input=LEMUR,
            stream_mode=modes,
            on_run_created=created.append,  # type: ignore[arg-type]
        )
    ]
    names = {part.event for part in parts}
    assert names == {
        "metadata", "values", "updates", "messages", "messages/metadata", "messages/partial", "custom",
        "tasks", "checkpoints", "debug", "events",
    }  # fmt: skip
    assert parts[0].event == "metadata"
    assert parts[0].data["attempt"] == 1
    assert parts[0].data["run_id"] == created[0]["run_id"]
    said = [part.data for part in parts if part.event == "messages"]
    assert said[-1][0]["content"] == "a small primate"  # type: ignore[index]
    assert said[-1][1]["langgraph_node"] == "answer"  # type: ignore[index]
    assert [int(part.id or 0) for part in parts] == list(range(1, len(parts) + 1))
    tail = [
        part
        async for part in client.runs.join_stream(thread, created[0]["run_id"], last_event_id=parts[-3].id)
    ]
    assert tail == parts[-2:]
    only = [
        p.event async for p in client.runs.join_stream(thread, created[0]["run_id"], stream_mode="updates")
    ]
    assert set(only) == {"metadata", "updates"}


async def test_a_run_without_a_thread_leaves_none(client: LangGraphClient) -> None:
    values: Any = await client.runs.wait(None, "chat", input=LEMUR)
    assert values["messages"][-1]["content"] == "a small primate"
    events = [part.event async for part in client.runs.stream(None, "chat", input=LEMUR)]
    assert events[-1] == "values"
    assert await client.threads.count() == 0
    kept = await client.runs.create(None, "chat", input=LEMUR, on_completion="keep")
    await client.runs.join(kept["thread_id"], kept["run_id"])
    assert await client.threads.count() == 1
    batch = await client.runs.create_batch([{"assistant_id": "chat", "input": LEMUR}] * 3)  # type: ignore[typeddict-item]
    assert len({run["thread_id"] for run in batch}) == 3


async def test_a_learn_run_waits_for_a_person_and_goes_on_with_a_command(
    client: LangGraphClient, url: str
) -> None:
    thread = (await client.threads.create())["thread_id"]
    asked = TOPIC | {"approval": "human"}
    waiting: Any = await client.runs.wait(thread, "learn", input=asked)
    (interrupt,) = waiting["__interrupt__"]
    assert interrupt["value"]["pairs"] > 0
    shown = await client.threads.get(thread)
    assert shown["status"] == "interrupted"
    assert next(iter(shown["interrupts"].values()))[0]["id"] == interrupt["id"]
    with pytest.raises(UnprocessableEntityError, match="resume"):
        await client.runs.create(thread, "learn", command={"resume": {"approved": "perhaps"}})
    with pytest.raises(ConflictError):
        await client.runs.create(thread, "learn", input=TOPIC)
    yes = {"approved": True}
    values: Any = await client.runs.wait(thread, "learn", command={"resume": {interrupt["id"]: yes}})
    assert values["outcome"]["status"] == "learned", values["outcome"]
    async with httpx.AsyncClient(base_url=url) as http:
        report = (await http.get(f"/v1/learn/{thread}")).json()
    assert report["outcome"]["status"] == "learned"
    assert report["report"]["approval"]["by"] == LOCAL_OPERATOR
    with pytest.raises(Exception, match="nothing to resume"):
        await client.runs.wait(thread, "learn", command={"resume": yes})


async def test_a_learn_run_of_the_rest_surface_is_a_thread_of_this_one(
    client: LangGraphClient, url: str
) -> None:
    async with httpx.AsyncClient(base_url=url) as http:
        run_id = (await http.post("/v1/learn", json=TOPIC)).json()["run_id"]
    (run,) = await client.runs.list(run_id)
    values: Any = await client.runs.join(run_id, run["run_id"])
    assert values["outcome"]["status"] == "learned", values["outcome"]


async def test_a_run_stops_before_and_after_the_nodes_that_are_named(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "chat", input=LEMUR, interrupt_before=["answer"])
    assert (await client.threads.get_state(thread))["next"] == ["answer"]
    assert (await client.threads.get(thread))["status"] == "interrupted"
    await client.runs.wait(thread, "chat", interrupt_after=["answer"])
    assert (await client.threads.get_state(thread))["next"] == ["remember"]
    await client.runs.wait(thread, "chat")
    assert (await client.threads.get_state(thread))["next"] == []
    with pytest.raises(UnprocessableEntityError, match="no node 'nowhere'"):
        await client.runs.create(thread, "chat", input=LEMUR, interrupt_before=["nowhere"])


async def test_a_past_state_is_replayed_and_forked_and_the_original_stays(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "chat", input=LEMUR)
    history: Any = await client.threads.get_history(thread, limit=100)
    unanswered = next(s for s in history if s["next"] == ["answer"])
    replayed: Any = await client.runs.wait(thread, "chat", checkpoint=unanswered["checkpoint"])
    assert replayed["answer"] == "a small primate"
    fork = await client.threads.update_state(thread, BORROW, checkpoint=unanswered["checkpoint"])
    forked: Any = await client.runs.wait(thread, "chat", checkpoint=fork["checkpoint"])
    assert forked["answer"] == "a kind of fish"
    still: Any = await client.threads.get_state(thread, checkpoint=history[0]["checkpoint"])
    assert still["values"]["answer"] == "a small primate"
    steered: Any = await client.runs.wait(thread, "chat", command={"update": LEMUR, "goto": "answer"})
    assert steered["answer"] == "a small primate"


async def test_pruning_keeps_the_latest_state_only(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    values: Any = await client.runs.wait(thread, "chat", input=LEMUR)
    await client.threads.prune([thread], strategy="keep_latest")
    (left,) = await client.threads.get_history(thread, limit=100)
    assert left["values"]["messages"] == values["messages"]  # type: ignore[call-overload]
    again: Any = await client.runs.wait(thread, "chat", input=LEMUR)
    assert len(again["messages"]) == 4


async def test_assistants_are_found_by_graph_and_changed_version_by_version(client: LangGraphClient) -> None:
    shipped = await client.assistants.search()
    assert {assistant["graph_id"] for assistant in shipped} == {"chat", "learn", "night"}
    chat = await client.assistants.get("chat")
    assert await client.assistants.get(chat["assistant_id"]) == chat
    options: Any = {"configurable": {"max_tokens": 2}}
    terse = await client.assistants.create("chat", options, name="terse")
    values: Any = await client.runs.wait(None, terse["assistant_id"], input=LEMUR)
    assert values["answer"] == "a small"
    changed = await client.assistants.update(
        terse["assistant_id"], config={"configurable": {"max_tokens": 1}}
    )
    assert changed["version"] == 2
    versions = await client.assistants.get_versions(terse["assistant_id"])
    assert [v["version"] for v in versions] == [2, 1]
    back = await client.assistants.set_latest(terse["assistant_id"], 1)
    assert back["config"] == options
    assert await client.assistants.count(graph_id="chat") == 2
    schemas = await client.assistants.get_schemas("learn")
    assert "topic" in (schemas["input_schema"] or {})["properties"]
    drawn = await client.assistants.get_graph("learn")
    assert {"critique", "hand_over"} <= {node["id"] for node in drawn["nodes"]}
    await client.assistants.delete(terse["assistant_id"])
    for refused in ({"configurable": {"colour": "red"}}, {"configurable": {"max_tokens": 0}}):
        with pytest.raises(UnprocessableEntityError):
            await client.assistants.create("chat", refused)  # type: ignore[arg-type]
    with pytest.raises(UnprocessableEntityError, match="built in"):
        await client.assistants.delete("chat")


async def test_the_synchronous_client_works_too(url: str) -> None:
    def talk() -> None:
        with get_sync_client(url=url) as client:
            thread = client.threads.create()["thread_id"]
            modes: Any = ["values", "messages-tuple"]
            parts = list(client.runs.stream(thread, "chat", input=LEMUR, stream_mode=modes))
            assert parts[-1].data["messages"][-1]["content"] == "a small primate"
            assert client.threads.get_state(thread)["next"] == []

    await asyncio.to_thread(talk)


async def test_a_thread_is_deleted_or_thinned_out_once_its_time_is_over(client: LangGraphClient) -> None:
    short = 0.02  # of a minute
    gone = (await client.threads.create(ttl=short))["thread_id"]  # type: ignore[arg-type]
    kept = (await client.threads.create(ttl={"ttl": short, "strategy": "keep_latest"}))["thread_id"]
    values: Any = await client.runs.wait(kept, "chat", input=LEMUR)
    assert (await client.threads.get(kept, include=["ttl"]))["ttl"]["ttl_minutes"] == short  # type: ignore[typeddict-item]

    async def thinned_out() -> bool:
        return len(await client.threads.get_history(kept, limit=100)) == 1

    await eventually(thinned_out)
    assert (await client.threads.get_state(kept))["values"] == values
    with pytest.raises(NotFoundError):
        await client.threads.get(gone)
    assert await client.threads.count() == 1


async def test_a_thread_belongs_to_one_graph(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "chat", input=LEMUR)
    with pytest.raises(UnprocessableEntityError, match="belongs to graph 'chat'"):
        await client.runs.create(thread, "learn", input=TOPIC)


async def test_a_thread_can_be_made_with_a_past(client: LangGraphClient) -> None:
    said = [{"role": "user", "content": "What is a lemur?"}, {"role": "assistant", "content": "a primate"}]
    steps: Any = [
        {"updates": [{"values": {"messages": said[:1]}, "as_node": "__start__"}]},
        {"updates": [{"values": {"messages": said[1:]}, "as_node": "remember"}]},
    ]
    thread = await client.threads.create(graph_id="chat", supersteps=steps)
    assert [m["content"] for m in thread["values"]["messages"]] == [m["content"] for m in said]  # type: ignore[index]
    values: Any = await client.runs.wait(thread["thread_id"], "chat", input=LEMUR)
    assert len(values["messages"]) == 4
    again = await client.threads.create(
        thread_id=thread["thread_id"], graph_id="chat", supersteps=steps, if_exists="do_nothing"
    )
    assert again["values"] == values, "a thread that was there keeps its past"
    with pytest.raises(ConflictError):
        await client.threads.create(thread_id=thread["thread_id"], graph_id="chat", supersteps=steps)


async def test_an_answer_comes_in_pieces_of_one_message_and_is_told_once(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    stream = client.runs.stream(thread, "chat", input=LEMUR, stream_mode=["messages-tuple", "values"])
    parts = [part async for part in stream]
    said = [part.data[0] for part in parts if part.event == "messages" and part.data[0]["type"] != "human"]
    assert "".join(piece["content"] for piece in said) == "a small primate"
    assert {piece["type"] for piece in said} == {"AIMessageChunk"}
    (message,) = {piece["id"] for piece in said}
    assert parts[-1].data["messages"][-1]["id"] == message
