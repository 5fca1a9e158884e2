"""An adapter folder is judged by its headers and its numbers, and every fault has its reason."""

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch as torch_files
import torch
from safetensors.numpy import save_file

from agent.engines import adapter_files
from agent.engines.adapter_files import WEIGHTS, base_shapes, check_name, digest_of_files, inspect_adapter
from agent.errors import AdapterRefused, EngineUnavailable

MODULE = "model.layers.0.self_attn.q_proj"
BASE = {MODULE: (6, 4)}


@pytest.fixture
def adapter(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "adapter"
    folder.mkdir()
    write(folder, {})
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def write(
    folder: Path, config: dict[str, object], *, a: tuple[int, ...] = (2, 4), b: tuple[int, ...] = (6, 2)
) -> None:
    known = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "base_model_name_or_path": "anything"}
    (folder / "adapter_config.json").write_text(json.dumps(known | config))
    tensors = {"A": np.zeros(a, np.float32), "B": np.zeros(b, np.float32)}
    names = {half: f"base_model.model.{MODULE}.lora_{half}.weight" for half in tensors}
    save_file({names[half]: tensor for half, tensor in tensors.items()}, folder / "adapter_model.safetensors")


def write_as(folder: Path, kind: torch.dtype, *, last: float = 1.0) -> None:
    """A sound adapter whose weights are of a type, and one of them as told."""
    a, b = torch.ones(2, 4), torch.ones(6, 2)
    b[5, 1] = last
    halves = {
        f"base_model.model.{MODULE}.lora_{half}.weight": t.to(kind)
        for half, t in zip("AB", (a, b), strict=True)
    }
    torch_files.save_file(halves, folder / WEIGHTS)


def test_a_sound_folder_tells_its_scale_and_shapes(adapter: Path) -> None:
    files = inspect_adapter(adapter, base=BASE)
    assert (files.rank, files.alpha, files.rank_stabilised) == (2, 4.0, False)
    assert files.shapes == BASE
    assert files.path.is_absolute()


def test_without_a_base_model_only_the_adapter_itself_is_judged(adapter: Path) -> None:
    assert inspect_adapter(adapter).shapes == BASE


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"r": 65}, "rank 65 exceeds 64"),
        ({"r": 0}, "not a LoRA configuration"),
        ({"r": 3}, "do not fit rank 3"),
        ({"peft_type": "IA3"}, "not a LoRA configuration"),
        ({"use_dora": True}, "cannot be served"),
        ({"modules_to_save": ["lm_head"]}, "cannot be served"),
        ({"rank_pattern": {"q_proj": 4}}, "cannot be served"),
        ({"bias": "all"}, "not a LoRA configuration"),
        ({"lora_alpha": float("nan")}, "not a LoRA configuration"),
        ({"lora_alpha": float("inf")}, "not a LoRA configuration"),
    ],
)
def test_a_configuration_that_engines_cannot_serve_is_refused(
    adapter: Path, config: dict[str, object], reason: str
) -> None:
    write(adapter, config)
    with pytest.raises(AdapterRefused, match=reason):
        inspect_adapter(adapter, base=BASE)


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        ((2, 5), (6, 2), "another base model"),
        ((2, 4), (7, 2), "another base model"),
        ((3, 4), (6, 3), "do not fit rank 2"),
        ((2, 4), (6, 3), "do not fit rank 2"),
        ((2,), (6, 2), "do not fit rank 2"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    adapter: Path, a: tuple[int, ...], b: tuple[int, ...], reason: str
) -> None:
    write(adapter, {}, a=a, b=b)
    with pytest.raises(AdapterRefused, match=reason):
        inspect_adapter(adapter, base=BASE)


def test_a_module_that_the_base_model_lacks_is_refused(adapter: Path) -> None:
    with pytest.raises(AdapterRefused, match="no such module"):
        inspect_adapter(adapter, base={"model.layers.0.mlp.up_proj": (6, 4)})


def test_tensors_that_are_no_lora_are_refused(adapter: Path) -> None:
    save_file({"model.embed_tokens.weight": np.zeros((3, 3))}, adapter / "adapter_model.safetensors")
    with pytest.raises(AdapterRefused, match="not part of a plain LoRA"):
        inspect_adapter(adapter)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "\x00", '{"peft_type": "LORA"}', "[" * 100_000])
def test_a_damaged_configuration_is_refused(adapter: Path, text: str) -> None:
    (adapter / "adapter_config.json").write_text(text)
    with pytest.raises(AdapterRefused, match="not a LoRA configuration"):
        inspect_adapter(adapter)


@pytest.mark.parametrize("kept", [0, 4, 50, -1])
def test_truncated_weights_are_refused(adapter: Path, kept: int) -> None:
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(AdapterRefused, match="damaged"):
        inspect_adapter(adapter)


@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_a_single_weight_that_is_no_number_is_refused(adapter: Path, kind: torch.dtype) -> None:
    write_as(adapter, kind, last=-6e4)
    inspect_adapter(adapter, base=BASE)
    for value in (math.nan, math.inf, -math.inf):
        write_as(adapter, kind, last=value)
        with pytest.raises(AdapterRefused, match="infinite or NaN"):
            inspect_adapter(adapter, base=BASE)


def test_weights_of_whole_numbers_are_refused(adapter: Path) -> None:
    write_as(adapter, torch.int8)
    with pytest.raises(AdapterRefused, match="has dtype I8"):
        inspect_adapter(adapter, base=BASE)


def test_an_adapters_digest_tells_every_change_of_either_file(adapter: Path) -> None:
    known = digest_of_files(adapter)
    (adapter / "adapter.json").write_text("a record beside it")
    assert digest_of_files(adapter) == known
    write(adapter, {"lora_alpha": 5})
    assert digest_of_files(adapter) != known
    write(adapter, {})
    assert digest_of_files(adapter) == known
    with (adapter / "adapter_model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    assert digest_of_files(adapter) != known
    (adapter / "adapter_model.safetensors").unlink()
    with pytest.raises(AdapterRefused, match="missing"):
        digest_of_files(adapter)


@pytest.mark.parametrize("name", ["adapter_model.bin", "extra.pkl", "x.pt"])
def test_files_that_may_run_code_are_refused(adapter: Path, name: str) -> None:
    (adapter / name).write_bytes(b"")
    with pytest.raises(AdapterRefused, match="can run code"):
        inspect_adapter(adapter)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_missing_file_is_named(adapter: Path, name: str) -> None:
    (adapter / name).unlink()
    with pytest.raises(AdapterRefused, match=f"{name} is missing"):
        inspect_adapter(adapter)


def test_a_base_model_may_be_larger_than_any_adapter(adapter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file(
        {f"{MODULE}.weight": np.zeros((6, 4)), "norm.weight": np.zeros(4)}, adapter / "base.safetensors"
    )
    (adapter / "adapter_model.safetensors").unlink()
    monkeypatch.setattr(adapter_files, "MAX_WEIGHT_BYTES", 10)
    assert base_shapes(adapter) == BASE


def test_a_base_model_without_readable_weights_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="holds no safetensors"):
        base_shapes(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(EngineUnavailable, match="damaged"):
        base_shapes(tmp_path)


@pytest.mark.parametrize("name", ["rust-v1-0123abcd", "a-v10-00000000", "two-words-v3-1f9c2a7e"])
def test_immutable_names_pass(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "rust",
        "Rust-v1-0123abcd",
        "rust-v01-0123abcd",
        "rust-v1-0123ABCD",
        "../x-v1-0123abcd",
        "rust-v1-0123abcd\n",
    ],
)
def test_other_names_do_not(name: str) -> None:
    with pytest.raises(ValueError, match="not an adapter name"):
        check_name(name)
