"""The settings file explains every setting, and what it sets is read; the environment wins."""

import stat
from pathlib import Path

import pytest

from agent import settings_file
from agent.settings import PREFIX, Settings, read_settings
from tests.support.commands import run


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(settings_file.VARIABLE, "")  # so that it is as before, afterwards
    monkeypatch.delenv(settings_file.VARIABLE)
    return tmp_path


def write(folder: Path, text: str) -> None:
    (folder / settings_file.NAME).write_text(text)


def test_init_writes_every_setting_with_its_meaning_and_sets_none(folder: Path) -> None:
    made = run("init", "new.env")
    assert made.returncode == 0
    path = folder / "new.env"
    text = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for name, field in Settings.model_fields.items():
        assert f"\n#{PREFIX}{name.upper()}=" in text
        assert (field.description or "")[:30] in text
    assert [line for line in text.splitlines() if line and not line.startswith("#")] == []
    assert "#NIGHTSCHOOL_API_PORT=8000\n" in text


def test_init_overwrites_nothing(folder: Path) -> None:
    write(folder, "NIGHTSCHOOL_API_PORT=8123\n")
    refused = run("init")
    assert refused.returncode == 2
    assert "exists already" in refused.stderr
    assert (folder / settings_file.NAME).read_text() == "NIGHTSCHOOL_API_PORT=8123\n"


def test_the_defaults_in_the_file_are_those_of_the_settings(folder: Path) -> None:
    text = settings_file.template(PREFIX, Settings.model_fields).replace("#NIGHTSCHOOL_", "NIGHTSCHOOL_")
    lines = [line for line in text.splitlines() if line.startswith(PREFIX) and not line.endswith("=")]
    environment = {settings_file.VARIABLE: settings_file.NAME}
    write(folder, "\n".join(lines))
    settings_file.load(environment, {f"{PREFIX}{name.upper()}" for name in Settings.model_fields})
    values = {name.removeprefix(PREFIX).lower(): value for name, value in environment.items() if value != ""}
    values.pop("settings_file", None)
    assert Settings(**values) == Settings()  # type: ignore[arg-type]


def test_what_the_file_sets_is_read_and_the_environment_wins(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NIGHTSCHOOL_API_PORT", "NIGHTSCHOOL_DOMAIN"):  # set by the file, and taken back afterwards
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("NIGHTSCHOOL_MODEL_NAME", "from-the-environment")
    write(
        folder,
        "NIGHTSCHOOL_API_PORT=8123\nNIGHTSCHOOL_MODEL_NAME=x\n# a remark\nNIGHTSCHOOL_DOMAIN='lamps'\n",
    )
    settings = read_settings()
    assert (settings.api_port, settings.model_name, settings.domain) == (
        8123,
        "from-the-environment",
        "lamps",
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("NIGHTSCHOOL_API_PROT=8123\n", "no setting is named 'NIGHTSCHOOL_API_PROT'"),
        ("PYTHONPATH=/tmp/elsewhere\n", "no setting is named 'PYTHONPATH'"),
        ("NIGHTSCHOOL_API_PORT\n", "NIGHTSCHOOL_API_PORT has no value"),
    ],
)
def test_a_line_that_sets_nothing_we_know_is_refused(folder: Path, text: str, problem: str) -> None:
    write(folder, text)
    with pytest.raises(ValueError, match=problem):
        read_settings()


def test_a_file_that_is_named_but_absent_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings_file.VARIABLE, "missing.env")
    with pytest.raises(ValueError, match=r"there is no file missing\.env"):
        read_settings()


def test_processes_that_this_one_starts_read_no_file_again(folder: Path) -> None:
    """They may run as other users, who cannot read it, or in another folder."""
    write(folder, "NIGHTSCHOOL_DOMAIN=lamps\n")
    environment: dict[str, str] = {}
    settings_file.load(environment, {"NIGHTSCHOOL_DOMAIN"})
    (folder / settings_file.NAME).unlink()
    write(folder, "NIGHTSCHOOL_DOMAIN=clocks\n")
    settings_file.load(environment, {"NIGHTSCHOOL_DOMAIN"})
    assert environment == {"NIGHTSCHOOL_DOMAIN": "lamps", settings_file.VARIABLE: ""}
