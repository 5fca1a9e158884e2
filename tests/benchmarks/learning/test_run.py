"""The jobs of the learning benchmark, their time estimate, and resuming."""

from pathlib import Path

import pytest

from benchmarks.learning import __main__ as learning
from benchmarks.learning.__main__ import TimeEstimate, jobs_of, main
from benchmarks.learning.parts import ABLATION, DEFAULT, SMOKE, trials
from benchmarks.learning.records import MeasurementLog
from benchmarks.learning.variants import VARIANTS
from tests.support.learning_measurements import measurement


def test_a_part_is_one_lesson_or_one_for_each_passage(data: Path) -> None:
    assert len(jobs_of(trials(["squad-1"], [0]), data)) == 20
    ((trial, text),) = jobs_of(trials(["squad-10:without-replay"], [0]), data)
    assert text is not None
    assert (trial.variant, len(text.passages)) == ("without-replay", 10)


def test_only_seeded_parts_are_measured_for_each_seed_and_the_product_comes_first() -> None:
    listed = trials(["squad-5:null-adapter", "squad-5", "manual-httpx"], [0, 1, 2])
    assert [(trial.part.name, trial.variant, trial.seed) for trial in listed] == [
        *(("squad-5", "product", seed) for seed in (0, 1, 2)),
        ("manual-httpx", "product", 0),
        *(("squad-5", "null-adapter", seed) for seed in (0, 1, 2)),
    ]


def test_every_part_and_variant_that_runs_by_default_exists() -> None:
    assert {trial.variant for trial in trials([*DEFAULT, *ABLATION, *SMOKE], [0])} == set(VARIANTS)


def test_the_default_run_is_planned_for_less_than_two_hours(data: Path) -> None:
    texts = {"squad-1": 20, "sequence-10": 10, "reading": 1}
    seconds = sum(trial.seconds * texts.get(trial.part.name, 1) for trial in trials(DEFAULT, [0]))
    assert seconds < 2 * 3600


@pytest.mark.parametrize(
    "arguments", [["--parts", "squad-1:nonsense"], ["--parts", "squad-many"], ["--parts", "manual-nonsense"]]
)
def test_a_part_that_there_is_not_ends_with_2(
    data: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--data", str(data), *arguments])
    assert ended.value.code == 2
    assert "name one of" in (error := capsys.readouterr().err) or "--data is the folder" in error


class FakeBench:
    """Measures at once, and notes its arguments."""

    def __init__(self) -> None:
        self.taught: list[tuple[str, str | None, str | None]] = []

    def measure(self, trial, text, *, product=None, previous=None):  # type: ignore[no-untyped-def]
        self.taught.append(
            (text.name, product.text if product else None, previous.text if previous else None)
        )
        return measurement(trial.part.name, text=text.name, variant=trial.variant)


def test_a_run_goes_on_where_it_was_broken_off(data: Path, tmp_path: Path) -> None:
    jobs = jobs_of(trials(["sequence-3", "squad-5", "squad-5:null-adapter"], [0]), data)
    log = MeasurementLog(tmp_path / "measured.jsonl")
    log.add(measurement("sequence-3", text="sequence-3-01"))
    bench = FakeBench()
    learning.run(jobs, log, bench, data)  # type: ignore[arg-type]  # all that it uses of a bench
    assert bench.taught == [
        ("sequence-3-02", None, "sequence-3-01"),
        ("sequence-3-03", None, "sequence-3-02"),
        ("squad-5", None, None),
        ("squad-5", "squad-5", None),
    ]
    again = FakeBench()
    learning.run(jobs, MeasurementLog(tmp_path / "measured.jsonl"), again, data)  # type: ignore[arg-type]
    assert again.taught == []


def test_the_time_left_goes_by_the_pace_so_far(data: Path) -> None:
    jobs = jobs_of(trials(["squad-5", "squad-5:rank-8"], [0]), data)
    estimate = TimeEstimate(jobs)
    first, second = (trial.seconds for trial, _ in jobs)
    assert str(estimate) == f"about {(first + second) / 60:.0f} minutes left"
    estimate.add(jobs[0][0], 3 * first)
    left = int(str(estimate).split()[1])
    assert second < 60 * left + 30
    assert 60 * left - 30 < 3 * second
