"""A backup is restored only if every file is what was written."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from memory.backup.manifest import FILE, Manifest, checked, write
from memory.errors import CorruptRecord


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    folder = tmp_path / "backup"
    (folder / "home").mkdir(parents=True)
    (folder / "home" / "a").write_text("a")
    (folder / "facts.jsonl").write_text("")
    write(folder, Manifest(created_at=datetime.now(UTC), files={}))
    return folder


def test_a_backup_as_it_was_written_is_accepted(backup: Path) -> None:
    assert sorted(checked(backup).files) == ["facts.jsonl", "home/a"]


def _edit(change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        manifest = json.loads((folder / FILE).read_text())
        change(manifest)
        (folder / FILE).write_text(json.dumps(manifest))

    return apply


@pytest.mark.parametrize(
    ("tamper", "problem"),
    [
        (lambda folder: (folder / "home" / "a").write_text("b"), "altered"),
        (lambda folder: (folder / "home" / "a").unlink(), "missing"),
        (lambda folder: (folder / "home" / "b").write_text(""), "not in"),
        (lambda folder: (folder / "link").symlink_to("/etc/passwd"), "link"),
        (lambda folder: (folder / FILE).unlink(), "no complete backup"),
        (lambda folder: (folder / FILE).write_text("{"), "cannot be read"),
        (_edit(lambda manifest: manifest.update(format=2)), "version"),
        (_edit(lambda manifest: manifest.update(files={"../a": "0" * 64})), "outside"),
        (_edit(lambda manifest: manifest.update(files={"/etc/passwd": "0" * 64})), "outside"),
    ],
)
def test_a_backup_that_was_changed_is_refused(
    backup: Path, tamper: Callable[[Path], object], problem: str
) -> None:
    tamper(backup)
    with pytest.raises(CorruptRecord, match=problem):
        checked(backup)
