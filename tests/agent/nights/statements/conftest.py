"""A store of nights in a file of its own."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from memory.database.database import open_database
from memory.nights.store import NightStore
from tests.support.databases import migrated_sqlite


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[NightStore]:
    path = tmp_path / "nightschool.db"
    path.write_bytes(await asyncio.to_thread(migrated_sqlite))
    database = await open_database(f"sqlite:///{path}")
    yield NightStore(database)
    await database.aclose()
