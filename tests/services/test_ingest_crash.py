"""An ingest that is killed at any of its steps is completed by the next one, and nothing is there twice."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from memory.embedding.embedder import HashingEmbedder
from memory.episodic.lance import LanceEpisodicMemory
from memory.ingest.documents import RawDocument
from memory.ingest.exchange import contents
from memory.ingest.pipeline import ingest
from memory.ingest.writer import IngestReport, Place
from memory.records.access import EVERYTHING
from memory.semantic.embedded import running, socket_path
from memory.semantic.falkor import FalkorSemanticMemory

pytestmark = pytest.mark.services

DOCUMENTS = 3
TIME = re.compile(r',"(?:observed|added)_at":"[^"]+"')
ROOT = Path(__file__).parents[2]
STEPS = [
    *((f"LanceEpisodicMemory.{step}", n) for step in ("add", "remove") for n in (1, DOCUMENTS)),
    *((f"FalkorSemanticMemory.{step}", n) for step in ("add", "remove") for n in (1, DOCUMENTS)),
]
"""The calls after which the process is killed, the first and the last of each."""


def version(number: int) -> list[RawDocument]:
    """A version of the library; each has sentences in common with the one before, and others."""
    return [
        RawDocument(
            source=f"{n}.md",
            data=f"# Lamp {n}\n\nA lamp is a light. Lamp {n} burns oil.\n\n## Use\n\n"
            f"A lamp of version {number} is a lamp that lasts {number} years.\n".encode(),
            media_type="text/markdown",
        )
        for n in range(DOCUMENTS)
    ]


async def read_library(folder: Path, number: int) -> IngestReport:
    """Ingests a version of the library."""
    semantic = await FalkorSemanticMemory.open(str(socket_path(folder / "graph")))
    episodic = await LanceEpisodicMemory.open(folder / "episodic", HashingEmbedder())
    try:
        return await ingest(version(number), domain="lamps", episodic=episodic, semantic=semantic)
    finally:
        await semantic.aclose()


def killed_after(folder: str, step: str, calls: int) -> None:
    """Ingests version 2 in this process, which is killed once the step has been done so often."""
    kind, _, name = step.partition(".")
    store = {"LanceEpisodicMemory": LanceEpisodicMemory, "FalkorSemanticMemory": FalkorSemanticMemory}[kind]
    original, count = getattr(store, name), 0

    async def counted(*arguments: object, **options: object) -> object:
        nonlocal count
        result = await original(*arguments, **options)
        count += 1
        if count == calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(store, name, counted)
    asyncio.run(read_library(Path(folder), 2))


async def stored(folder: Path) -> list[str]:
    """Everything that is stored of the documents, and how much there is in all."""
    semantic = await FalkorSemanticMemory.open(str(socket_path(folder / "graph")))
    episodic = await LanceEpisodicMemory.open(folder / "episodic", HashingEmbedder())
    found = [f"{await episodic.count()} passages", f"{await semantic.count()} facts"]
    for each in await episodic.documents(access=EVERYTHING):
        place = Place(each.source, each.domain, each.owner)
        document = await contents(place, episodic=episodic, semantic=semantic)
        found.append(document.model_dump_json())
    await semantic.aclose()
    return found


@pytest.mark.parametrize(("step", "calls"), STEPS)
async def test_a_killed_ingest_is_completed_by_the_next_one(tmp_path: Path, step: str, calls: int) -> None:
    async with running(tmp_path / "graph"):
        await read_library(tmp_path, 1)
        call = f"killed_after({str(tmp_path)!r}, {step!r}, {calls})"
        code = f"from tests.services.test_ingest_crash import killed_after; {call}"
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, cwd=ROOT)
        assert await child.wait() == -signal.SIGKILL
        await read_library(tmp_path, 2)
        recovered = await stored(tmp_path)
        assert (await read_library(tmp_path, 2)).unchanged == DOCUMENTS
        assert await stored(tmp_path) == recovered
    clean = tmp_path / "clean"
    async with running(clean / "graph"):
        await read_library(clean, 2)
        assert without_times(await stored(clean)) == without_times(recovered)


def without_times(found: list[str]) -> list[str]:
    """The same without when each passage and fact was first stored, which what both versions have keeps."""
    return [TIME.sub("", each) for each in found]
