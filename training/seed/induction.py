"""Owns two hand-written first layers that copy from the start: without them, copying forms late or never.

They are the induction circuit of Olsson et al. (2022): layer 0 notes at each token which token came before
it, layer 1 looks for the notes that name the current token, and repeats what stood there. Both are head 0 of
fresh layers that are random elsewhere, and are trained like all others.
"""

import torch
from transformers import Gemma3ForCausalLM
from transformers.models.gemma3.modeling_gemma3 import Gemma3DecoderLayer

HEAD = 64
MATCHED = 14
"""First of the head's 32 rotary frequencies that turn slowly enough to compare contents across a context."""
NEAR = 8
"""Number of rotary frequencies that turn fast enough to tell a token's predecessor from others."""
COMMON = 16
"""Principal directions of the embeddings that many tokens share; names are compared without them."""
SHARED = 0.03
"""Standard deviation of a direction given to all embeddings: a query that every token can make needs one."""
SHARPNESS = 1.0
"""Weight of query and key norms; Gemma multiplies by 1 + weight, so that scores reach 32 instead of 8."""
STRENGTH = 0.5
"""Of what either head adds, before Gemma's norm."""
QUIET = -0.9
"""Weight of the norm after the feed-forward parts, which then add a tenth of what they would."""


def install(model: Gemma3ForCausalLM, *, seed: int) -> None:
    """Writes the circuit into the first two layers of a model with random weights."""
    generator = torch.Generator().manual_seed(seed)
    layers = model.model.layers
    with torch.no_grad():
        embeddings = model.model.embed_tokens.weight
        embeddings += SHARED * torch.randn(embeddings.shape[1], generator=generator)
        always, read, noted = _directions(embeddings.detach().float(), generator)
        _note_predecessor(layers[0], always, read, noted)
        _repeat_successor(layers[1], read, noted)


def _directions(
    embeddings: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(always [width], read [width, 64], noted [width, 64]) for `embeddings` [tokens, width].

    `always` is the mean of the embeddings, which every token holds. `read` and `noted` are orthonormal
    random projections away from it and from the COMMON directions: a token's name is read through the
    first, and its predecessor's written into the second.
    """
    width = embeddings.shape[1]
    mean = embeddings.mean(0)
    always = mean / mean.norm()
    centred = embeddings - mean
    _, _, principal = torch.linalg.svd(centred - centred @ torch.outer(always, always), full_matrices=False)
    avoided = torch.cat([always[None], principal[:COMMON]])
    random = torch.randn(width, 2 * HEAD, generator=generator)
    random = random - avoided.T @ torch.linalg.lstsq(avoided.T, random).solution
    basis, _ = torch.linalg.qr(random)
    return always, basis[:, :HEAD], basis[:, HEAD:]


def _note_predecessor(
    layer: Gemma3DecoderLayer, always: torch.Tensor, read: torch.Tensor, noted: torch.Tensor
) -> None:
    """Head 0 attends one token back: its constant query is the constant key, turned by one position.

    Frequencies are those of rotary embeddings with base 10,000, as in sliding layers.
    """
    attention = layer.self_attn
    half = HEAD // 2
    turn = 10_000.0 ** (-torch.arange(half) / half)
    near = (torch.arange(half) < NEAR).float()
    query = torch.cat([near * torch.cos(-turn), near * torch.sin(-turn)])
    key = torch.cat([near, torch.zeros(half)])
    _sharpen(layer)
    attention.q_proj.weight[:HEAD] = torch.outer(query, always)
    attention.k_proj.weight[:HEAD] = torch.outer(key, always)
    attention.v_proj.weight[:HEAD] = read.T
    attention.o_proj.weight[:, :HEAD] = STRENGTH * noted


def _repeat_successor(layer: Gemma3DecoderLayer, read: torch.Tensor, noted: torch.Tensor) -> None:
    """Head 0 attends where the noted predecessor is the current token, and names the token found there."""
    attention = layer.self_attn
    half = HEAD // 2
    slots = torch.cat([torch.arange(MATCHED, half), torch.arange(MATCHED, half) + half])
    _sharpen(layer)
    for projection, names in ((attention.q_proj, read), (attention.k_proj, noted)):
        projection.weight[:HEAD] = 0
        projection.weight[slots] = names.T[: len(slots)]
    attention.v_proj.weight[:HEAD] = read.T
    attention.o_proj.weight[:, :HEAD] = STRENGTH * read


def _sharpen(layer: Gemma3DecoderLayer) -> None:
    layer.self_attn.q_norm.weight.fill_(SHARPNESS)
    layer.self_attn.k_norm.weight.fill_(SHARPNESS)
    layer.post_feedforward_layernorm.weight.fill_(QUIET)
