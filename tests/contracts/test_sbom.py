"""The bill of materials names every locked package with its hashes, and its licence where it is known."""

import importlib.util
import json
import re
from functools import lru_cache
from typing import Any

import pytest

from tests.contracts.test_imports import ROOT
from tests.contracts.test_locks import packages


@lru_cache(maxsize=2)
def document(kind: str) -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("sbom", ROOT / "requirements" / "sbom.py")
    assert spec is not None
    assert spec.loader is not None
    sbom = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sbom)
    written: dict[str, Any] = json.loads(sbom.bill_of_materials(kind))
    return written


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "locks"), [("cpu", ("cpu", "torch-cpu")), ("gpu", ("gpu",))])
def test_every_locked_package_is_in_it_with_its_hashes(kind: str, locks: tuple[str, ...]) -> None:
    entries = [entry for lock in locks for entry in packages(ROOT / "requirements" / f"{lock}.txt")]
    expected = {entry.split()[0]: set(re.findall(r"sha256:(\w+)", entry)) for entry in entries}
    listed = {
        f"{each['name']}=={each['version']}": {hash["content"] for hash in each["hashes"]}
        for each in document(kind)["components"]
    }
    assert listed == expected


@pytest.mark.slow
def test_it_is_of_a_version_that_others_read_and_knows_most_licences() -> None:
    written = document("cpu")
    assert (written["bomFormat"], written["specVersion"]) == ("CycloneDX", "1.6")
    licensed = [each for each in written["components"] if each.get("licenses")]
    assert len(licensed) > 0.9 * len(written["components"])
    (ruff,) = (each for each in written["components"] if each["name"] == "ruff")
    assert ruff["licenses"] == [{"license": {"id": "MIT"}}]
