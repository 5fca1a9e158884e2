"""Raw errors of databases are waited out where that is safe, and then said in our own words."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from memory.checkpoints.connect import open_saver
from memory.database import raw_errors
from memory.database.raw_errors import translates_errors
from memory.errors import StoreUnavailable
from tests.support.databases import empty_runs, home

__all__ = ["empty_runs", "home"]

LOCKED, GONE = sqlite3.OperationalError("database is locked"), psycopg.OperationalError("server closed")


@translates_errors("the shelf", repeated=("read",), once=("copy",), streams=("list",))
class Shelf:
    """Fails as it is told, and counts its calls."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0

    async def read(self) -> str:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "book"

    async def copy(self) -> str:
        return await Shelf.read.__wrapped__(self)  # type: ignore[attr-defined,no-any-return]

    async def list(self) -> AsyncIterator[str]:
        yield await self.copy()


@pytest.mark.parametrize("failure", [LOCKED, GONE])
async def test_a_failure_that_passes_is_waited_out(failure: Exception) -> None:
    shelf = Shelf(failure)
    assert await shelf.read() == "book"
    assert shelf.calls == 2


async def test_one_that_lasts_says_which_store_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_errors, "RETRY_SECONDS", 0.05)
    with pytest.raises(StoreUnavailable, match=r"the shelf cannot be used.*server closed") as raised:
        await Shelf(*[GONE] * 9).read()
    assert raised.value.part == "the shelf"


async def test_what_is_not_safe_to_repeat_or_does_not_pass_is_done_once() -> None:
    for shelf, call in ((Shelf(GONE), "copy"), (Shelf(sqlite3.IntegrityError("twice")), "read")):
        with pytest.raises(StoreUnavailable):
            await getattr(shelf, call)()
        assert shelf.calls == 1
    with pytest.raises(StoreUnavailable):
        [each async for each in Shelf(GONE).list()]
    with pytest.raises(ValueError, match="no book"):
        await Shelf(ValueError("no book")).read()


async def test_savers_raise_errors_of_ours(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_errors, "RETRY_SECONDS", 0.05)
    path = home / "checkpoints.db"
    config = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
    async with open_saver(f"sqlite:///{path}") as saver:
        with sqlite3.connect(path) as other:
            other.execute("DROP TABLE checkpoints")
        with pytest.raises(StoreUnavailable, match="the checkpoints cannot be used"):
            await saver.aget_tuple(config)  # type: ignore[arg-type]
        with pytest.raises(StoreUnavailable):
            await saver.acopy_thread("t", "other")
        with pytest.raises(StoreUnavailable):
            [each async for each in saver.alist(config)]  # type: ignore[arg-type]
