"""A deeper model answers exactly as before, whatever its architecture, or is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from agent.errors import ModelRefused, NoModelCard, UnknownModel
from agent.models import deepening
from agent.models.deepening import deepen, write_deeper
from agent.models.store import ModelStore
from tests.support.commands import run
from tests.support.tiny_model import FOLDER
from tests.support.tiny_models import add_tiny_models

pytestmark = pytest.mark.slow
SHAPE = {
    "vocab_size": 16384,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
}
MODELS = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE)),
    "qwen3, with norms in the attention": lambda: Qwen3ForCausalLM(Qwen3Config(**SHAPE)),
    "gemma 3, with norms behind and other attention in some layers": lambda: Gemma3ForCausalLM(
        Gemma3TextConfig(**SHAPE, sliding_window=16)
    ),
    "gpt-2, with biases and modules of its own": lambda: GPT2LMHeadModel(
        GPT2Config(vocab_size=16384, n_embd=32, n_layer=3, n_head=4, n_positions=512)
    ),
}


def written(model: Any, folder: Path) -> Path:
    """The model in a folder, with the tiny model's tokenizer."""
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((FOLDER / name).read_bytes())
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("added", [1, 2, 3])
def test_a_deeper_model_has_the_same_log_probabilities(name: str, added: int, tmp_path: Path) -> None:
    torch.manual_seed(3)
    source = written(MODELS[name](), tmp_path / "source")
    assert write_deeper(source, tmp_path / "deeper", added) == 0
    deeper: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "deeper")
    assert deeper.config.num_hidden_layers == 3 + added
    new = sum(not p.detach().any() for _, p in deeper.named_parameters() if p.dim() == 2)
    assert new == 2 * added, "an attention and a feed-forward output for each new layer"


def test_new_layers_can_learn(tmp_path: Path) -> None:
    torch.manual_seed(3)
    source = written(MODELS["llama"](), tmp_path / "source")
    write_deeper(source, tmp_path / "deeper", 1)
    model: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "deeper")
    ids = torch.arange(5, 25)[None]
    model(ids, labels=ids).loss.backward()
    silent = [p for _, p in model.named_parameters() if p.dim() == 2 and not p.detach().any()]
    assert silent
    assert all(p.grad.any() for p in silent)


def test_a_model_that_would_answer_otherwise_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (added,) = add_tiny_models(tmp_path / "models", "tiny")
    store = ModelStore(tmp_path / "models")
    monkeypatch.setattr(deepening, "_output_names", lambda layer: frozenset())
    with pytest.raises(ModelRefused, match="log-probabilities differ"):
        deepen(store, added.name, 1, "deep")
    assert store.names() == ("tiny",)
    assert not list((tmp_path / "models").glob(".unfinished-*"))


def test_a_deepened_model_is_added_without_a_card_and_says_what_it_was_made_from(tmp_path: Path) -> None:
    add_tiny_models(tmp_path / "models", "tiny")
    store = ModelStore(tmp_path / "models")
    origin = deepen(store, "tiny", 1, "deep")
    assert origin.source == "tiny, 1 layer deeper"
    assert origin.digest != store.origin("tiny").digest
    store.verify("deep")
    with pytest.raises(NoModelCard, match="models study deep"):
        store.card("deep")
    assert json.loads((store.path("deep") / "config.json").read_text())["num_hidden_layers"] > 1


def test_bad_requests_are_refused(tmp_path: Path) -> None:
    add_tiny_models(tmp_path / "models", "tiny")
    store = ModelStore(tmp_path / "models")
    for added in (0, -1, 1000):
        with pytest.raises(ModelRefused, match="can be deepened by 1 to"):
            deepen(store, "tiny", added, "deep")
    with pytest.raises(UnknownModel):
        deepen(store, "missing", 1, "deep")
    with pytest.raises(ModelRefused, match="exists already"):
        deepen(store, "tiny", 1, "tiny")


def test_the_command_deepens_and_says_what_comes_next(tmp_path: Path) -> None:
    add_tiny_models(tmp_path / "models", "tiny")
    models = str(tmp_path / "models")
    done = run("models", "deepen", "tiny", "--layers", "1", NIGHTSCHOOL_MODELS=models)
    assert done.returncode == 0, done.stderr
    assert "tiny-deep was added" in done.stdout
    assert "Next: nightschool models study tiny-deep" in done.stdout
    refused = run("models", "deepen", "tiny", "--layers", "99", "--name", "other", NIGHTSCHOOL_MODELS=models)
    assert (refused.returncode, "can be deepened by 1 to" in refused.stderr) == (2, True)
