"""What the Makefile's commands leave and take."""

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
