"""What comes while something is written goes together, and everyone is told how theirs went."""

import asyncio
from collections.abc import Sequence

import pytest

from memory.database.group_commit import GroupCommit
from memory.errors import StoreUnavailable


class Disk:
    """Writes groups, each once it is let to."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.free = asyncio.Semaphore(0)

    async def write(self, items: Sequence[int]) -> None:
        await self.free.acquire()
        if 13 in items:
            raise StoreUnavailable("full")
        self.groups.append(list(items))


async def test_what_comes_while_one_is_written_goes_together() -> None:
    disk = Disk()
    group = GroupCommit(disk.write)
    first = asyncio.create_task(group.add(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(group.add(number)) for number in (2, 3, 4)]
    await asyncio.sleep(0)
    disk.free.release()
    await first
    assert not any(task.done() for task in others), "nothing returns before it is kept"
    disk.free.release()
    await asyncio.gather(*others)
    assert disk.groups == [[1], [2, 3, 4]]


async def test_who_was_in_a_group_that_failed_is_told_and_later_ones_go_on() -> None:
    disk = Disk()
    disk.free = asyncio.Semaphore(9)
    group = GroupCommit(disk.write)
    told = await asyncio.gather(group.add(12), group.add(13), return_exceptions=True)
    assert [type(error) for error in told] == [StoreUnavailable, StoreUnavailable]
    await group.add(14)
    assert disk.groups == [[14]]


async def test_who_no_longer_waits_is_no_matter() -> None:
    disk = Disk()
    group = GroupCommit(disk.write)
    gone, stays = asyncio.create_task(group.add(1)), asyncio.create_task(group.add(2))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    disk.free.release()
    await stays
    with pytest.raises(asyncio.CancelledError):
        await gone
