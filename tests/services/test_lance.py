"""LanceDB on disk: what was acknowledged is there, for others and after a crash."""

import asyncio
import sys
from pathlib import Path

import lancedb
import pytest

from memory.embedding.embedder import HashingEmbedder
from memory.episodic.lance import LanceEpisodicMemory
from memory.errors import StoreUnavailable
from memory.records.access import EVERYTHING, SHARED
from memory.vector_tables import KEEP_VERSIONS, WRITES_PER_COMPACTION, Maintenance
from tests.support.documents import passage

pytestmark = pytest.mark.services


async def test_a_reader_sees_each_write_at_once(tmp_path: Path) -> None:
    writer = await LanceEpisodicMemory.open(tmp_path / "e", HashingEmbedder())
    reader = await LanceEpisodicMemory.open(tmp_path / "e", HashingEmbedder())
    for n in range(3):
        await writer.add([passage(f"Passage number {n}.", source=f"{n}.md")])
        assert len(await reader.documents(access=EVERYTHING)) == n + 1
        assert len(await reader.search(f"number {n}", by="text", limit=9, access=EVERYTHING)) == n + 1


async def test_many_small_writes_are_compacted_and_all_found(tmp_path: Path) -> None:
    store = await LanceEpisodicMemory.open(tmp_path / "e", HashingEmbedder())
    for n in range(2 * WRITES_PER_COMPACTION + 1):
        await store.add([passage(f"Passage about topic{n}.", source=f"{n}.md")])
    assert (
        len(await store.search("passage", by="vector", limit=1000, access=EVERYTHING))
        == 2 * WRITES_PER_COMPACTION + 1
    )
    (hit,) = await store.search("topic7", by="text", limit=5, access=EVERYTHING)
    assert hit.passage.source == "7.md"
    table = await (await lancedb.connect_async(str(tmp_path / "e"))).open_table("passages")
    assert (await table.stats())["fragment_stats"]["num_fragments"] < WRITES_PER_COMPACTION


async def test_maintenance_compacts_the_last_writes_and_removes_old_versions(tmp_path: Path) -> None:
    store = await LanceEpisodicMemory.open(tmp_path / "e", HashingEmbedder())
    for n in range(5):
        await store.add([passage(f"Passage number {n}.", source=f"{n}.md")])
    table = await (await lancedb.connect_async(str(tmp_path / "e"))).open_table("passages")
    maintenance = Maintenance(table, clock := SimpleClock())
    assert (await table.stats())["fragment_stats"]["num_fragments"] == 5
    await maintenance.run()
    await table.checkout_latest()
    assert (await table.stats())["fragment_stats"]["num_fragments"] == 1
    assert (await table.index_stats("searched_idx")).num_unindexed_rows == 0
    version = await table.version()
    await maintenance.run()
    clock.now += 10 * KEEP_VERSIONS.total_seconds()
    await maintenance.run()
    assert await table.version() == version, "nothing changed, so there is nothing to write"
    await store.maintain()
    assert len(await store.documents(access=EVERYTHING)) == 5


async def test_searches_go_on_during_maintenance_and_writes_follow_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: Maintenance) -> None:
        begun.set()
        await go_on.wait()

    store = await LanceEpisodicMemory.open(tmp_path / "e", HashingEmbedder())
    await store.add([passage("Before.", source="1.md")])
    monkeypatch.setattr(Maintenance, "run", slow)
    maintaining = asyncio.create_task(store.maintain())
    await begun.wait()
    writing = asyncio.create_task(store.add([passage("After.", source="2.md")]))
    for by in ("vector", "text"):
        assert len(await store.search("before", by=by, limit=5, access=EVERYTHING)) == 1
    assert not writing.done()
    go_on.set()
    await maintaining
    assert await writing == 1


class SimpleClock:
    """A clock in seconds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_thousands_of_passages_are_kept_while_the_rest_is_forgotten(tmp_path: Path) -> None:
    store = await LanceEpisodicMemory.open(tmp_path / "e", HashingEmbedder())
    many = [passage(f"Passage number {n}.") for n in range(5000)]
    await store.add(many)
    assert await store.remove("a.md", domain="rust", keep={p.id for p in many[10:]}) == 10
    assert await store.get([p.id for p in many[:11]], access=EVERYTHING) == (many[10],)


async def test_a_table_without_owners_gets_them_and_its_passages_are_shared(tmp_path: Path) -> None:
    await (await LanceEpisodicMemory.open(tmp_path / "e", HashingEmbedder())).add([passage("Old text.")])
    table = await (await lancedb.connect_async(str(tmp_path / "e"))).open_table("passages")
    await table.drop_columns(["owner"])
    store = await LanceEpisodicMemory.open(tmp_path / "e", HashingEmbedder())
    await store.add([passage("New text.", owner="ann")])
    hits = await store.search("text", by="text", limit=5, access=SHARED)
    assert [hit.passage.text for hit in hits] == ["Old text."]


async def test_another_embedder_is_refused(tmp_path: Path) -> None:
    await LanceEpisodicMemory.open(tmp_path / "e", HashingEmbedder(32))
    with pytest.raises(StoreUnavailable, match="another model"):
        await LanceEpisodicMemory.open(tmp_path / "e", HashingEmbedder(64))


async def test_a_folder_that_cannot_be_used_says_what_to_check(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="writable"):
        await LanceEpisodicMemory.open(tmp_path / "file", HashingEmbedder())


async def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        WRITER,
        str(tmp_path / "e"),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdout is not None
    acknowledged = [(await child.stdout.readline()).decode().strip() for _ in range(25)]
    child.kill()
    await child.wait()
    store = await LanceEpisodicMemory.open(tmp_path / "e", HashingEmbedder())
    assert (
        {each.source for each in await store.documents(access=EVERYTHING)}
        >= set(acknowledged)
        >= {"0.md", "24.md"}
    )
    assert await store.add([passage("After the crash.", source="after.md")]) == 1


WRITER = """
import asyncio, sys
from memory.embedding.embedder import HashingEmbedder
from memory.episodic.lance import LanceEpisodicMemory
from tests.support.documents import passage

async def main():
    store = await LanceEpisodicMemory.open(sys.argv[1], HashingEmbedder())
    for n in range(10_000):
        await store.add([passage(f"Passage number {n}.", source=f"{n}.md")])
        print(f"{n}.md", flush=True)

asyncio.run(main())
"""
