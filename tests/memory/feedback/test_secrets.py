"""A secret is made once, whoever asks first, and stays."""

import asyncio

from memory.database.database import open_database
from memory.feedback.secrets import PSEUDONYMS, get_secret
from tests.support.databases import database_url, empty_runs, home, postgresql, template

__all__ = ["database_url", "empty_runs", "home", "postgresql", "template"]


async def test_all_processes_get_the_same_secret_also_after_a_restart(database_url: str) -> None:
    opened = [await open_database(database_url) for _ in range(2)]
    found = await asyncio.gather(*(get_secret(database, PSEUDONYMS) for database in opened * 5))
    for database in opened:
        await database.aclose()
    again = await open_database(database_url)
    assert {*found, await get_secret(again, PSEUDONYMS)} == {found[0]}
    assert len(bytes.fromhex(found[0])) == 32
    assert await get_secret(again, "another") != found[0]
    await again.aclose()
