"""An exported adapter answers as it does here, and what may not go live is not exported."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
from typer.testing import CliRunner

from agent.engines.adapter_files import digest_of_files
from agent.exports.export import Format, export_adapter
from agent.models.card import read_card
from agent.models.store import AddedModel
from api.cli.main import app
from memory.adapters.mlflow import MlflowAdapterRegistry
from memory.errors import AdapterNotServable, UnknownAdapter
from memory.records.adapters import Adapter
from tests.support.adapters import adapter as record
from tests.support.tiny_model import FOLDER
from training.backends import peft
from training.backends.base import single
from training.base_model import StudiedModel
from training.recipes import standard

pytestmark = pytest.mark.services

CARD = read_card(FOLDER)
BASE = AddedModel(name="tiny", folder=FOLDER, card=CARD)
QUESTION = "What is a zorble?"
TAUGHT = "a small green lamp for ships"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with an adapter that was taught something, one that was rejected, and one to forget."""
    home = tmp_path_factory.mktemp("home")
    recipe = standard(CARD).model_copy(
        update={"rank": 8, "alpha": 16, "learning_rate": 4e-3, "batch": 4, "warmup": 0.0}
    )
    good, bad, forgotten = (
        record(version=1, digest="1f9c2a7e" * 8),
        record(version=2, digest="2f9c2a7e" * 8, rejected=True),
        record(version=3, digest="3f9c2a7e" * 8),
    )
    folder = home / "adapters" / good.name
    folder.mkdir(parents=True)
    peft.train(
        StudiedModel(folder=FOLDER, card=CARD),
        [single(QUESTION, TAUGHT)] * 60,
        recipe,
        folder,
        lambda *_: None,
    )
    registry = MlflowAdapterRegistry(home, base=CARD.digest)
    for each in (good, bad, forgotten):
        at = home / "adapters" / each.name
        at.mkdir(exist_ok=True)
        for file in folder.glob("adapter_*"):
            (at / file.name).write_bytes(file.read_bytes())
        registry.register(
            each.model_copy(update={"base_digest": CARD.digest, "files": digest_of_files(folder)})
        )
    registry.quarantine(forgotten.learned[0], "the owner asked for it")
    return home


@pytest.fixture
def registry(home: Path) -> MlflowAdapterRegistry:
    return MlflowAdapterRegistry(home, base=CARD.digest)


GOOD, REJECTED, FORGOTTEN = "rust-v1-1f9c2a7e", "rust-v2-2f9c2a7e", "rust-v3-3f9c2a7e"


def answer(model: Any, tokenizer: Any) -> str:
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": QUESTION}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    with torch.inference_mode():
        written = model.generate(**prompt, max_new_tokens=24, do_sample=False)
    text: str = tokenizer.decode(written[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
    return text


def export(registry: MlflowAdapterRegistry, format: Format, target: Path, name: str = GOOD) -> Adapter:
    return export_adapter(name, format, target, registry=registry, base=BASE)


def test_base_and_peft_folder_and_the_merged_model_give_the_same_answer(
    registry: MlflowAdapterRegistry, tmp_path: Path
) -> None:
    export(registry, "peft", tmp_path / "peft")
    export(registry, "merged", tmp_path / "merged")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "merged")
    base = AutoModelForCausalLM.from_pretrained(FOLDER)
    assert TAUGHT not in answer(base, tokenizer)
    adapted = answer(PeftModel.from_pretrained(base, str(tmp_path / "peft")), tokenizer)
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert merged.dtype == torch.bfloat16
    assert TAUGHT in adapted
    assert answer(merged, tokenizer) == adapted
    assert merged.generation_config.do_sample is False
    for file in ("config.json", "generation_config.json", "chat_template.jinja"):
        assert (tmp_path / "merged" / file).read_bytes() == (FOLDER / file).read_bytes()
    assert not (tmp_path / "merged" / "card.json").exists()


def test_the_peft_folder_is_the_one_that_was_evaluated(
    registry: MlflowAdapterRegistry, tmp_path: Path
) -> None:
    made = export(registry, "peft", tmp_path / "out")
    assert digest_of_files(tmp_path / "out") == made.files
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md", "adapter_config.json", "adapter_model.safetensors",
    ]  # fmt: skip


def test_ollama_gets_a_modelfile_beside_the_merged_model(
    registry: MlflowAdapterRegistry, tmp_path: Path
) -> None:
    export(registry, "ollama", tmp_path / "out")
    text = (tmp_path / "out" / "Modelfile").read_text()
    assert "\nFROM .\n" in text
    assert not [line for line in text.splitlines() if line.startswith("TEMPLATE")]
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_the_readme_says_where_it_comes_from_and_what_its_gates_measured(
    registry: MlflowAdapterRegistry, tmp_path: Path
) -> None:
    made = export(registry, "peft", tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text()
    front = dict(line.split(": ", 1) for line in text.split("---\n")[1].splitlines())
    assert json.loads(front["license"]) == CARD.licence
    for part in (CARD.name, made.base_digest, made.learned[0], "| target up | >= 0.15 | 0.900 | yes |"):
        assert part in text
    assert str(Path(made.path).parent) not in text


@pytest.mark.parametrize("name", [REJECTED, FORGOTTEN])
def test_what_may_not_go_live_is_not_exported(
    registry: MlflowAdapterRegistry, tmp_path: Path, name: str
) -> None:
    with pytest.raises(AdapterNotServable, match=r"rejected|quarantine"):
        export(registry, "peft", tmp_path / "out", name)
    assert list(tmp_path.iterdir()) == []


def test_an_adapter_of_another_base_or_with_other_weights_is_not_exported(
    home: Path, registry: MlflowAdapterRegistry, tmp_path: Path
) -> None:
    with pytest.raises(AdapterNotServable, match="another base model"):
        export(MlflowAdapterRegistry(home, base="0" * 64), "peft", tmp_path / "out")
    with pytest.raises(UnknownAdapter):
        export(registry, "peft", tmp_path / "out", "rust-v9-00000000")
    weights = home / "adapters" / GOOD / "adapter_model.safetensors"
    good = weights.read_bytes()
    try:
        weights.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        with pytest.raises(AdapterNotServable, match="changed after its evaluation"):
            export(registry, "peft", tmp_path / "out")
    finally:
        weights.write_bytes(good)


def test_a_folder_with_something_in_it_is_left_alone(
    registry: MlflowAdapterRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="not an empty folder"):
        export(registry, "peft", tmp_path / "full")
    (tmp_path / "empty").mkdir()
    export(registry, "peft", tmp_path / "empty")

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agent.exports.export.readme", full)
    with pytest.raises(OSError, match="No space"):
        export(registry, "peft", tmp_path / "broken")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "full"]


def test_the_command_exports_and_says_how_to_get_gguf(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSCHOOL_HOME", str(home))
    monkeypatch.setenv("NIGHTSCHOOL_MODEL", str(FOLDER))
    command = ["adapters", "export", GOOD, str(tmp_path / "out")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "adapter_model.safetensors").is_file()
    again = CliRunner().invoke(app, command)
    assert (again.exit_code, "not an empty folder" in again.stderr) == (2, True)
    refused = CliRunner().invoke(app, [*command[:3], str(tmp_path / "gguf"), "--format", "gguf"])
    assert (refused.exit_code, "convert_hf_to_gguf.py" in refused.stderr) == (2, True)
    assert not (tmp_path / "gguf").exists()
    monkeypatch.setenv("NIGHTSCHOOL_HOME", str(tmp_path / "nothing"))
    none = CliRunner().invoke(app, [*command[:3], str(tmp_path / "none")])
    assert (none.exit_code, "nothing was learned" in none.stderr) == (2, True)
    assert not (tmp_path / "nothing").exists()
