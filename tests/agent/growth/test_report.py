"""The report: every lesson with its reason, every figure, and one sentence that says whether it paid."""

import json
from pathlib import Path

from agent.growth.report import page, verdict, write_report
from agent.growth.transfer import grow
from tests.support.growth import FIRST, SECOND, growing, knows
from tests.support.trainers import REJECTED


async def test_the_page_lists_figures_failures_and_the_verdict(tmp_path: Path) -> None:
    made = growing(tmp_path, FIRST, SECOND, on_small=knows(), ends={2: REJECTED})
    report = await grow(made.growing)
    text = page(report)
    assert verdict(report) in text
    assert "1 of 2 lessons moved" in verdict(report)
    assert verdict(report).startswith("It paid: net gain +")
    assert f"{SECOND.digest[:12]} lamps: rejected: target accuracy" in text
    assert "small, before and after" in text


async def test_both_files_hold_the_same_report(tmp_path: Path) -> None:
    report = await grow(growing(tmp_path, FIRST).growing)
    path = write_report(report, tmp_path / "small-to-large")
    assert path.read_text() == page(report)
    document = json.loads(path.with_suffix(".json").read_text())
    assert document["domains"][0]["lessons"][0]["digest"] == FIRST.digest
    assert document["gain"]["questions"] == len(FIRST.held_out)


async def test_a_report_without_a_measurement_says_so(tmp_path: Path) -> None:
    mute = FIRST.model_copy(update={"held_out": ()})
    report = await grow(growing(tmp_path, mute, on_large=knows(FIRST)).growing)
    assert verdict(report) == "Nothing was measured: 1 of 1 lessons moved."
    assert "no lesson has a held-out wording" in page(report)
