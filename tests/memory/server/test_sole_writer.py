"""Api processes on one PostgreSQL database store documents one after the other."""

import asyncio

import pytest

from memory.database.database import open_database
from memory.server.sole_writer import sole_writer
from tests.support.databases import database_url, empty_runs, home, postgresql, template

__all__ = ["database_url", "empty_runs", "home", "postgresql", "template"]


async def test_a_second_process_waits_for_the_first(database_url: str) -> None:
    first, second = await open_database(database_url), await open_database(database_url)
    order: list[str] = []

    async def write() -> None:
        async with sole_writer(second):
            order.append("second")

    async with sole_writer(first):
        waiting = asyncio.create_task(write())
        if first.shared:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(waiting), 0.5)
        order.append("first")
    await waiting
    assert sorted(order) == ["first", "second"]
    assert not first.shared or order == ["first", "second"]
    for database in (first, second):
        await database.aclose()
