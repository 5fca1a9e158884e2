"""Training on an NVIDIA GPU with Unsloth; the only module that imports it, and only when it trains.

It shares data, loss and recipe with `peft`, so that both backends mean the same by an adapter.
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
    """Raises BackendUnavailable, with what to do, where Unsloth cannot run."""
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
    """See `trainer.Trainer`; loads the base in 16 bits, never quantised, so that it is the served one."""
    require_unsloth()
    # First, because it patches transformers and trl as they are imported:
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
    _name_base(out / "adapter_config.json", str(base.folder))
    return summary.model_copy(update={"seconds": time.monotonic() - started})


def _name_base(config: Path, base: str) -> None:
    """Unsloth may write the name of a quantised copy, which engines take for another base model."""
    values = json.loads(config.read_text())
    values["base_model_name_or_path"] = base
    config.write_text(json.dumps(values, indent=2))
