"""Base models over HTTP: the served one's card, and the added ones with theirs or why they have none."""

from pathlib import Path

import httpx
import numpy as np

from agent.models.card import ReplayDistributions, write_card
from agent.models.store import ORIGIN, ModelOrigin, ModelStore
from graphs.state import Runtime
from tests.api.conftest import Serve
from tests.support.cards import DIGEST, card
from tests.support.keys import key_maker

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
