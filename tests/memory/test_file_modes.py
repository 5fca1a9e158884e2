"""What the product writes is for its user alone, whatever the umask of the shell."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from memory.file_modes import keep_private, make_home
from memory.outbox.files import write_atomically

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_an_entry_point_shuts_out_group_and_others(tmp_path: Path) -> None:
    keep_private()
    write_atomically(tmp_path / "state" / "record.json", "{}")
    assert (mode(tmp_path / "state"), mode(tmp_path / "state" / "record.json")) == (0o700, 0o600)


def test_a_umask_that_shuts_out_others_already_is_kept(tmp_path: Path) -> None:
    os.umask(0o027)
    keep_private()
    write_atomically(tmp_path / "record.json", "{}")
    assert mode(tmp_path / "record.json") == 0o640


def test_an_open_home_folder_is_closed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    make_home(home)
    assert mode(home) == 0o700
    make_home(tmp_path / "new")
    assert mode(tmp_path / "new") == 0o700


@pytest.mark.slow
def test_a_command_leaves_nothing_that_others_can_read(tmp_path: Path) -> None:
    home = tmp_path / "home"
    command = [sys.executable, "-m", "api.cli.main", "keys", "create", "--owner", "ada", "--scope", "chat"]
    environment = os.environ | {"NIGHTSCHOOL_HOME": str(home)}
    subprocess.run(command, env=environment, cwd=ROOT, umask=0o022, check=True, capture_output=True)
    assert (home / "nightschool.db").exists()
    assert [str(path) for path in (home, *home.rglob("*")) if path.stat().st_mode & 0o077] == []
