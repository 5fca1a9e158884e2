"""The plan: arithmetic over measured figures; what was not measured is not guessed."""

import json
from pathlib import Path

import pytest

from agent.growth import plan
from agent.growth.plan import SOURCES, Option, growth_plan, known_coefficients, read_coefficients

FIGURES = {
    "sources_right": 0.5,
    "passages_read": 2.0,
    "teach_seconds": 60.0,
    "taught_right": 0.8,
    "taught_many_right": 0.3,
    "grow_seconds": 120.0,
    "moved": 2.0,
    "grown_right": 0.9,
    "kept_right": 0.8,
}


def results(folder: Path, **figures: float | None) -> Path:
    """A folder of results in which the figures stand where the plan looks for them; None leaves one out."""
    files: dict[str, dict[str, float]] = {}
    for name, value in {**FIGURES, **figures}.items():
        if value is not None:
            files.setdefault(SOURCES[name].result, {})[SOURCES[name].figure] = value
    for file, held in files.items():
        (folder / f"{file}.json").write_text(json.dumps({"figures": held}))
    return folder


def options(folder: Path, questions: int, budget: float) -> dict[str, Option]:
    made = growth_plan(questions, budget, read_coefficients(folder))
    return {option.way: option for option in made.options}


def test_each_way_is_reckoned_from_its_figures(tmp_path: Path) -> None:
    found = options(results(tmp_path), 6, 5)
    assert (found["sources"].minutes, found["teach"].minutes, found["grow"].minutes) == (0.05, 6.0, 12.0)
    assert [found[way].fits for way in ("sources", "teach", "grow")] == [True, False, False]


@pytest.mark.parametrize(("budget", "choice"), [(5, "sources"), (6, "teach"), (12, "grow"), (0.01, None)])
def test_the_choice_is_what_answers_most_within_the_budget(
    tmp_path: Path, budget: float, choice: str | None
) -> None:
    assert growth_plan(6, budget, read_coefficients(results(tmp_path))).choice == choice


def test_more_than_one_lesson_is_reckoned_with_what_a_large_lesson_holds(tmp_path: Path) -> None:
    assert options(results(tmp_path), 10, 1000)["teach"].right == 0.8
    assert options(results(tmp_path), 11, 1000)["teach"].right == 0.3


def test_a_missing_figure_names_its_file_and_the_command_that_measures_it(tmp_path: Path) -> None:
    made = growth_plan(6, 100, read_coefficients(results(tmp_path, grow_seconds=None, grown_right=None)))
    grow = made.options[-1]
    assert (grow.minutes, grow.right, grow.fits) == (None, None, None)
    assert grow.missing == ("make bench-grow DATA=../shared/data",)
    assert "grow.json" in grow.why
    assert made.choice == "teach"
    assert "grow cannot be judged yet" in made.because


def test_a_base_that_its_gates_kept_from_learning_is_no_choice(tmp_path: Path) -> None:
    made = growth_plan(6, 100, read_coefficients(results(tmp_path, moved=0.0)))
    grow = made.options[-1]
    assert (grow.minutes, grow.right, grow.fits) == (12.0, None, None)
    assert "rejected all of the lessons" in grow.why
    assert made.choice == "teach"


def test_what_a_large_lesson_holds_may_be_unknown_though_its_time_is_known(tmp_path: Path) -> None:
    teach = options(results(tmp_path, taught_many_right=None), 20, 100)["teach"]
    assert (teach.minutes, teach.fits, teach.right) == (20.0, True, None)
    assert "PARTS=squad-50" in teach.why


def test_every_figure_names_its_file(tmp_path: Path) -> None:
    folder = tmp_path / "docs" / "results"
    folder.mkdir(parents=True)
    read = {each.name: each for each in read_coefficients(results(folder))}
    assert {name: each.value for name, each in read.items()} == FIGURES
    assert read["teach_seconds"].file == "docs/results/learning.json"


def test_a_damaged_result_and_an_empty_plan_are_mistakes(tmp_path: Path) -> None:
    (tmp_path / "answers.json").write_text("{")
    with pytest.raises(ValueError, match="run its command again"):
        read_coefficients(tmp_path)
    with pytest.raises(ValueError, match="at least one question"):
        growth_plan(0, 10, ())


def test_the_figures_that_are_in_the_repository_are_found() -> None:
    """Except those of benchmarks that have not run yet."""
    missing = {each.name for each in known_coefficients() if each.value is None}
    assert missing <= {"taught_many_right"}


def test_an_installed_package_reckons_with_the_figures_that_ship(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloned = known_coefficients()
    monkeypatch.setattr(plan, "RESULTS", tmp_path / "absent")
    assert known_coefficients() == cloned, "run `make docs`"
