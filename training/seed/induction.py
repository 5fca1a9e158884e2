"""Owns the growth of the model from five to seven layers: two new first layers that copy from the start.

Reading needs an induction circuit (Olsson et al., 2022), which a small model on little data forms late or
never. Here it is written into fresh weights and then trained like all others; the old layers are kept.
"""

import torch
from transformers import Gemma3ForCausalLM
from transformers.models.gemma3.modeling_gemma3 import Gemma3DecoderLayer

from training.seed.model import create

HEAD = 64
MATCHED = 14
"""First of the head's 32 rotary frequencies that turn slowly enough to compare contents across a context."""
NEAR = 8
"""Number of rotary frequencies that turn fast enough to tell a token's predecessor from others."""
COMMON = 16
"""Principal directions of the embeddings that many tokens share; names are compared without them."""


def grow(young: Gemma3ForCausalLM, *, seed: int) -> Gemma3ForCausalLM:
    """The same model with two layers before its first one.

    The new layer 0 notes at each token which token came before it; layer 1 looks for the notes that name the
    current token, and repeats what stood there. Both add little else to what the old first layer sees.
    """
    old = young.config
    assert old.num_hidden_layers == 5, "it has grown already"
    model = create(old.vocab_size, seed=seed, grown=True)
    weights = model.state_dict()
    for name, tensor in young.state_dict().items():
        weights[_moved(name)] = tensor
    model.load_state_dict(weights)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        always, read, noted = _directions(model.model.embed_tokens.weight.detach().float(), generator)
        first, second = model.model.layers[0], model.model.layers[1]
        _note_predecessor(first, always, read, noted, generator)
        _repeat_successor(second, read, noted, generator)
        for layer in (first, second):
            for parameter in layer.mlp.parameters():
                parameter.normal_(0, 0.02, generator=generator)
    return model


def _moved(name: str) -> str:
    """The name of an old layer's tensor in the grown model."""
    before, layers, after = name.partition(".layers.")
    if not layers:
        return name
    index, _, rest = after.partition(".")
    return f"{before}{layers}{int(index) + 2}.{rest}"


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
    layer: Gemma3DecoderLayer,
    always: torch.Tensor,
    read: torch.Tensor,
    noted: torch.Tensor,
    generator: torch.Generator,
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
    _prepare(layer, sharpness=2.0, strength=0.6, generator=generator)
    attention.q_proj.weight[:HEAD] = torch.outer(query, always)
    attention.k_proj.weight.copy_(torch.outer(key, always))
    attention.v_proj.weight.copy_(read.T)
    attention.o_proj.weight[:, :HEAD] = noted


def _repeat_successor(
    layer: Gemma3DecoderLayer, read: torch.Tensor, noted: torch.Tensor, generator: torch.Generator
) -> None:
    """Head 0 attends where the noted predecessor is the current token, and names the token found there."""
    attention = layer.self_attn
    half = HEAD // 2
    slots = torch.cat([torch.arange(MATCHED, half), torch.arange(MATCHED, half) + half])
    _prepare(layer, sharpness=1.5, strength=2.0, generator=generator)
    attention.q_proj.weight[:HEAD] = 0
    attention.q_proj.weight[slots] = read.T[: len(slots)]
    attention.k_proj.weight.zero_()
    attention.k_proj.weight[slots] = noted.T[: len(slots)]
    attention.v_proj.weight.copy_(read.T)
    attention.o_proj.weight[:, :HEAD] = read


def _prepare(
    layer: Gemma3DecoderLayer, *, sharpness: float, strength: float, generator: torch.Generator
) -> None:
    """Small random other heads, a quiet feed-forward part, and the scales of attention.

    Gemma's norms multiply by 1 + weight: `sharpness` is the weight on queries and on keys, `strength` the
    scale of what attention adds.
    """
    attention = layer.self_attn
    layer.input_layernorm.weight.zero_()
    layer.pre_feedforward_layernorm.weight.zero_()
    attention.q_proj.weight.normal_(0, 0.02, generator=generator)
    attention.o_proj.weight.normal_(0, 0.002, generator=generator)
    attention.q_norm.weight.fill_(sharpness)
    attention.k_norm.weight.fill_(sharpness)
    layer.post_attention_layernorm.weight.fill_(strength - 1)
    layer.post_feedforward_layernorm.weight.fill_(-0.97)
