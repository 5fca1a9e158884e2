"""The parts run through on tiny data with a scripted engine, and go on where they were broken off."""

from pathlib import Path

import pytest

from benchmarks.night import fortnight, locomo, revision, scorer
from benchmarks.night.__main__ import main, run_part
from benchmarks.night.results import PARTS
from benchmarks.parts import keep, kept
from tests.support.night_bench import night_bench, write_night_data


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_night_data(tmp_path / "data")


async def test_the_scorer_is_measured_on_right_and_wrong_answers(tmp_path: Path, data: Path) -> None:
    bench = night_bench(tmp_path / "home", data)
    result = await run_part(bench, "scorer", "make bench-night")
    assert result.figures["scorer, AUROC"] > 0.5
    assert "scorer, largest style shift, points" in result.figures
    keep(tmp_path, result)
    assert kept(tmp_path, PARTS)["scorer"] == result


async def test_low_answers_are_revised_by_every_strategy(tmp_path: Path, data: Path) -> None:
    bench = night_bench(tmp_path / "home", data)
    result = await revision.measure(bench)
    strategies = {row[0] for table in result.tables for row in table.rows}
    assert {"quote", "plain_critique", "reflexion", "react"} <= strategies
    assert (await revision.measure(bench)).figures == result.figures  # nothing is revised twice


async def test_graded_answers_are_not_made_twice(tmp_path: Path, data: Path) -> None:
    bench = night_bench(tmp_path / "home", data)
    await scorer.measure(bench)
    before = (bench.home / "graded.jsonl").read_text()
    await scorer.measure(bench)
    assert (bench.home / "graded.jsonl").read_text() == before


async def test_a_conversation_is_replayed_and_its_statements_are_found(tmp_path: Path, data: Path) -> None:
    said: list[str] = []
    bench = night_bench(tmp_path / "home", data, said)
    result = await locomo.measure(bench)
    assert result.figures["locomo, nights"] == 2
    assert result.figures["locomo, statements, contained"] > result.figures["locomo, nothing, contained"]
    assert result.figures["locomo, nothing, unanswerable declined"] == 1
    said.clear()
    again = await locomo.measure(bench)
    assert again.figures == result.figures
    assert not any("locomo-7-night" in line for line in said)  # no night is repeated


async def test_a_conversation_that_there_is_not_is_refused(tmp_path: Path, data: Path) -> None:
    from dataclasses import replace

    bench = replace(night_bench(tmp_path / "home", data), conversations=("8",))
    with pytest.raises(ValueError, match="no conversation '8': choose from 7"):
        await locomo.measure(bench)


async def test_a_short_fortnight_teaches_nothing_false(tmp_path: Path, data: Path) -> None:
    result = await fortnight.measure(night_bench(tmp_path / "home", data))
    assert result.figures["fortnight, days"] == 3
    assert result.figures["poisoned day, false answers taught or archived"] == 0
    assert result.figures["fortnight, unanswerable declined"] == 1


def test_a_part_that_there_is_not_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--data", "x", "--parts", "scorer,nonsense"])
    assert ended.value.code == 2
    assert "no part 'nonsense'" in capsys.readouterr().err
