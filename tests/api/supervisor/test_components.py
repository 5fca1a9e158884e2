"""What `nightschool up` starts depends on what the model is good for."""

from pathlib import Path

import pytest

from agent.errors import ModelRefused
from agent.models.card import CARD
from agent.models.store import ModelStore
from agent.settings import Settings
from api.supervisor.components import components, engine
from tests.agent.models.test_store import origin, studied
from tests.support.cards import card, model_folder


def settings(tmp_path: Path, verdict: str) -> Settings:
    folder = model_folder(tmp_path / "model")
    (folder / CARD).write_text(card(verdict=verdict).model_dump_json())
    return Settings(
        home=tmp_path, model=str(folder), graph_url="redis://elsewhere", engine_url="http://there"
    )


def test_a_model_that_can_be_taught_has_a_trainer_which_the_api_waits_for(tmp_path: Path) -> None:
    parts = {part.name: part for part in components(settings(tmp_path, "go"))}
    assert set(parts) == {"worker", "api"}
    assert parts["api"].after == ("worker",)


def test_a_model_for_retrieval_only_is_served_without_a_trainer(tmp_path: Path) -> None:
    (api,) = components(settings(tmp_path, "retrieval only"))
    assert (api.name, api.after) == ("api", ())


def test_a_model_that_is_no_go_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="no-go: made for a test"):
        components(settings(tmp_path, "no-go"))


def test_an_engine_does_not_start_on_weights_that_were_exchanged(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")
    store.place("small", lambda folder: (model_folder(folder / "m"), origin())[1])
    studied(store.path("small"))
    with pytest.raises(ModelRefused, match="have changed"):
        engine(Settings(home=tmp_path, models=store.folder, model="small"))
