"""The training backend for NVIDIA GPUs, with Unsloth, which is imported only when training starts.

It shares data, loss and recipe with `peft`, so that both backends train equivalent adapters.
"""

import importlib.util
import json
import time
from collections.abc import Sequence
from pathlib import Path

from training.backends.base import Example, OnProgress, TrainingSummary
from training.base_model import StudiedModel
from training.errors import BackendUnavailable, BaseModelUnusable
from training.recipes import Recipe


def require_unsloth() -> None:
    """Raises BackendUnavailable, with advice, if Unsloth cannot run here."""
    import torch

    if not torch.cuda.is_available():
        raise BackendUnavailable("Unsloth needs an NVIDIA GPU: on this machine the worker trains with PEFT")
    if importlib.util.find_spec("unsloth") is None:
        raise BackendUnavailable(
            "this machine has a GPU, but Unsloth is not installed: run `make setup GPU=1`"
        )


def train(
    base: StudiedModel,
    examples: Sequence[Example],
    recipe: Recipe,
    out: Path,
    on_progress: OnProgress,
    *,
    start: Path | None = None,
) -> TrainingSummary:
    """See `Trainer`; loads the base model in 16 bits without quantization, as it is served."""
    require_unsloth()
    # Import it first, because it patches transformers and trl:
    from unsloth import FastModel  # type: ignore[import-not-found,unused-ignore]  # only on GPU machines

    from training.backends import peft

    started = time.monotonic()
    try:
        model, tokenizer = FastModel.from_pretrained(
            str(base.folder), max_seq_length=peft.LONGEST, load_in_4bit=False
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise BaseModelUnusable(
            f"Unsloth cannot load {base.folder}: set NIGHTSCHOOL_MODEL ({error})"
        ) from error
    data = peft.prepare_data(model, tokenizer, base, examples, recipe)
    if start is not None:
        adapted = peft.attach_adapter(model, recipe, start)
    else:
        adapted = FastModel.get_peft_model(
            model,
            r=recipe.rank,
            lora_alpha=recipe.alpha,
            lora_dropout=0.0,
            bias="none",
            target_modules=list(recipe.modules),
            random_state=recipe.seed,
            use_gradient_checkpointing=False,
        )
    summary = peft.fit(adapted, tokenizer, data, recipe, out, on_progress)
    _set_base_model(out / "adapter_config.json", str(base.folder))
    return summary.model_copy(update={"seconds": time.monotonic() - started})


def _set_base_model(config: Path, base: str) -> None:
    """Writes the base model into the adapter's config; Unsloth may have named a quantized copy instead."""
    values = json.loads(config.read_text())
    values["base_model_name_or_path"] = base
    config.write_text(json.dumps(values, indent=2))
