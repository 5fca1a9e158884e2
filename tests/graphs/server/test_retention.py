"""Chat turns that have been kept long enough are deleted, page by page, and rarely looked for."""

from datetime import timedelta

import pytest

from graphs.server import retention
from graphs.state import Runtime
from tests.graphs.conftest import Clock
from tests.support.interactions import interaction

DAYS = timedelta(days=90)


async def log(runtime: Runtime, *ids: str) -> None:
    for id in ids:
        await runtime.interactions.save(interaction(id, created_at=runtime.clock()))


async def kept(runtime: Runtime) -> list[str]:
    return sorted(turn.id for turn in await runtime.interactions.list())


async def test_only_turns_older_than_the_limit_are_deleted(runtime: Runtime, clock: Clock) -> None:
    task = retention.interaction_retention(runtime.interactions, DAYS, clock)
    await log(runtime, "old")
    clock.advance(DAYS.total_seconds())
    await log(runtime, "new")
    await task(None)
    assert await kept(runtime) == ["new", "old"]
    clock.advance(1)
    await retention.interaction_retention(runtime.interactions, DAYS, clock)(None)
    assert await kept(runtime) == ["new"]


async def test_many_old_turns_are_deleted_in_pages_and_then_it_rests(
    runtime: Runtime, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PAGE", 2)
    task = retention.interaction_retention(runtime.interactions, DAYS, clock)
    await log(runtime, "a", "b", "c")
    clock.advance(2 * DAYS.total_seconds())
    await task(None)
    assert len(await kept(runtime)) == 1
    await task(None)
    assert await kept(runtime) == []
    await runtime.interactions.save(interaction("d"))
    await runtime.interactions.save(interaction("e", created_at=clock() - 2 * DAYS))
    await task(None)
    assert "e" in await kept(runtime)
