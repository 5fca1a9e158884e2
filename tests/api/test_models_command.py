"""`nightschool models`: what is added twice is there once, and a study cannot write into another model."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from agent.models.store import ModelStore, resolve
from agent.settings import read_settings
from api.commands.study import study
from tests.agent.models.test_adoption import model
from tests.agent.models.test_store import ARRAYS, fill, studied
from tests.api.test_cli import run
from tests.support.cards import DIGEST, card


def test_a_folder_that_is_added_again_is_left_as_it_is_and_can_be_named_by_its_path(tmp_path: Path) -> None:
    folder = model(tmp_path / "My Model")
    models = tmp_path / "models"
    said = [run("models", "add", str(folder), NIGHTSCHOOL_MODELS=str(models)) for _ in range(2)]
    assert [each.returncode for each in said] == [0, 0], said
    assert "my-model is there already" in said[1].stdout
    studied(models / "my-model", digest=ModelStore(models).origin("my-model").digest)
    assert resolve(read_settings(models=models, model=str(folder))).name == "my-model"


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
        return SimpleNamespace(card=made, known=(), unknown=(), replay=(), distributions=ARRAYS)

    monkeypatch.setattr("agent.models.study.run.study", slow)
    monkeypatch.setenv("NIGHTSCHOOL_HOME", str(tmp_path))
    monkeypatch.setenv("NIGHTSCHOOL_MODELS", str(store.folder))
    with pytest.raises(typer.Exit) as ended:
        study("small", None)
    (line,) = capsys.readouterr().err.splitlines()
    assert (ended.value.exit_code, "removed or replaced" in line) == (2, True)
    assert (tmp_path / "study" / f"small-{DIGEST[:12]}" / "answers.jsonl").is_file()
    assert replaced == ("small" in store.names())
