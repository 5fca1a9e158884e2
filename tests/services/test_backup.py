"""A home folder is backed up while it is written to; a restored one holds all that was acknowledged."""

import asyncio
import io
import sqlite3
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from memory.backup.backup import back_up
from memory.backup.restore import restore
from memory.backup.state import State, open_graph
from memory.database.database import open_database
from memory.embedding.embedder import HashingEmbedder
from memory.episodic.lance import LanceEpisodicMemory
from memory.errors import CorruptRecord, StoreUnavailable
from memory.file_locks import file_lock
from memory.ingest.writer import Contents, DocumentWriter, Place
from memory.records.access import EVERYTHING
from memory.semantic.embedded import running
from memory.server.audit import HEADS, AuditLog
from tests.support.documents import fact, passage

pytestmark = pytest.mark.services


def state(home: Path) -> State:
    return State(
        home=home,
        databases=(home / "nightschool.db", home / "shared" / "training.db"),
        lance={"episodic": str(home / "episodic"), "answers": str(home / "answers")},
        graph_url=None,
    )


@asynccontextmanager
async def service(home: Path) -> AsyncIterator[tuple[DocumentWriter, AuditLog]]:
    """The stores as the api holds them open."""
    async with running(home / "graph"), open_graph(home / "graph", None) as semantic:
        episodic = await LanceEpisodicMemory.open(home / "episodic", HashingEmbedder())
        database = await open_database(f"sqlite:///{home / 'nightschool.db'}")
        try:
            yield DocumentWriter(episodic, semantic), AuditLog(database, home / HEADS)
        finally:
            await database.aclose()


async def test_a_restored_backup_holds_all_that_was_acknowledged_before_it_began(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    (home / "outbox").mkdir(parents=True)
    (home / "outbox" / "lesson.json").write_text("{}")
    (home / "shared").mkdir()
    (home / "api.lock").write_text("")
    acknowledged: list[int] = []
    enough = asyncio.Event()
    async with service(home) as (writer, audit):

        async def write() -> None:
            for n in range(10_000):
                text = passage(f"Text {n}.", source=f"{n}.md")
                found = fact(f"thing {n}", "a thing", source=f"{n}.md", passage_id=text.id)
                await writer.store(Place(f"{n}.md", "rust", None), Contents((text,), (found,)))
                await audit.record("key.create", by="test", subject=str(n))
                acknowledged.append(n)
                if n == 5:
                    enough.set()

        writing = asyncio.create_task(write())
        await enough.wait()
        before = set(acknowledged)
        manifest = await back_up(state(home), tmp_path / "backup.tar.gz")
        assert not writing.done()
        writing.cancel()
        with pytest.raises(StoreUnavailable, match="stop it"):
            await restore(tmp_path / "backup.tar.gz", state(home))
    assert manifest.counts["facts"] > 5

    await restore(tmp_path / "backup.tar.gz", state(elsewhere))
    assert (elsewhere / "outbox" / "lesson.json").read_text() == "{}"
    assert not (elsewhere / "api.lock").exists()
    async with service(elsewhere) as (writer, audit):
        episodic = await LanceEpisodicMemory.open(elsewhere / "episodic", HashingEmbedder())
        stored = {each.source for each in await episodic.documents(access=EVERYTHING)}
        assert stored >= {f"{n}.md" for n in before}
        async with open_graph(elsewhere / "graph", None) as semantic:
            subjects = {f.subject for f in await semantic.about(["a thing"], limit=20_000, access=EVERYTHING)}
        assert subjects >= {f"thing {n}" for n in before}
        verified = await audit.verify()
        assert verified.problem is None
        assert verified.rows >= len(before)
        again = await writer.store(
            Place("0.md", "rust", None), Contents((passage("Text 0.", source="0.md"),), ())
        )
        assert again.unchanged == 1
        (hit, *_) = await episodic.search("text", by="text", limit=1, access=EVERYTHING)
        assert hit.passage.text.startswith("Text")


async def test_a_stopped_service_is_backed_up_into_a_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    async with service(home) as (writer, _):
        await writer.store(Place("a.md", "rust", None), Contents((passage("Text."),), (fact("a", "b"),)))
    manifest = await back_up(state(home), tmp_path / "backup")
    assert manifest.counts == {"episodic/passages": 1, "episodic/history": 0, "facts": 1}
    with pytest.raises(ValueError, match="not empty"):
        await restore(tmp_path / "backup", state(home))
    with pytest.raises(ValueError, match="exists"):
        await back_up(state(home), tmp_path / "backup")
    (tmp_path / "new" / "models").mkdir(parents=True)  # as set-up makes it
    assert (await restore(tmp_path / "backup", state(tmp_path / "new"))).counts == manifest.counts
    assert (tmp_path / "new" / "models").is_dir()
    with closing(sqlite3.connect(tmp_path / "new" / "nightschool.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def _archive(path: Path, member: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(member, io.BytesIO(b"x" * member.size))
    return path


async def test_an_archive_that_would_write_elsewhere_is_refused(tmp_path: Path) -> None:
    outside = tarfile.TarInfo("../outside")
    outside.size = 1
    absolute = tarfile.TarInfo("/tmp/outside")
    absolute.size = 1
    link = tarfile.TarInfo("home/link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    for member in (outside, absolute, link):
        archive = _archive(tmp_path / "bad.tar.gz", member)
        with pytest.raises(CorruptRecord):
            await restore(archive, state(tmp_path / "home"))
    assert {each.name for each in _entries(tmp_path)} == {"bad.tar.gz"}


async def test_half_an_archive_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    whole = tarfile.TarInfo("home/a")
    whole.size = 100_000
    archive = _archive(tmp_path / "half.tar.gz", whole)
    data = archive.read_bytes()
    for part in (data[: len(data) // 2], b"nonsense"):
        archive.write_bytes(part)
        with pytest.raises(CorruptRecord, match="no complete"):
            await restore(archive, state(tmp_path / "home"))
    assert {each.name for each in _entries(tmp_path)} == {"half.tar.gz"}


async def test_a_running_service_is_not_restored_over(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    with (
        file_lock(tmp_path / "home" / "api.lock"),
        pytest.raises(StoreUnavailable, match="stop it first"),
    ):
        await restore(tmp_path, state(tmp_path / "home"))


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir())
