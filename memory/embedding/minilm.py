"""The forward pass of all-MiniLM-L6-v2 in NumPy: BERT encoder, mean pooling, L2 normalisation.

Importing torch and transformers instead would cost the api ten seconds on two cores and half a gigabyte at
every start, just to embed a sentence.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scipy.special import erf  # type: ignore[import-untyped]
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]
from tokenizers import Tokenizer

Array = NDArray[np.float32]

MAX_TOKENS = 256
"""From the model's `sentence_bert_config.json`; longer texts are truncated."""
SPECIAL_TOKENS = 2
"""[CLS] and [SEP], added to each text."""


@dataclass(frozen=True)
class MiniLM:
    """The weights by checkpoint name, and the tokenizer with padding and truncation enabled."""

    weights: dict[str, Array]
    tokenizer: Tokenizer
    layers: int
    heads: int
    epsilon: float
    threads: ThreadpoolController


def load(folder: Path) -> MiniLM:
    """Loads the model from `config.json`, `tokenizer.json` and `model.safetensors`.

    Raises OSError if a file is missing, ValueError if the model is not a BERT with GELU.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config["model_type"] != "bert" or config["hidden_act"] != "gelu":
        raise ValueError(
            f"{folder} holds a {config['model_type']} with {config['hidden_act']}, not BERT with GELU"
        )
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    weights = {
        name: np.asarray(w, np.float32)
        for name, w in load_file(folder / "model.safetensors").items()
        if w.dtype.kind == "f"
    }
    return MiniLM(
        weights,
        tokenizer,
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        epsilon=config["layer_norm_eps"],
        threads=ThreadpoolController(),
    )


def encode(model: MiniLM, texts: list[str]) -> Array:
    """One unit vector per text: float32 [len(texts), hidden]. `texts` must not be empty.

    Uses one BLAS thread: waiting threads spin, which next to a busy engine cost ten times the processor time
    of the work itself (measured on two cores: 10.1 s against 1.0 s).
    """
    encodings = model.tokenizer.encode_batch(texts)
    ids = np.array([e.ids for e in encodings])
    mask = np.array([e.attention_mask for e in encodings], dtype=np.float32)
    with model.threads.limit(limits=1, user_api="blas"):
        hidden = _embeddings(model, ids)
        for layer in range(model.layers):
            hidden = _layer(model, f"encoder.layer.{layer}", hidden, mask)
    return _mean_of_tokens(hidden, mask)


def mean_word_embeddings(model: MiniLM, texts: list[str]) -> Array:
    """One unit vector per text, the mean of its input embeddings: float32 [len(texts), hidden].

    Skips the encoder, so it takes less than a hundredth of the time of `encode` and knows no word order.
    """
    encodings = model.tokenizer.encode_batch(texts)
    ids = np.array([e.ids for e in encodings])
    mask = np.array([e.attention_mask for e in encodings], dtype=np.float32)
    return _mean_of_tokens(_embeddings(model, ids), mask)


def token_counts(model: MiniLM, texts: list[str]) -> list[int]:
    """The number of tokens of each text before truncation, special tokens included."""
    counts: list[int] = []
    for encoding in model.tokenizer.encode_batch(texts):
        truncated = sum(sum(part.attention_mask) - SPECIAL_TOKENS for part in encoding.overflowing)
        counts.append(sum(encoding.attention_mask) + truncated)
    return counts


def _mean_of_tokens(hidden: Array, mask: Array) -> Array:
    pooled = (hidden * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    unit: Array = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
    return unit


def _embeddings(model: MiniLM, ids: NDArray[np.int64]) -> Array:
    table = model.weights
    summed = (
        table["embeddings.word_embeddings.weight"][ids]
        + table["embeddings.position_embeddings.weight"][: ids.shape[1]]
        + table["embeddings.token_type_embeddings.weight"][0]
    )
    return _layer_norm(model, "embeddings.LayerNorm", summed)


def _layer(model: MiniLM, name: str, hidden: Array, mask: Array) -> Array:
    """Post-norm transformer block of Devlin et al. 2019; hidden is [batch, tokens, width]."""
    attended = _linear(model, f"{name}.attention.output.dense", _attention(model, name, hidden, mask))
    hidden = _layer_norm(model, f"{name}.attention.output.LayerNorm", attended + hidden)
    inner = _linear(model, f"{name}.intermediate.dense", hidden)
    inner *= 0.5 * (1.0 + erf(inner / np.float32(np.sqrt(2.0))))
    return _layer_norm(
        model, f"{name}.output.LayerNorm", _linear(model, f"{name}.output.dense", inner) + hidden
    )


def _attention(model: MiniLM, name: str, hidden: Array, mask: Array) -> Array:
    batch, tokens, width = hidden.shape
    size = width // model.heads
    query, keys, values = (
        _linear(model, f"{name}.attention.self.{part}", hidden)
        .reshape(batch, tokens, model.heads, size)
        .transpose(0, 2, 1, 3)
        for part in ("query", "key", "value")
    )
    logits = query @ keys.transpose(0, 1, 3, 2) / np.float32(np.sqrt(size))
    logits += np.where(mask > 0, np.float32(0.0), np.float32(-1e9))[:, None, None, :]
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    joined: Array = (weights @ values).transpose(0, 2, 1, 3).reshape(batch, tokens, width)
    return joined


def _linear(model: MiniLM, name: str, x: Array) -> Array:
    y: Array = x @ model.weights[f"{name}.weight"].T + model.weights[f"{name}.bias"]
    return y


def _layer_norm(model: MiniLM, name: str, x: Array) -> Array:
    centred = x - x.mean(axis=-1, keepdims=True)
    scale = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(model.epsilon))
    y: Array = centred / scale * model.weights[f"{name}.weight"] + model.weights[f"{name}.bias"]
    return y
