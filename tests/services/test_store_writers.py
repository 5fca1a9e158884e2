"""Many writers, in threads and processes: nothing is stored twice, and readers see each write at once."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from memory.embedding.embedder import HashingEmbedder
from memory.episodic.lance import LanceEpisodicMemory
from memory.records.access import EVERYTHING
from memory.semantic.embedded import running, socket_path
from memory.semantic.falkor import FalkorSemanticMemory
from tests.support.documents import fact, passage

pytestmark = pytest.mark.services

THREADS = 10
ROOT = Path(__file__).parents[2]


async def add_all(folder: str, socket: str) -> int:
    """Adds the same passages and facts as every other writer, in small batches; returns how many were new."""
    episodic = await LanceEpisodicMemory.open(folder, HashingEmbedder())
    semantic = await FalkorSemanticMemory.open(socket)
    new = 0
    for first in range(0, 9, 3):
        names = range(first, first + 3)
        new += await episodic.add([passage(f"Text {n}.", source=f"{n}.md") for n in names])
        await semantic.add([fact(f"thing {n}", "a thing", source=f"{n}.md") for n in names])
    await semantic.aclose()
    return new


def write_in_threads(folder: str, socket: str) -> int:
    """`add_all` in THREADS threads, each with connections of its own."""
    with ThreadPoolExecutor(THREADS) as threads:
        writers = [threads.submit(asyncio.run, add_all(folder, socket)) for _ in range(THREADS)]
        return sum(each.result() for each in writers)


async def test_twenty_writers_in_two_processes_store_everything_once(tmp_path: Path) -> None:
    folder = str(tmp_path / "episodic")
    await LanceEpisodicMemory.open(folder, HashingEmbedder())
    async with running(tmp_path / "graph"):
        socket = str(socket_path(tmp_path / "graph"))
        call = f"print(write_in_threads({folder!r}, {socket!r}))"
        code = f"from tests.services.test_store_writers import write_in_threads; {call}"
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, cwd=ROOT
        )
        here = await asyncio.to_thread(write_in_threads, folder, socket)
        there, _ = await child.communicate()
        assert here + int(there) == 9
        episodic = await LanceEpisodicMemory.open(folder, HashingEmbedder())
        assert await episodic.count() == 9
        for by in ("vector", "text"):
            assert len(await episodic.search("text", by=by, limit=100, access=EVERYTHING)) == 9
        semantic = await FalkorSemanticMemory.open(socket)
        assert await semantic.count() == 9
        await semantic.aclose()


async def test_a_reader_in_another_process_sees_each_write_at_once(tmp_path: Path) -> None:
    writer = await LanceEpisodicMemory.open(tmp_path / "episodic", HashingEmbedder())
    reader = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        READER,
        str(tmp_path / "episodic"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert reader.stdin is not None
    assert reader.stdout is not None
    for n in range(3):
        await writer.add([passage(f"Text number {n}.", source=f"{n}.md")])
        reader.stdin.write(b"look\n")
        assert await reader.stdout.readline() == f"{n + 1} {n + 1}\n".encode()
    await writer.remove("0.md", domain="rust")
    reader.stdin.write(b"look\n")
    assert await reader.stdout.readline() == b"2 2\n"
    reader.stdin.close()
    await reader.wait()


READER = """
import asyncio, sys
from memory.embedding.embedder import HashingEmbedder
from memory.episodic.lance import LanceEpisodicMemory
from memory.records.access import EVERYTHING

async def main():
    store = await LanceEpisodicMemory.open(sys.argv[1], HashingEmbedder())
    while await asyncio.to_thread(sys.stdin.readline):
        found = [await store.search("text", by=by, limit=9, access=EVERYTHING) for by in ("vector", "text")]
        print(*map(len, found), flush=True)

asyncio.run(main())
"""
