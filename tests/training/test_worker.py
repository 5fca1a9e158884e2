"""The worker's edges: what it reports, whom it lets in, and what it refuses."""

from pathlib import Path

import pytest

from memory import outbox
from memory.outbox import Progress
from training.errors import WorkerBusy
from training.recipes import quick, standard
from training.worker import Reporter, main, sole_worker

DIGEST = "0" * 64


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_progress_is_written_at_most_twice_a_second_but_never_misses_a_phase(tmp_path: Path) -> None:
    clock, said = Clock(), list[str]()
    report = Reporter(tmp_path, said.append, clock)
    for step, (now, phase) in enumerate([(0.0, "training"), (0.1, "training"), (0.2, "measuring")]):
        clock.now = now
        report(DIGEST, Progress.model_validate({"phase": phase, "done": step, "total": 9}))
        if step == 1:
            assert Progress.model_validate_json(outbox.progress_path(tmp_path, DIGEST).read_bytes()).done == 0
    assert Progress.model_validate_json(outbox.progress_path(tmp_path, DIGEST).read_bytes()).done == 2
    assert said == ["00000000: training 0/9", "00000000: measuring 2/9"]


def test_only_one_worker_holds_a_home_folder_and_leaving_frees_it(tmp_path: Path) -> None:
    with (
        sole_worker(tmp_path / "lock"),
        pytest.raises(WorkerBusy, match="stop it first"),
        sole_worker(tmp_path / "lock"),
    ):
        pass
    with sole_worker(tmp_path / "lock"):
        pass


def test_a_bad_setting_ends_the_worker_with_exit_code_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NIGHTSCHOOL_ENTROPY_THRESHOLD", "-1")
    assert main(["--home", str(tmp_path)]) == 2
    assert "NIGHTSCHOOL_ENTROPY_THRESHOLD" in capsys.readouterr().err


def test_recipes_fit_into_what_engines_serve() -> None:
    assert all(recipe.rank <= 64 for recipe in (standard(), quick()))
    assert standard().name != quick().name
