"""Owns the architecture of the shipped model, its random start, and how it is written to its folder.

Training it is left to `train`, and what its first two layers can do from the start to `induction`.
"""

import json
import math
import tempfile
from pathlib import Path

import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, GenerationConfig, PreTrainedTokenizerFast

from training.seed.induction import install
from training.seed.tokenizer import CONTEXT, CONTROL

FOLDER = Path(__file__).resolve().parent / "model"
"""Where the shipped weights live."""
THRESHOLD_FILE = "nightschool.json"
UNCALIBRATED = 1.0
"""Nats. The gate's threshold of a checkpoint that `evaluate` has not measured yet."""

LAYERS = ("sliding_attention", "full_attention", *("sliding_attention",) * 3, "full_attention")


def architecture(vocabulary: int) -> Gemma3TextConfig:
    """Gemma 3 text of six layers of width 320, with 5 heads of 64 that each have their own keys."""
    return Gemma3TextConfig(
        vocab_size=vocabulary,
        hidden_size=320,
        intermediate_size=1280,
        num_hidden_layers=len(LAYERS),
        num_attention_heads=5,
        num_key_value_heads=5,
        head_dim=64,
        query_pre_attn_scalar=64,
        max_position_embeddings=CONTEXT,
        sliding_window=512,
        layer_types=list(LAYERS),
        tie_word_embeddings=True,
        bos_token_id=CONTROL.index("<bos>"),
        eos_token_id=CONTROL.index("<end_of_turn>"),
        pad_token_id=CONTROL.index("<pad>"),
    )


def create(vocabulary: int, *, seed: int) -> Gemma3ForCausalLM:
    """The model with random float32 weights of standard deviation 0.02, less where residuals add up, and with
    the circuit that copies.

    The scale 0.02 / sqrt(2 layers) is GPT-2's (Radford et al., 2019).
    """
    torch.manual_seed(seed)
    model = Gemma3ForCausalLM(architecture(vocabulary))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2:
                adds_up = "down_proj" in name or "o_proj" in name
                parameter.normal_(0, 0.02 / math.sqrt(2 * len(LAYERS)) if adds_up else 0.02)
        model.model.embed_tokens.weight.normal_(0, 0.05)
    install(model, seed=seed)
    return model


def export(model: Gemma3ForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Writes bf16 weights, configuration, tokenizer and an open gate, each file put in place whole."""
    copy = Gemma3ForCausalLM(model.config)
    copy.to(torch.bfloat16)  # type: ignore[arg-type]  # its decorator hides the signature
    copy.load_state_dict({n: p.detach().to(torch.bfloat16) for n, p in model.state_dict().items()})
    copy.tie_weights()
    config = copy.config
    copy.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        bos_token_id=config.bos_token_id,
        eos_token_id=config.eos_token_id,
        pad_token_id=config.pad_token_id,
        do_sample=False,
    )
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as temporary:
        copy.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        gate = {
            "entropy_threshold": UNCALIBRATED,
            "fitted_on": "nothing yet: run the evaluation",
            "single_turn": True,
        }
        (Path(temporary) / THRESHOLD_FILE).write_text(json.dumps(gate, indent=2) + "\n")
        for file in sorted(Path(temporary).iterdir()):
            file.replace(folder / file.name)
