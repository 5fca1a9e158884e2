"""`make gpu-check`, with a GPU and without one."""

import json
import subprocess
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest

from benchmarks.gpu import __main__ as gpu_check
from benchmarks.gpu.__main__ import NotRun, Report, adapters_of, figures_of, main, result_of
from benchmarks.gpu.serve import ServingResult
from benchmarks.gpu.train import Backend, TrainingRun
from tests.contracts.test_imports import ROOT

NEVER = float("inf")


def run(backend: Backend, *losses: float, step: float = 0.1) -> TrainingRun:
    """A run whose first steps were slow."""
    steps = len(losses) - 1
    return TrainingRun(
        backend=backend,
        device="a GPU",
        losses=losses,
        step_seconds=(9.0,) * (steps // 4) + (step,) * (steps - steps // 4),
        seconds=20.0,
        tokens=100 * len(losses),
        peak_gb=1.5,
    )


def report() -> Report:
    """PEFT and Unsloth side by side, Unsloth twice as fast, and vLLM over two of the adapters."""
    return Report(
        runs={
            ("base", "lamps", "peft"): run("peft", 9.0, 3.0, 2.0, 1.0, 0.5),
            ("base", "lamps", "unsloth"): run("unsloth", 9.02, 3.0, 2.0, 1.0, 0.4, step=0.05),
            ("base", "rivers", "unsloth"): run("unsloth", 9.0, 1.0, 1.0, 1.0, 0.3),
            ("tiny", "lamps", "peft"): run("peft", 8.0, 2.0, 2.0, 1.0, 0.5),
        },
        served={
            "vLLM": ServingResult(
                own=0.9, other=0.0, start_seconds=30, base_rate=2000.0, adapters_rate=1800.0
            )
        },
    )


@pytest.mark.services
def test_a_dry_run_needs_no_gpu_and_measures_nothing_that_does(tmp_path: Path) -> None:
    main(["--dry-run", "--out", str(tmp_path)])
    page = (tmp_path / "gpu.md").read_text()
    assert "| tiny | lamps | peft |" in page
    assert "| training, tiny model, lamps, unsloth | **not run**: a dry run has no GPU |" in page
    result = json.loads((tmp_path / "gpu.json").read_text())
    assert result["figures"] == {}
    assert not any(goal["met"] for goal in result["goals"].values())


def test_without_a_gpu_it_ends_with_one_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_check, "gpu", lambda: None)
    with pytest.raises(SystemExit, match="no NVIDIA GPU"):
        main([])


def test_backends_are_compared_where_both_ran() -> None:
    figures = figures_of(report())
    assert figures["loss apart, first step"] == pytest.approx(0.02)
    assert figures["loss apart, last tenth"] == pytest.approx(0.1)
    assert figures["speed, Unsloth over PEFT"] == pytest.approx(2.0)


def test_what_was_not_measured_has_no_figure() -> None:
    alone = Report(runs={("tiny", "lamps", "peft"): run("peft", 8.0, 2.0, 1.0)})
    assert figures_of(alone) == {}


def test_slow_first_steps_do_not_count_as_speed() -> None:
    assert run("peft", *[1.0] * 9).tokens_per_second == pytest.approx(1000.0)


def test_a_check_that_breaks_off_or_lacks_something_leaves_the_others_alone() -> None:
    done: list[str] = []

    def breaks() -> None:
        raise RuntimeError("out | of memory")

    def lacks() -> None:
        raise NotRun("no base")

    checked = Report()
    for name, check in (("a", breaks), ("b", lacks), ("c", lambda: done.append("c"))):
        checked.check(name, check, until=NEVER)
    checked.check("d", lambda: done.append("d"), until=0.0)
    assert done == ["c"]
    assert checked.failed
    outcomes = dict(checked.outcomes)
    assert outcomes["a"] == "**failed**: RuntimeError: out / of memory"
    assert outcomes["b"] == "**not run**: no base"
    assert "time limit" in outcomes["d"]


def test_unsloths_adapters_are_served_where_it_made_them(tmp_path: Path) -> None:
    assert adapters_of(report().runs, tmp_path) == {
        "lamps": tmp_path / "base-lamps-unsloth",
        "rivers": tmp_path / "base-rivers-unsloth",
    }
    with pytest.raises(NotRun, match="two trained adapters"):
        adapters_of({}, tmp_path)


def test_the_page_has_a_row_for_each_run_and_engine() -> None:
    result = result_of(report(), 100.0, dry=False)
    assert [len(table.rows) for table in result.tables[1:3]] == [4, 1]
    assert result.figures["vLLM: tokens a second, two adapters"] == 1800.0


def pieces(folder: Path) -> Path:
    """What `make gpu-pack` makes, in small: a package in one piece and a base model in two."""
    for part, name, count in (("packages.tar.xz", "package.py", 1), ("base.tar", "model.gguf", 2)):
        (folder / name).write_text(name * 20)
        with tarfile.open(folder / part, "w:xz" if part.endswith("xz") else "w") as archive:
            archive.add(folder / name, arcname=name)
        whole = (folder / part).read_bytes()
        cut = len(whole) // count + 1
        sums = []
        for number in range(count):
            piece = whole[number * cut : (number + 1) * cut]
            place = folder / str(number + 1)
            place.mkdir(exist_ok=True)
            (place / f"{part}.0{number}").write_bytes(piece)
            sums.append(f"{sha256(piece).hexdigest()}  {part}.0{number}\n")
        (folder / "1" / f"{part.partition('.')[0]}.sha256").write_text("".join(sums))
        (folder / part).unlink()
    return folder


def pack_command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [str(ROOT / "requirements" / "gpu_pack.sh"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_whole_pieces_are_unpacked(tmp_path: Path) -> None:
    folder = pieces(tmp_path)
    assert pack_command("check", str(folder)).returncode == 0
    assert pack_command("unpack", str(folder)).returncode == 0
    assert {path.name for path in (folder / "site").iterdir()} == {"package.py", "model.gguf"}


def test_a_damaged_piece_is_named(tmp_path: Path) -> None:
    folder = pieces(tmp_path)
    (folder / "1" / "packages.tar.xz.00").write_bytes(b"something else")
    completed = pack_command("unpack", str(folder))
    assert completed.returncode != 0
    assert "packages.tar are missing or damaged" in completed.stderr


def test_without_the_whole_base_the_packages_are_still_unpacked(tmp_path: Path) -> None:
    folder = pieces(tmp_path)
    (folder / "2" / "base.tar.01").unlink()
    completed = pack_command("unpack", str(folder))
    assert completed.returncode == 0
    assert "only the tiny model" in completed.stdout
    assert [path.name for path in (folder / "site").iterdir()] == ["package.py"]
