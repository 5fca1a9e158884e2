"""Settings come from the environment, with defaults that work offline."""

import json
from pathlib import Path

import pytest

from agent.settings import (
    FALLBACK_THRESHOLD,
    SHIPPED_MODEL,
    Settings,
    base_threshold,
    read_settings,
    single_turn,
)


def test_the_defaults_name_only_local_addresses() -> None:
    settings = read_settings()
    assert settings.served_by.startswith("http://127.0.0.1:")
    assert settings.api_url.startswith("http://127.0.0.1:")
    assert settings.teacher == "rules"


def test_the_environment_overrides_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSCHOOL_API_PORT", "8123")
    assert read_settings().api_port == 8123


def test_a_bad_value_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSCHOOL_API_PORT", "eighty")
    with pytest.raises(ValueError, match=r"NIGHTSCHOOL_API_PORT: .*'eighty'"):
        read_settings()


def test_a_teacher_url_needs_a_model_name() -> None:
    with pytest.raises(ValueError, match="NIGHTSCHOOL_TEACHER_MODEL"):
        read_settings(teacher_url="http://127.0.0.1:1/v1")


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_secrets_do_not_show_in_the_settings_text() -> None:
    assert "hush" not in repr(read_settings(teacher_key="hush"))


def test_the_threshold_comes_from_the_setting_then_the_model_then_a_constant(tmp_path: Path) -> None:
    settings = read_settings(model=str(tmp_path))
    assert base_threshold(settings) == FALLBACK_THRESHOLD
    (tmp_path / "nightschool.json").write_text(json.dumps({"entropy_threshold": 1.75}))
    assert base_threshold(settings) == 1.75
    assert base_threshold(read_settings(model=str(tmp_path), entropy_threshold=0.5)) == 0.5


@pytest.mark.parametrize("text", ["{}", "[", '{"entropy_threshold": 0}', '{"entropy_threshold": "x"}'])
def test_a_broken_threshold_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "nightschool.json").write_text(text)
    with pytest.raises(ValueError, match=r"nightschool\.json"):
        base_threshold(read_settings(model=str(tmp_path)))


@pytest.mark.parametrize(
    ("text", "expected"), [(None, False), ("{}", False), ('{"single_turn": true}', True)]
)
def test_a_model_knows_conversations_unless_it_says_otherwise(
    tmp_path: Path, text: str | None, expected: bool
) -> None:
    if text is not None:
        (tmp_path / "nightschool.json").write_text(text)
    assert single_turn(read_settings(model=str(tmp_path))) is expected


@pytest.mark.parametrize("text", ["[", "[]", '{"single_turn": "no"}'])
def test_a_model_that_says_so_in_no_clear_words_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "nightschool.json").write_text(text)
    with pytest.raises(ValueError, match=r"nightschool\.json"):
        single_turn(read_settings(model=str(tmp_path)))


def test_the_shipped_model_answers_single_questions() -> None:
    assert single_turn(read_settings(model=str(SHIPPED_MODEL)))
