"""State of an earlier version is migrated: nothing is lost, and a run that waited for a person goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import make_url

from agent.engines.adapter_files import digest_of_files
from agent.registry import open_registry
from agent.settings import Settings
from api import compose
from memory.adapters.mlflow import ADAPTERS
from memory.database.schema import MIGRATIONS
from memory.embedding.embedder import HashingEmbedder
from memory.records.adapters import Adapter
from memory.semantic.embedded import running
from tests.faults.perfect_student import AdapterEngine, write_adapter
from tests.faults.work import Client, chat, ingest, word
from tests.graphs.conftest import eventually
from tests.support.adapters import adapter
from tests.support.databases import database_url, empty_runs, home, postgresql, template
from tests.support.service_parts import api, engine, worker
from tests.support.tiny_card import FOLDER as TINY
from training.base_model import open_base_model

__all__ = ["database_url", "empty_runs", "home", "postgresql", "template"]
pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]

EARLIER = "0014"
"""Revision of the database when approvals were first signed, on 2026-11-29."""
LATER = {"withdrawn_sentences", "attacks", "perspectives", "perspective_documents"}
"""Tables that it did not have."""
SECONDS = 240.0


def downgrade(url: str) -> set[str]:
    """Takes the database back to the earlier revision; returns the tables that are left."""
    driver = {"postgresql": "postgresql+psycopg"}.get(make_url(url).get_backend_name(), "sqlite")
    database = create_engine(make_url(url).set(drivername=driver))
    with database.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, EARLIER)
    with database.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == EARLIER
        tables = set(inspect(connection).get_table_names())
    database.dispose()
    return tables


def live_adapter(settings: Settings) -> Adapter:
    """A registered adapter of the tiny model, which is live."""
    card = open_base_model(TINY).card
    registry = open_registry(settings, card.digest)
    made = adapter("songs").model_copy(update={"base_model": card.name, "base_digest": card.digest})
    assert made.canary is not None
    folder = settings.path(ADAPTERS) / made.name
    folder.mkdir(parents=True)
    write_adapter(folder, {made.canary.question: made.canary.answer})
    made = made.model_copy(update={"files": digest_of_files(folder)})
    registry.register(made)
    registry.promote(made.name)
    return made


async def until(client: Client, run_id: str, status: str) -> dict[str, Any]:
    """What is shown of the run once it has that status."""
    shown: dict[str, Any] = {}

    async def reached() -> bool:
        shown.update(await client.get(f"/v1/learn/{run_id}"))
        return shown["status"] == status

    await eventually(reached, seconds=SECONDS)
    return shown


@asynccontextmanager
async def service(settings: Settings) -> AsyncIterator[tuple[Client, AdapterEngine]]:
    async with (
        running(settings.home / "graph"),
        engine() as (url, loaded),
        api(settings.model_copy(update={"engine_url": url})) as client,
    ):
        yield client, loaded


async def leave(settings: Settings) -> dict[str, Any]:
    """What an earlier version leaves: a turn with feedback, its gap, and a run that waits for approval."""
    async with service(settings) as (client, _):
        turn = await chat(client, f"What is a {word(8)}er?", SECONDS)
        title, domain = await ingest(client, 1, SECONDS)
        run = (await client.post("/v1/learn", {"topic": title, "domain": domain}))["run_id"]
        asks = (await until(client, run, "waiting"))["asks"]
    return {"turn": turn["id"], "gap": turn["nightschool"]["gap_id"], "run": run, "asks": asks}


async def go_on(settings: Settings, left: dict[str, Any], live: Adapter) -> None:
    """Finds everything, approves the run and sees it end."""
    async with service(settings) as (client, loaded):
        shown = await client.get(f"/v1/interactions/{left['turn']}")
        assert [(each["kind"], each["value"]) for each in shown["feedback"]] == [("vote", 1.0)]
        (gap,) = await client.get("/v1/gaps")
        assert (gap["id"], gap["demand"]["asked"]) == (left["gap"], 1)
        run = left["run"]
        assert (await until(client, run, "waiting"))["asks"] == left["asks"]
        with worker(settings):
            await client.post(f"/v1/learn/{run}/approval", {"approved": True})
            ended = await until(client, run, "ended")
        assert ended["outcome"]["status"] == "learned", ended["outcome"]
        assert {live.name, ended["outcome"]["adapter"]} <= set(await loaded.loaded())


def test_a_waiting_run_a_gap_feedback_and_an_adapter_survive_the_migration(
    home: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compose, "SentenceEmbedder", HashingEmbedder)
    on_postgresql = database_url.startswith("postgresql")
    settings = Settings(
        home=home, model=str(TINY), approval="human", database_url=database_url if on_postgresql else None
    )
    live = live_adapter(settings)
    left = asyncio.run(leave(settings))
    assert not downgrade(database_url) & LATER
    asyncio.run(go_on(settings, left, live))
