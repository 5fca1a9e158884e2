"""What `nightschool up` starts depends on what the model is good for."""

import asyncio
from pathlib import Path

import pytest

from agent.errors import ModelRefused
from agent.models.card import CARD
from agent.models.store import ModelStore
from agent.settings import Settings
from api.supervisor.components import components, console, engine, http_check
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
    assert set(parts) - {"console"} == {"worker", "api"}
    assert parts["api"].after == ("worker",)


def test_an_api_that_is_started_again_serves_the_model_of_its_engine(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")
    store.place("small", lambda folder: (model_folder(folder / "m"), origin())[1])
    studied(store.path("small"))
    store.use("small")
    chosen = Settings(
        home=tmp_path, models=store.folder, graph_url="redis://elsewhere", engine_url="http://there"
    )
    (api,) = (part for part in components(chosen) if part.name == "api")
    assert f"NIGHTSCHOOL_MODEL={store.path('small')}" in api.command


def test_a_model_for_retrieval_only_is_served_without_a_trainer(tmp_path: Path) -> None:
    (api,) = (part for part in components(settings(tmp_path, "retrieval only")) if part.name != "console")
    assert (api.name, api.after) == ("api", ())


def test_the_service_does_without_a_console_and_gives_it_no_key(tmp_path: Path) -> None:
    part = console(settings(tmp_path, "go"))
    assert part.optional
    assert part.after == ()
    assert "-uNIGHTSCHOOL_API_KEY" in part.command
    assert "GRADIO_ANALYTICS_ENABLED=False" in part.command


def test_where_gradio_is_absent_there_is_no_console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.supervisor.components.find_spec", lambda name: None)
    assert "console" not in {part.name for part in components(settings(tmp_path, "go"))}


def test_a_model_that_is_no_go_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="no-go: made for a test"):
        components(settings(tmp_path, "no-go"))


def test_an_engine_does_not_start_on_weights_that_were_exchanged(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")
    store.place("small", lambda folder: (model_folder(folder / "m"), origin())[1])
    studied(store.path("small"))
    with pytest.raises(ModelRefused, match="have changed"):
        engine(Settings(home=tmp_path, models=store.folder, model="small"))


async def test_an_api_that_closes_connections_beyond_its_limit_is_not_one_that_hangs() -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/healthz"
    async with server:
        assert await http_check(url)()
    assert not await http_check(url)()
