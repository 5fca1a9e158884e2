"""The cost of sources, teaching and growing, by hand on round figures."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import cost
from memory.results import FOLDER

ROUND = cost.Coefficients(
    passages_read=10.0,
    teach_seconds=60.0,
    grow_seconds=120.0,
    small_tokens=100.0,
    large_tokens=50.0,
    sources_right=0.9,
    one_taught=0.3,
    one_before=0.0,
    taught_right=0.4,
    ten_before=0.0,
    ten_reading_before=0.5,
    ten_reading=0.8,
    moved=0.0,
    lessons=1.0,
    kept_right=0.2,
    grown_right=0.1,
)


def test_growing_takes_what_both_bases_take() -> None:
    assert cost.minutes(10, ROUND) == pytest.approx(
        {"sources": 10 / 10 / 60, "teach": 10.0, "grow": 30.0, "start large": 20.0}
    )


def test_growing_has_paid_when_the_cheaper_answers_have_saved_the_lessons_of_the_small_base() -> None:
    # 100 tokens take 1 s on the small base and 2 s on the large one; ten lessons took 600 s.
    assert cost.turns_to_pay(10, ROUND, tokens=100) == pytest.approx(600)


@pytest.mark.parametrize(("taught", "said"), [(0.4, "answer fewer"), (0.95, "lessons of 10 passages answer")])
def test_the_page_says_what_was_measured_of_learning_against_sources(taught: float, said: str) -> None:
    page = cost.page(replace(ROUND, taught_right=taught), 30.0, 0.0)
    assert said in " ".join(table.text for table in page.tables)


def test_energy_is_seconds_times_watts() -> None:
    assert cost.kilowatt_hours(3600, 1000) == pytest.approx(1)


def test_the_page_is_made_of_the_results_in_the_repository(tmp_path: Path) -> None:
    for name in {result for result, _ in cost.SOURCES.values()}:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.json").write_bytes((FOLDER / f"{name}.json").read_bytes())
    assert cost.main(["--results", str(tmp_path), "--watts", "60"]) == 0
    figures = json.loads((tmp_path / "cost.json").read_text())["figures"]
    assert figures["Wh to teach a passage"] == pytest.approx(
        cost.read_coefficients(FOLDER).teach_seconds * 60 / 3600, rel=1e-3
    )
    assert (tmp_path / "cost.svg").stat().st_size > 1000


def test_a_missing_result_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cost.main(["--results", str(tmp_path)]) == 1
    assert "run the benchmark that measures it first" in capsys.readouterr().err
