"""`nightschool models grow` and `plan`: what is refused and how, and what is said of what was done."""

import json
from pathlib import Path

import pytest

from agent.growth import transfer
from agent.growth.records import GrowthReport
from agent.growth.transfer import Growing
from memory.outbox.base import TrainingResult
from tests.support.commands import run
from tests.support.growth import FIRST, SECOND, growing
from tests.support.tiny_models import add_tiny_models
from tests.support.trainers import REJECTED


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Settings of a home with two models, each with its card."""
    add_tiny_models(tmp_path / "models", "small", "large")
    return {
        "NIGHTSCHOOL_HOME": str(tmp_path / "home"),
        "NIGHTSCHOOL_MODELS": str(tmp_path / "models"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def done_by_fakes(
    monkeypatch: pytest.MonkeyPatch, folder: Path, ends: dict[int, TrainingResult] | None = None
) -> list[tuple[Growing, str | None]]:
    """Lets the command grow with fakes; returns what it asked for."""
    asked: list[tuple[Growing, str | None]] = []
    original = transfer.grow

    async def grow(real: Growing, domain: str | None = None) -> GrowthReport:
        asked.append((real, domain))
        return await original(growing(folder / "fakes", FIRST, SECOND, ends=ends).growing, domain)

    monkeypatch.setattr(transfer, "grow", grow)
    return asked


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (("nope", "large"), "no model 'nope' was added: see `nightschool models list`"),
        (("small", "nope"), "no model 'nope' was added: see `nightschool models list`"),
        (("small", "small"), "same model"),
    ],
)
def test_models_that_are_unknown_or_the_same_are_one_line(
    home: dict[str, str], models: tuple[str, str], message: str
) -> None:
    said = run("models", "grow", *models, **home)
    assert (said.returncode, said.stderr.count("\n"), said.stdout) == (2, 1, "")
    assert message in said.stderr


def test_a_model_without_a_card_has_to_be_studied_first(home: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "models" / "large" / "card.json").unlink()
    said = run("models", "grow", "small", "large", **home)
    assert said.returncode == 2
    assert "nightschool models study large" in said.stderr


def test_a_lever_that_needs_equal_tokenizers_is_refused_without_them(
    home: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "models" / "large" / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"added_tokens": []}))
    said = run("models", "grow", "small", "large", "--lever", "distillation", **home)
    assert said.returncode == 2
    assert "different tokenizers" in said.stderr
    assert "--lever curriculum" in said.stderr


@pytest.mark.services
def test_nothing_to_move_is_an_error_that_says_what_to_do(home: dict[str, str]) -> None:
    said = run("models", "grow", "small", "large", "--domain", "lamps", **home)
    assert said.returncode == 2, said.stderr
    assert "no live adapter with lessons in the domain 'lamps'" in said.stderr
    assert "nightschool learn" in said.stderr


@pytest.mark.services
def test_the_verdict_and_the_report_are_said_and_written(
    home: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = done_by_fakes(monkeypatch, tmp_path)
    said = run("models", "grow", "small", "large", "--domain", "lamps", **home)
    assert said.returncode == 0, said.stderr
    page = tmp_path / "home" / "growth" / "small-to-large" / "report.md"
    assert "2 of 2 lessons moved" in said.stdout
    assert str(page) in said.stdout
    assert "2 of 2 lessons moved" in page.read_text()
    ((real, domain),) = asked
    assert (real.source.name, real.target.name, domain) == ("small", "large", "lamps")
    assert real.source_adapters.base == real.source.card.digest
    assert real.target_adapters.base == real.target.card.digest


@pytest.mark.services
def test_with_json_the_report_is_one_object_and_nothing_else(
    home: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done_by_fakes(monkeypatch, tmp_path, ends={1: REJECTED, 2: REJECTED})
    said = run("models", "grow", "small", "large", "--json", **home)
    (report,) = [json.loads(line) for line in said.stdout.splitlines()]
    assert [each["status"] for each in report["domains"][0]["lessons"]] == ["rejected", "rejected"]
    assert report["paid"] == "no"
    assert said.returncode == 1, "no lesson moved"


def test_the_plan_names_its_choice_and_every_source() -> None:
    said = run("models", "plan", "--questions", "100", "--budget", "60")
    assert said.returncode == 0, said.stderr
    assert "Take: sources" in said.stdout
    assert "docs/results/learning.json" in said.stdout
    (made,) = [
        json.loads(line)
        for line in run(
            "models", "plan", "--questions", "100", "--budget", "60", "--json"
        ).stdout.splitlines()
    ]
    assert [option["way"] for option in made["options"]] == ["sources", "teach", "grow"]


def test_a_plan_for_nothing_is_bad_input() -> None:
    said = run("models", "plan", "--questions", "0", "--budget", "60")
    assert (said.returncode, said.stderr.count("\n")) == (2, 1)
