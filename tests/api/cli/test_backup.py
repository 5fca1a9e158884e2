"""`nightschool memory backup|restore` on home folders, without a running service."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from memory.embedding.embedder import HashingEmbedder
from memory.episodic.lance import LanceEpisodicMemory
from tests.support.commands import run
from tests.support.documents import passage

pytestmark = pytest.mark.services


def memory(command: str, file: Path, home: Path) -> "subprocess.CompletedProcess[str]":
    return run("memory", command, str(file), NIGHTSCHOOL_HOME=str(home))


async def library(home: Path) -> LanceEpisodicMemory:
    return await LanceEpisodicMemory.open(home / "episodic", HashingEmbedder())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with one passage and one curriculum."""
    folder = tmp_path / "home"
    (folder / "outbox").mkdir(parents=True)
    (folder / "outbox" / "lesson.json").write_text("{}")
    asyncio.run(_fill(folder))
    return folder


async def _fill(home: Path) -> None:
    await (await library(home)).add([passage("A levain is sourdough.")])


@pytest.mark.parametrize("name", ["backup", "backup.tar.gz"])
def test_a_backup_is_restored_into_an_empty_home(home: Path, tmp_path: Path, name: str) -> None:
    made = memory("backup", tmp_path / name, home)
    assert (made.returncode, made.stderr) == (0, "")
    assert "1 episodic/passages" in made.stdout
    new = tmp_path / "new"
    restored = memory("restore", tmp_path / name, new)
    assert (restored.returncode, restored.stderr) == (0, "")
    assert str(new) in restored.stdout
    assert (new / "outbox" / "lesson.json").read_text() == "{}"
    assert asyncio.run(_texts(new)) == ["A levain is sourdough."]


async def _texts(home: Path) -> list[str]:
    return [each.text for each in await (await library(home)).passages("a.md", domain="rust")]


def test_what_cannot_be_done_says_why_and_changes_nothing(home: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    assert memory("backup", backup, home).returncode == 0
    taken = memory("backup", backup, home)
    assert (taken.returncode, "exists" in taken.stderr) == (2, True)
    full = memory("restore", backup, home)
    assert (full.returncode, "not empty" in full.stderr) == (2, True)
    absent = memory("restore", tmp_path / "nothing", tmp_path / "new")
    assert absent.returncode != 0
    assert "nothing" in absent.stderr
    assert not (tmp_path / "new" / "outbox").exists()
    assert asyncio.run(_texts(home)) == ["A levain is sourdough."]


def test_what_other_servers_hold_and_a_backup_leaves_out_is_named(home: Path, tmp_path: Path) -> None:
    servers = {
        "NIGHTSCHOOL_DATABASE_URL": "postgresql://postgres.example/nightschool",
        "NIGHTSCHOOL_REGISTRY_URL": "postgresql://postgres.example/registry",
        "NIGHTSCHOOL_ADAPTERS_URL": "s3://bucket/adapters",
    }
    made = run("memory", "backup", str(tmp_path / "backup"), NIGHTSCHOOL_HOME=str(home), **servers)
    assert (made.returncode, made.stderr) == (0, "")
    left_out = [line for line in made.stdout.splitlines() if line.startswith("Not in it: ")]
    for what, how in (("PostgreSQL", "pg_dump"), ("REGISTRY_URL", "pg_dump"), ("ADAPTERS_URL", "copy")):
        assert [line for line in left_out if what in line and how in line], left_out
