"""The shipped catalogue is whole, and a damaged one says so."""

from pathlib import Path

import pytest

from agent.errors import UnknownModel
from agent.models.catalogue import CATALOGUE, TEMPLATES, read_catalogue, shipped_catalogue
from tests.contracts.test_imports import ROOT, sources


def test_every_package_is_pinned_and_every_template_there() -> None:
    for entry in shipped_catalogue().models.values():
        assert all("==" in package for package in entry.packages)
        assert entry.template is None or (TEMPLATES / entry.template).is_file()
        assert entry.end_of_text in entry.stops


def test_the_default_models_packages_are_in_the_locks() -> None:
    catalogue = shipped_catalogue()
    for lock in ("cpu", "gpu"):
        lock_text = (ROOT / "requirements" / f"{lock}.txt").read_text()
        pinned = {line.removesuffix(" \\") for line in lock_text.splitlines()}
        assert set(catalogue.entry(catalogue.default).packages) <= pinned


def test_no_code_knows_a_model_of_the_catalogue() -> None:
    names = shipped_catalogue().models
    knowing = [
        str(path.relative_to(ROOT))
        for path in sources("agent", "api", "graphs", "memory")
        if any(name in path.read_text() for name in names)
    ]
    assert knowing == []


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownModel, match=shipped_catalogue().default):
        shipped_catalogue().entry("nothing")


@pytest.mark.parametrize(("old", "new"), [('default = "', 'default = "x'), ("sha256", "sha255")])
def test_a_damaged_catalogue_is_named(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "catalogue.toml"
    path.write_text(CATALOGUE.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=str(path)):
        read_catalogue(path)
