"""What a service needs follows from its load and what was measured."""

from pathlib import Path

import pytest

from benchmarks.capacity.__main__ import main
from benchmarks.capacity.plan import Coefficients, Load, plan
from benchmarks.capacity.storage import passage_bytes, turn_bytes

MEASURED = Coefficients(
    api_turns=100,
    model_tokens=1000,
    search_seconds=0.1,
    ingest=50,
    teach_seconds=36,
    passage_bytes=2048,
    turn_bytes=1024,
    adapter_bytes=2**25,
)


def needs(**load: float) -> dict[str, str]:
    return {need.part: need.amount for need in plan(Load.model_validate(load), MEASURED)}


def test_each_part_is_counted_at_sixty_percent_of_its_throughput() -> None:
    found = needs(users=1_000_000, active=0.1, turns=9, busiest=0.1, unsure=0.2, tokens=100, taught=600)
    assert found["api processes"] == "1"  # 25 turns a second of 100
    assert found["engines"] == "5"  # 25 * 1.2 calls of 100 tokens, of 1000 a second
    assert found["cores for searches"] == "1"
    assert found["trainers for a night of 6 h"] == "1"
    assert found["adapters in 1 GiB of an engine's memory"] == "32"


def test_a_hundred_times_the_users_need_about_a_hundred_times_as_much() -> None:
    few, many = (int(needs(users=users)["engines"].replace(",", "")) for users in (10**6, 10**8))
    assert 99 * (few - 1) < many <= 100 * few


def test_a_missing_figure_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--results", str(tmp_path)]) == 1
    assert "run the benchmark that measures it first" in capsys.readouterr().err


@pytest.mark.services
async def test_bytes_are_those_on_disk(tmp_path: Path) -> None:
    text = "# Lamps\n\n" + "\n\n".join(f"Lamp {n} burns oil in the harbour of Lerwick." for n in range(200))
    assert 500 < await passage_bytes(tmp_path / "passages", [text], count=200) < 20_000
    assert 200 < await turn_bytes(tmp_path / "turns", "What burns?", "Oil burns.", count=200) < 20_000
