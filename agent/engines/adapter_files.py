"""Validates an adapter folder before an engine loads it: name, files, tensor shapes, finite weights.

Weights are scanned through a memory map; nothing is unpickled.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError
from safetensors import SafetensorError, safe_open

from agent.errors import AdapterRefused, EngineUnavailable
from memory.records.base import ADAPTER_PATTERN, Digest, Record

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
MAX_RANK = 64
MAX_CONFIG_BYTES = 1 << 20
MAX_WEIGHT_BYTES = 1 << 31
_EXPONENTS = {
    "F64": ("<u8", 0x7FF0_0000_0000_0000),
    "F32": ("<u4", 0x7F80_0000),
    "F16": ("<u2", 0x7C00),
    "BF16": ("<u2", 0x7F80),
}
"""Per dtype: the integer of that width, and the exponent bits, all of which are set in infinities and NaN."""
_PICKLED = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"})
_LORA = re.compile(r"^base_model\.model\.(?P<module>.+)\.lora_(?P<half>[AB])(?:\.[\w-]+)?\.weight$")


class LoraConfig(BaseModel):
    """The part of PEFT's `adapter_config.json` that serving depends on; other keys are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    peft_type: Literal["LORA"]
    r: int = Field(ge=1)
    lora_alpha: FiniteFloat
    use_rslora: bool = False
    use_dora: bool = False
    bias: Literal["none"] = "none"
    modules_to_save: list[str] | None = None
    rank_pattern: dict[str, int] | None = None
    alpha_pattern: dict[str, float] | None = None


class AdapterFiles(Record):
    """A validated adapter folder: rank, scale, and the shape (outputs, inputs) of each adapted module."""

    path: Path
    rank: int
    alpha: float
    rank_stabilised: bool
    shapes: dict[str, tuple[int, int]]


def check_name(name: str) -> str:
    """Returns the name; raises ValueError if it is not an adapter name such as `rust-v3-1f9c2a7e`."""
    if not re.fullmatch(ADAPTER_PATTERN, name):
        raise ValueError(f"{name!r} is not an adapter name: use DOMAIN-vVERSION-DIGEST, as rust-v3-1f9c2a7e")
    return name


def inspect_adapter(
    path: Path, *, base: Mapping[str, tuple[int, int]] | None = None, max_rank: int = MAX_RANK
) -> AdapterFiles:
    """Validates an adapter folder without loading it.

    `base` maps the base model's linear modules to their weight shapes (outputs, inputs), as returned by
    `base_shapes`; without it the fit to the base model is not checked. Raises AdapterRefused for missing or
    truncated files, ranks above `max_rank`, PEFT features that engines cannot serve, shapes that do not
    match the base model, and weights that are infinite or NaN.
    """
    config = _config(path / CONFIG)
    pickled = sorted(file.name for file in path.iterdir() if file.suffix in _PICKLED)
    if pickled:
        raise AdapterRefused(
            f"{path}: pickle files ({', '.join(pickled)}) can run code when loaded: keep safetensors only"
        )
    if config.r > max_rank:
        raise AdapterRefused(f"{path}: rank {config.r} exceeds {max_rank}: train with a lower rank")
    if config.use_dora or config.modules_to_save or config.rank_pattern or config.alpha_pattern:
        raise AdapterRefused(
            f"{path}: DoRA, fully trained modules and per-module ranks cannot be served: train a plain LoRA"
        )
    shapes = _shapes(path / WEIGHTS)
    halves: dict[str, dict[str, tuple[int, ...]]] = {}
    for key, shape in shapes.items():
        match = _LORA.match(key)
        if match is None:
            raise AdapterRefused(
                f"{path}: tensor {key!r} is not part of a plain LoRA adapter: train a plain LoRA"
            )
        halves.setdefault(match["module"], {})[match["half"]] = shape
    if not halves:
        raise AdapterRefused(f"{path}: {WEIGHTS} holds no LoRA weights: save the adapter again")
    module_shapes = {module: _module_shape(path, module, pair, config.r) for module, pair in halves.items()}
    for module, shape in module_shapes.items():
        if base is not None and base.get(module) != shape:
            base_shape = base.get(module, "no such module")
            raise AdapterRefused(
                f"{path}: {module} adapts a weight of shape {shape}, and the base model has {base_shape}: "
                "the adapter was trained on another base model"
            )
    _require_finite(path / WEIGHTS)
    return AdapterFiles(
        path=path.resolve(),
        rank=config.r,
        alpha=config.lora_alpha,
        rank_stabilised=config.use_rslora,
        shapes=module_shapes,
    )


def digest_of_files(path: Path) -> Digest:
    """SHA-256 over an adapter's config and weights; raises AdapterRefused if one is missing or too large."""
    digest = hashlib.sha256()
    for name, limit in ((CONFIG, MAX_CONFIG_BYTES), (WEIGHTS, MAX_WEIGHT_BYTES)):
        with _readable(path / name, limit).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def base_shapes(folder: Path) -> dict[str, tuple[int, int]]:
    """Shapes (outputs, inputs) of all two-dimensional weights in a model folder, by module name.

    Raises EngineUnavailable if its safetensors are missing or unreadable.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise EngineUnavailable(f"{folder} holds no safetensors: serve a base model that has them")
    by_module: dict[str, tuple[int, int]] = {}
    for file in files:
        try:
            shapes = _headers(file)
        except (SafetensorError, OSError) as error:
            raise EngineUnavailable(f"{file} is damaged ({error}): download the base model again") from error
        for key, shape in shapes.items():
            if key.endswith(".weight") and len(shape) == 2:
                by_module[key.removesuffix(".weight")] = (shape[0], shape[1])
    return by_module


def _config(file: Path) -> LoraConfig:
    text = _readable(file, MAX_CONFIG_BYTES).read_bytes()
    try:
        return LoraConfig.model_validate(json.loads(text))
    except (ValidationError, ValueError, RecursionError) as error:
        raise AdapterRefused(f"{file} is not a LoRA configuration that can be served ({error})") from error


def _shapes(file: Path) -> dict[str, tuple[int, ...]]:
    try:
        return _headers(_readable(file, MAX_WEIGHT_BYTES))
    except (SafetensorError, OSError) as error:
        raise AdapterRefused(f"{file} is damaged ({error}): copy or train the adapter again") from error


def _headers(file: Path) -> dict[str, tuple[int, ...]]:
    with safe_open(file, framework="np") as tensors:
        return {key: tuple(tensors.get_slice(key).get_shape()) for key in tensors.keys()}  # noqa: SIM118


def _require_finite(file: Path) -> None:
    """Raises AdapterRefused for infinite or NaN weights.

    One NaN makes every answer NaN and stays in the server's cache afterwards. The safetensors layout is read
    by hand, because NumPy has no bfloat16: eight bytes of header length, a JSON header, the data.
    """
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(length))
    data = np.memmap(file, mode="r", offset=8 + length)
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in _EXPONENTS:
            raise AdapterRefused(f"{file}: {name} has dtype {entry['dtype']}: save it as float32 or bfloat16")
        integer, exponent = _EXPONENTS[entry["dtype"]]
        start, end = entry["data_offsets"]
        bits = data[start:end].view(integer)
        if np.any(bits & exponent == exponent):
            raise AdapterRefused(f"{file}: {name} holds infinite or NaN weights: train the adapter again")


def _readable(file: Path, limit: int) -> Path:
    if not file.is_file():
        raise AdapterRefused(f"{file} is missing: an adapter folder holds {CONFIG} and {WEIGHTS}")
    size = file.stat().st_size
    if size > limit:
        raise AdapterRefused(f"{file} has {size} bytes, more than the limit of {limit}")
    return file


def _module_shape(path: Path, module: str, pair: Mapping[str, tuple[int, ...]], rank: int) -> tuple[int, int]:
    down, up = pair.get("A", ()), pair.get("B", ())
    if len(down) != 2 or len(up) != 2 or down[0] != rank or up[1] != rank or not down[1] * up[0]:
        raise AdapterRefused(
            f"{path}: the A and B weights of {module} have shapes {down} and {up}, which do not fit rank"
            f" {rank}: save the adapter again"
        )
    return up[0], down[1]
