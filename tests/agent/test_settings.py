"""Settings come from the environment, with defaults that work offline."""

import pytest

from agent.settings import (
    Settings,
    read_settings,
)


def test_the_defaults_name_only_local_addresses() -> None:
    settings = read_settings()
    assert settings.vllm_url == f"unix:{settings.engine_socket}"
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


def test_the_registry_needs_a_postgresql_database_of_its_own() -> None:
    url = "postgresql://u:s3cret@h/db"
    assert read_settings(registry_url=url, database_url=f"{url}2").registry_url == url
    for wrong in ({"registry_url": url, "database_url": url}, {"registry_url": "mysql://u:s3cret@h/db"}):
        with pytest.raises(ValueError, match="NIGHTSCHOOL_REGISTRY_URL") as error:
            read_settings(**wrong)
        assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("teacher", ["model", "both"])
def test_a_model_that_writes_lessons_needs_a_url(teacher: str) -> None:
    with pytest.raises(ValueError, match="NIGHTSCHOOL_TEACHER_URL"):
        read_settings(teacher=teacher)
    read_settings(teacher=teacher, teacher_url="http://127.0.0.1:1/v1", teacher_model="m")


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_secrets_do_not_show_in_the_settings_text() -> None:
    assert "hush" not in repr(read_settings(teacher_key="hush"))
