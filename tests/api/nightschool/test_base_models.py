"""Base models over HTTP: the served one's card, and the added ones with theirs or why they have none."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from agent.models.card import ReplayDistributions, write_card
from agent.models.store import ORIGIN, ModelOrigin, ModelStore
from api.nightschool import base_models
from graphs.state import Runtime
from tests.api.conftest import Serve
from tests.support.cards import DIGEST, card
from tests.support.keys import key_maker
from tests.support.model_task import PROCESS

PATH = "/v1/base-models"
NONE = np.zeros(0, np.int32)
ARRAYS = ReplayDistributions(NONE, NONE, NONE.reshape(0, 2), np.zeros((0, 2), np.float16))


def added(store: ModelStore, name: str) -> Path:
    def fill(folder: Path) -> ModelOrigin:
        return ModelOrigin(name=name, title="A small one", source="here", licence="MIT", digest=DIGEST)

    store.place(name, fill)
    return store.path(name)


async def test_the_served_card_and_each_added_model_with_its_card_or_its_problem(
    serve: Serve, runtime: Runtime, tmp_path: Path
) -> None:
    store = ModelStore(tmp_path / "models")
    write_card(added(store, "studied"), card(name="studied"), (), (), (), ARRAYS)
    added(store, "new")
    (added(store, "damaged") / ORIGIN).write_text("{}")
    async with serve(runtime, models=store.folder) as client:
        reply = (await client.get(PATH)).raise_for_status().json()
    assert reply["served"]["name"] == "test-model"
    damaged, new, studied = reply["added"]
    assert (damaged["origin"], damaged["card"], "damaged" in damaged["problem"]) == (None, None, True)
    assert (new["origin"]["licence"], new["card"]) == ("MIT", None)
    assert "run `nightschool models study new`" in new["problem"]
    assert (studied["card"]["name"], studied["problem"]) == ("studied", None)


async def test_without_models_the_list_is_empty_and_only_admins_see_it(
    serve: Serve, runtime: Runtime, tmp_path: Path
) -> None:
    learner = await key_maker(runtime)("ada", "learn")
    root = await key_maker(runtime)("root", "admin")
    async with serve(runtime, models=tmp_path / "none") as client:
        assert (await client.get(PATH, headers=learner)).status_code == 403
        reply: httpx.Response = await client.get(PATH, headers=root)
    assert reply.json()["added"] == []


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks that add at once and study forever."""
    monkeypatch.setattr(base_models, "PROCESS", PROCESS)


async def until(client: httpx.AsyncClient, status: str) -> dict[str, Any]:
    """The task, once it has this status."""
    for _ in range(300):
        task: dict[str, Any] = (await client.get(PATH)).raise_for_status().json()["task"]
        if task["status"] == status:
            return task
        await asyncio.sleep(0.1)
    raise AssertionError(f"the task is not {status}: {task}")


async def test_what_can_be_added_is_listed_and_added(
    serve: Serve, runtime: Runtime, tmp_path: Path, scripted: None
) -> None:
    async with serve(runtime, models=tmp_path / "models") as client:
        before = (await client.get(PATH)).json()
        assert "gemma-3-270m" in [each["name"] for each in before["catalogue"]]
        assert before["task"] is None
        started = await client.post(PATH, json={"model": "gemma-3-270m", "name": "small"})
        assert (started.status_code, started.json()["action"]) == (202, "add")
        assert (await until(client, "done"))["step"] == "small was added"
        assert (await client.post(PATH, json={"model": "bad/model"})).status_code == 202
        assert (await until(client, "failed"))["step"] == "bad/model has no chat template"


async def test_a_study_runs_alone_until_it_is_stopped(
    serve: Serve, runtime: Runtime, tmp_path: Path, scripted: None
) -> None:
    store = ModelStore(tmp_path / "models")
    added(store, "new")
    async with serve(runtime, models=store.folder) as client:
        started = await client.post(f"{PATH}/new/study")
        assert (started.status_code, started.json()["status"]) == (202, "running")
        for refused in (
            await client.post(f"{PATH}/new/study"),
            await client.post(PATH, json={"model": "gemma-3-270m"}),
            await client.post(f"{PATH}/new/use"),
            await client.delete(f"{PATH}/new"),
        ):
            assert (refused.status_code, refused.json()["error"]["code"]) == (409, "model_task_running")
        stopped = (await client.delete(f"{PATH}/task")).raise_for_status().json()
        assert stopped["status"] == "stopped"
        again = (await client.delete(f"{PATH}/task")).raise_for_status().json()
        assert again == stopped


async def test_a_model_is_selected_and_removed_but_not_one_in_use(
    serve: Serve, runtime: Runtime, tmp_path: Path
) -> None:
    store = ModelStore(tmp_path / "models")
    for name, verdict in (("one", "retrieval only"), ("two", "go"), ("bad", "no-go")):
        write_card(added(store, name), card(name=name, verdict=verdict), (), (), (), ARRAYS)
    added(store, "new")
    async with serve(runtime, models=store.folder) as client:
        for name, status in (("new", 409), ("bad", 422)):
            assert (await client.post(f"{PATH}/{name}/use")).status_code == status
        assert (await client.post(f"{PATH}/two/use")).raise_for_status().json()["next"] == "two"
        assert (await client.delete(f"{PATH}/two")).status_code == 422
        left = (await client.delete(f"{PATH}/one")).raise_for_status().json()["added"]
        assert [each["name"] for each in left] == ["bad", "new", "two"]
    async with serve(runtime, models=store.folder, model=str(store.path("one"))) as client:
        assert (await client.get(PATH)).json()["next"] == "two"  # as `up` starts its api
    async with serve(runtime, models=store.folder, model="two") as client:
        refused = await client.post(f"{PATH}/two/use")
        assert (refused.status_code, "NIGHTSCHOOL_MODEL" in refused.text) == (422, True)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "", {"model": "/etc"}, 404),
        ("POST", "", {"model": "../models/x"}, 404),
        ("POST", "", {"model": "--help"}, 404),
        ("POST", "", {"model": "../x"}, 404),
        ("POST", "", {"model": "agent/models"}, 404),
        ("POST", "", {"model": "gemma-3-270m", "name": "../x"}, 422),
        ("POST", "", {}, 422),
        ("POST", "/nobody/study", None, 404),
        ("POST", "/nobody/use", None, 404),
        ("DELETE", "/nobody", None, 404),
        ("POST", "/%2e%2e/use", None, 404),
    ],
)
async def test_bad_requests_are_refused(
    method: str,
    path: str,
    body: dict[str, str] | None,
    status: int,
    serve: Serve,
    runtime: Runtime,
    tmp_path: Path,
) -> None:
    async with serve(runtime, models=tmp_path / "models") as client:
        reply = await client.request(method, PATH + path, json=body)
        assert reply.status_code == status, reply.text
        assert (await client.get(PATH)).json()["task"] is None


async def test_every_change_of_models_is_in_the_audit_log_and_for_admins(
    serve: Serve, runtime: Runtime, tmp_path: Path, scripted: None
) -> None:
    store = ModelStore(tmp_path / "models")
    write_card(added(store, "new"), card(name="new"), (), (), (), ARRAYS)
    learner, root = await key_maker(runtime)("ada", "learn"), await key_maker(runtime)("root", "admin")
    async with serve(runtime, models=store.folder) as client:
        for method, path in (("POST", ""), ("POST", "/new/study"), ("POST", "/new/use"), ("DELETE", "/new")):
            assert (await client.request(method, PATH + path, headers=learner)).status_code == 403
        (await client.post(f"{PATH}/new/use", headers=root)).raise_for_status()
        lines = (await client.get("/v1/audit", headers=root)).raise_for_status().text.splitlines()
    last = json.loads(lines[-1])
    assert (last["action"], last["by"], last["subject"]) == ("model.use", "root", "new")


async def test_where_the_api_may_not_write_it_says_who_may(
    serve: Serve, runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ModelStore(tmp_path / "models")
    write_card(added(store, "new"), card(name="new"), (), (), (), ARRAYS)
    monkeypatch.setattr("os.access", lambda path, mode: False)  # the tests run as root, who may
    async with serve(runtime, models=store.folder) as client:
        for method, path, body in (
            ("POST", "", {"model": "gemma-3-270m"}),
            ("POST", "/new/study", None),
            ("POST", "/new/use", None),
            ("DELETE", "/new", None),
            ("DELETE", "/task", None),
        ):
            reply = await client.request(method, PATH + path, json=body)
            assert (reply.status_code, "may not write" in reply.text) == (422, True), reply.text


async def test_what_does_not_start_says_why(
    serve: Serve, runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_models, "PROCESS", "no.such.module")
    async with serve(runtime, models=tmp_path / "models") as client:
        reply = await client.post(PATH, json={"model": "gemma-3-270m"})
    assert (reply.status_code, "No module named" in reply.text) == (422, True)
