"""Every store by URL at once, as deploy/compose.yaml combines them: a lesson is learned from end to end.

PostgreSQL for tables, queue and registry, FalkorDB over TCP with a password, LanceDB and adapters on S3. Api
and worker have home folders of their own, which share the outbox and the public keys.
"""

import asyncio
import shutil
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from agent.settings import Settings
from api import compose
from examples.demo import free_ports
from memory.adapters.mlflow import ADAPTER_FILES, ADAPTERS, RECORD, SIGNATURE
from memory.embedding.embedder import HashingEmbedder
from memory.errors import StoreUnavailable
from memory.semantic import embedded
from memory.semantic.falkor import FalkorSemanticMemory
from tests.faults.work import WHATS, Client, chat, learn, word
from tests.graphs.conftest import eventually
from tests.support.databases import new_postgresql, postgresql, template
from tests.support.service_parts import api, engine, worker
from tests.support.storage import BUCKET, storage
from tests.support.tiny_card import FOLDER as TINY

__all__ = ["postgresql", "storage", "template"]
pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

PASSWORD = "sekrit"
OPTIONS = ("--bind", "127.0.0.1", "--requirepass", PASSWORD)
SECONDS = 240.0


@asynccontextmanager
async def graph(folder: Path) -> AsyncIterator[str]:
    """A FalkorDB server with a password; yields its URL."""
    (port,) = free_ports(1)
    url = f"redis://:{PASSWORD}@127.0.0.1:{port}"
    embedded.prepare(folder)
    command = embedded.command(folder)
    command[command.index("--port") + 1] = str(port)

    async def answers() -> bool:
        try:
            await (await FalkorSemanticMemory.open(url)).aclose()
        except StoreUnavailable:
            return False
        return True

    process = await asyncio.create_subprocess_exec(*command, *OPTIONS, stdout=DEVNULL)
    try:
        await eventually(answers, seconds=60)
        yield url
    finally:
        await embedded.stop(process)


def homes(folder: Path) -> tuple[Path, Path]:
    """Home folders of api and worker, with one outbox and one folder of public keys."""
    for shared in ("outbox", "keys/public"):
        (folder / "shared" / shared).mkdir(parents=True)
        for name in ("api", "worker"):
            place = folder / name / shared
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(folder / "shared" / shared)
    return folder / "api", folder / "worker"


def objects(url: str) -> set[str]:
    found = boto3.client("s3", endpoint_url=url, region_name="us-east-1").list_objects_v2(Bucket=BUCKET)
    return {each["Key"] for each in found["Contents"]}


def sqlite_files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*.db")}


async def test_a_lesson_is_learned_and_served_with_every_store_on_a_server(
    tmp_path: Path, storage: str, postgresql: Any, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compose, "SentenceEmbedder", HashingEmbedder)
    api_home, worker_home = homes(tmp_path)
    async with graph(tmp_path / "graph") as graph_url, engine() as (engine_url, loaded):
        settings = Settings(
            home=api_home,
            model=str(TINY),
            engine_url=engine_url,
            graph_url=graph_url,
            library_url=f"s3://{BUCKET}/library",
            adapters_url=f"s3://{BUCKET}/adapters",
            database_url=new_postgresql(postgresql, template),
            registry_url=new_postgresql(postgresql),
        )
        async with api(settings) as client:
            with worker(settings.model_copy(update={"home": worker_home})):
                assert await learn(client, 1, SECONDS) == "learned"
            (adapter,) = await client.get("/v1/adapters")
            name = adapter["name"]
            await answers_what_it_was_taught(client, name)

            stored = objects(storage)
            assert {f"adapters/{name}/{file}" for file in (*ADAPTER_FILES, RECORD, SIGNATURE)} <= stored
            assert any(key.startswith("library/episodic/passages.lance/") for key in stored)
            semantic = await FalkorSemanticMemory.open(graph_url)
            assert await semantic.count() >= len(WHATS)
            await semantic.aclose()

            for copies in (worker_home, api_home / ADAPTERS):
                shutil.rmtree(copies)
            loaded.restart()

            async def loaded_again() -> bool:
                return name in await loaded.loaded()

            await eventually(loaded_again, seconds=60)
            await answers_what_it_was_taught(client, name)
    assert sqlite_files(tmp_path) <= {"web-cache.db"}


async def answers_what_it_was_taught(client: Client, adapter: str) -> None:
    reply = await chat(client, f"What is a {word(8)}er?", SECONDS, model="auto")
    assert WHATS[0] in reply["choices"][0]["message"]["content"].lower()
    assert reply["nightschool"]["adapter"] == adapter
