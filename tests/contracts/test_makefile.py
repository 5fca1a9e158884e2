"""What the Makefile's commands leave and take."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.contracts.test_imports import ROOT


def test_clean_takes_the_state_and_leaves_the_models(tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "Makefile", tmp_path / "Makefile")
    for name in ("models/small", "demo", "logs"):
        (tmp_path / ".nightschool" / name).mkdir(parents=True)
    (tmp_path / ".nightschool" / "nightschool.db").write_text("")
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True)
    assert [path.name for path in (tmp_path / ".nightschool").iterdir()] == ["models"]
    assert (tmp_path / ".nightschool" / "models" / "small").is_dir()
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True)


def test_clean_without_any_state_is_fine(tmp_path: Path) -> None:
    assert clean(tmp_path).returncode == 0


def test_clean_fails_where_the_state_cannot_be_deleted(tmp_path: Path) -> None:
    (tmp_path / ".nightschool" / "logs").mkdir(parents=True)
    programs = tmp_path / "programs"
    programs.mkdir()
    stubborn = programs / "rm"
    stubborn.write_text(
        '#!/bin/sh\ncase "$*" in *logs*) echo "cannot remove logs" >&2; exit 1;; esac\nexec /bin/rm "$@"\n'
    )
    stubborn.chmod(0o755)
    said = clean(tmp_path, PATH=f"{programs}:{os.environ['PATH']}")
    assert said.returncode != 0
    assert "cannot remove logs" in said.stderr


def clean(folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Runs `make clean` in a folder."""
    shutil.copyfile(ROOT / "Makefile", folder / "Makefile")
    return subprocess.run(
        ["make", "clean"],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
