"""The locks name one version and the hashes of every package, and come from one index each."""

import re
from pathlib import Path

import pytest

from tests.contracts.test_imports import ROOT

LOCKS = sorted(path for path in (ROOT / "requirements").glob("*.txt") if path.name != "gpu-pack.txt")


def packages(lock: Path) -> list[str]:
    """A lock's entries, each on one line."""
    text = lock.read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_there_are_locks_for_both_kinds_of_machine() -> None:
    assert [path.stem for path in LOCKS] == ["cpu", "gpu", "torch-cpu"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_package_has_a_version_and_a_hash(lock: Path) -> None:
    entries = packages(lock)
    assert entries
    assert [e for e in entries if not re.match(r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", e)] == []


def test_torch_for_a_processor_has_a_lock_of_its_own() -> None:
    cpu, _, torch = LOCKS
    assert not [entry for entry in packages(cpu) if entry.startswith("torch==")]
    assert [entry.partition(" ")[0].endswith("+cpu") for entry in packages(torch)] == [True]


@pytest.mark.parametrize("script", ["install.sh", "lock.sh"])
def test_no_package_is_chosen_between_indexes(script: str) -> None:
    text = (ROOT / "requirements" / script).read_text()
    assert "--index-strategy" not in text
    assert "--extra-index-url" not in text
