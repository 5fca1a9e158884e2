"""`nightschool models`: what is added twice is there once, and a study cannot write into another model."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from agent.models.store import ModelStore, resolve_model
from agent.settings import read_settings
from api.cli.models import app
from api.cli.study import study
from tests.agent.models.test_add_model import model
from tests.agent.models.test_store import ARRAYS, fill, studied
from tests.support.cards import DIGEST, card
from tests.support.commands import run

pytestmark = pytest.mark.slow


def test_a_folder_that_is_added_again_is_left_as_it_is_and_can_be_named_by_its_path(tmp_path: Path) -> None:
    folder = model(tmp_path / "My Model")
    models = tmp_path / "models"
    said = [run("models", "add", str(folder), NIGHTSCHOOL_MODELS=str(models)) for _ in range(2)]
    assert [each.returncode for each in said] == [0, 0], said
    assert "my-model has already been added" in said[1].stdout
    studied(models / "my-model", digest=ModelStore(models).origin("my-model").digest)
    assert resolve_model(read_settings(models=models, model=str(folder))).name == "my-model"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    """The folder of models of this process, in a folder that is the current one."""
    monkeypatch.setenv("NIGHTSCHOOL_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("NIGHTSCHOOL_MODEL", raising=False)
    monkeypatch.chdir(tmp_path)
    return ModelStore(tmp_path / "models")


def said(*arguments: str) -> tuple[int, str]:
    """The exit code and all output of `nightschool models`, run in this process."""
    found = CliRunner().invoke(app, list(arguments))
    return found.exit_code, found.output


def test_a_folder_with_the_name_of_an_adopted_model_is_another_model(
    models: ModelStore, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    assert said("add", str(model(tmp_path / "other" / "m")))[0] == 0
    assert said("add", "m") == (0, "m has already been added\n"), "as long as there is no such folder"
    model(tmp_path / "m", max_position_embeddings=4096)
    code, told = said("add", "m")
    assert (code, "--name" in told) == (2, True)
    assert said("add", "m", "--name", "second")[0] == 0
    assert models.origin("second").source == str(tmp_path / "m")
    assert said("add", "m") == (0, "second has already been added\n")


@pytest.mark.parametrize(
    "command", [("add", "m"), ("use", "m"), ("list",), ("show", "m"), ("remove", "m")], ids=lambda c: c[0]
)
def test_a_place_that_is_no_folder_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    (tmp_path / "file").touch()
    model(tmp_path / "m")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NIGHTSCHOOL_MODELS", str(tmp_path / "file" / "models"))
    code, told = said(*command)
    assert (code, told.count("\n")) == (2, 1), told


def test_a_folder_that_changed_since_it_was_added_is_noticed(models: ModelStore, tmp_path: Path) -> None:
    folder = model(tmp_path / "m")
    assert said("add", "m")[0] == 0
    (folder / "model.safetensors").write_bytes(b"other weights")
    code, told = said("add", "m")
    assert (code, "nightschool models remove m" in told, told.count("\n")) == (2, True, 1)


def test_a_model_in_use_by_its_folder_has_its_star_and_is_not_removed(
    models: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model(tmp_path / "My Model")
    assert said("add", str(folder))[0] == 0
    monkeypatch.setenv("NIGHTSCHOOL_MODEL", str(folder))
    (row,) = [line for line in said("list")[1].splitlines() if "*" in line]
    assert "my-model" in row
    code, told = said("remove", "my-model")
    assert (code, "is in use" in told) == (2, True)
    assert models.names() == ("my-model",)
    assert "but not in this shell" not in said("use", "my-model")[1]
    monkeypatch.delenv("NIGHTSCHOOL_MODEL")
    models.use("my-model")
    assert said("remove", "my-model")[0] == 2


@pytest.mark.parametrize("replaced", [False, True])
def test_a_study_whose_model_went_away_ends_with_2_and_keeps_its_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], replaced: bool
) -> None:
    store = ModelStore(tmp_path / "models")
    store.place("small", fill)

    async def slow(subject: object, material: object, work: Path, *_: object, **__: object) -> object:
        (work / "answers.jsonl").write_text("{}")
        store.remove("small")
        if replaced:
            store.place("small", lambda folder: fill(folder).model_copy(update={"digest": "cd" * 32}))
        made = card(name="small")
        return SimpleNamespace(card=made, questions=(), unknown=(), replay=(), distributions=ARRAYS)

    monkeypatch.setattr("agent.models.study.added.run_study", slow)
    monkeypatch.setenv("NIGHTSCHOOL_HOME", str(tmp_path))
    monkeypatch.setenv("NIGHTSCHOOL_MODELS", str(store.folder))
    with pytest.raises(typer.Exit) as ended:
        study("small", None)
    (line,) = capsys.readouterr().err.splitlines()
    assert (ended.value.exit_code, "removed or replaced" in line) == (2, True)
    assert (tmp_path / "study" / f"small-{DIGEST[:12]}" / "answers.jsonl").is_file()
    assert replaced == ("small" in store.names())
