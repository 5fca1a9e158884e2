"""CalibrationStore outlive the process that made them, one for each gate that was refitted."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from memory.adapters.calibrations import (
    Calibration,
    CalibrationStore,
    FolderCalibrationStore,
    VolatileCalibrationStore,
)
from tests.support.cards import DIGEST, gate

MADE = Calibration(
    domain="general",
    adapter=None,
    base=DIGEST,
    replaces="12" * 32,
    gate=gate(),
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)
OF_AN_ADAPTER = MADE.model_copy(update={"domain": "rust", "adapter": "rust-v1-0123abcd"})


@pytest.fixture(params=["folder", "volatile"])
def reopened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], CalibrationStore]:
    """Opens the same calibrations, again and again."""
    kept = VolatileCalibrationStore()
    return (lambda: FolderCalibrationStore(tmp_path / "c")) if request.param == "folder" else (lambda: kept)


def test_the_latest_of_each_is_read_again(reopened: Callable[[], CalibrationStore]) -> None:
    assert reopened().list() == ()
    later = MADE.model_copy(update={"gate": gate(2.0)})
    for each in (MADE, OF_AN_ADAPTER, later):
        reopened().save(each)
    assert reopened().list() == (later, OF_AN_ADAPTER)


@pytest.mark.parametrize("other", [{"base": "cd" * 32}, {"base": None}, {"replaces": "34" * 32}])
def test_the_calibration_of_another_base_model_or_gate_is_kept_beside_it(
    reopened: Callable[[], CalibrationStore], other: dict[str, object]
) -> None:
    second = MADE.model_copy(update=other)
    for each in (MADE, second):
        reopened().save(each)
    assert sorted(reopened().list(), key=str) == sorted((MADE, second), key=str)


def test_a_file_is_named_after_what_it_calibrates(tmp_path: Path) -> None:
    FolderCalibrationStore(tmp_path).save(MADE)
    assert [path.name for path in tmp_path.iterdir()] == [f"general.{DIGEST[:12]}.{'12' * 6}.json"]


def test_a_damaged_file_is_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    FolderCalibrationStore(tmp_path).save(MADE)
    (tmp_path / "rust.json").write_text("{")
    assert FolderCalibrationStore(tmp_path).list() == (MADE,)
    assert "rust.json" in caplog.text
