"""Merges an adapter into its base model: weights in its dtype, with its tokenizer and configuration."""

import shutil
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from agent.models.store import AddedModel, model_files


def merge(adapter: Path, base: AddedModel, folder: Path) -> None:
    """Writes the merged model into `folder`, which transformers loads as it is.

    The sum is computed in float32 and rounded once, so that answers differ from those of base and adapter
    by no more than the dtype's rounding.
    """
    model = AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32)
    merged = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload(safe_merge=True)
    merged.to(getattr(torch, base.card.dtype)).save_pretrained(folder)
    for file in (*model_files(base.folder), *base.folder.glob("LICENSE*")):
        if file.suffix != ".safetensors" and not file.name.endswith(".index.json"):
            shutil.copyfile(file, folder / file.name)
