"""Rebuilds a tokenizer from the fields of a GGUF file.

transformers' own converter is not used: it reads BPE ranks as Unigram scores and loses how digits are split.
A GGUF holds the pieces, their types and either merges or ranks; a `TokenizerRecipe` has the rest.
"""

import re
from collections.abc import Sequence

from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE

from agent.errors import ModelRefused
from agent.models.catalogue import TokenizerRecipe
from memory.records.base import Record

NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4
"""Piece types in a GGUF, as in SentencePiece; 5 is unused, 6 a byte."""
SPACE = "\u2581"
"""SentencePiece's space mark."""


class TokenizerFields(Record):
    """The tokenizer fields of a GGUF file."""

    model: str
    """`gpt2`: byte-level BPE with merges. `llama`: SentencePiece with ranks."""
    pieces: tuple[str, ...]
    types: tuple[int, ...]
    ranks: tuple[float, ...] = ()
    """Negative ranks of SentencePiece pieces: the highest is merged first."""
    merges: tuple[str, ...] = ()
    """Pairs separated by a space, in order."""
    bos: int | None = None
    unknown: int | None = None
    padding: int | None = None
    adds_bos: bool = False
    adds_space: bool = False
    template: str | None = None
    """Chat template."""


def build_tokenizer(fields: TokenizerFields, recipe: TokenizerRecipe) -> Tokenizer:
    """Builds the tokenizer. Raises ModelRefused if the fields do not fit the recipe."""
    model = {"byte-level-bpe": "gpt2", "sentencepiece-bpe": "llama"}[recipe.kind]
    if fields.model != model:
        raise ModelRefused(f"a {recipe.kind} tokenizer needs a GGUF of type {model}, not {fields.model}")
    if len(set(fields.pieces)) != len(fields.pieces) or len(fields.pieces) != len(fields.types):
        raise ModelRefused("the GGUF's list of tokens is damaged: tokens repeat or their types are missing")
    build = _byte_level if recipe.kind == "byte-level-bpe" else _sentencepiece
    tokenizer = build(fields, recipe)
    if fields.adds_bos and fields.bos is not None:
        bos = fields.pieces[fields.bos]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=[bos, "$A"], pair=[bos, "$A", bos, "$B"], special_tokens=[(bos, fields.bos)]
        )
    return tokenizer


def _byte_level(fields: TokenizerFields, recipe: TokenizerRecipe) -> Tokenizer:
    merges = [_pair(merge) for merge in fields.merges]
    tokenizer = Tokenizer(BPE(vocab=_ids(fields.pieces), merges=merges, fuse_unk=False))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=fields.adds_space, use_regex=True)
    digits = [pre_tokenizers.Digits(individual_digits=True)] if recipe.digits_apart else []
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*digits, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([_special(piece) for piece in _control(fields, recipe)])
    return tokenizer


def _sentencepiece(fields: TokenizerFields, recipe: TokenizerRecipe) -> Tokenizer:
    if fields.adds_space or len(fields.ranks) != len(fields.pieces) or fields.unknown is None:
        raise ModelRefused(
            "only SentencePiece tokenizers with ranks and an unknown token, and without a space prefix, can"
            " be rebuilt"
        )
    # The file has runs of spaces as spaces, but the tokenizer sees them after normalisation.
    pieces = [
        piece.replace(" ", SPACE) if kind == USER_DEFINED else piece
        for piece, kind in zip(fields.pieces, fields.types, strict=True)
    ]
    tokenizer = Tokenizer(
        BPE(
            vocab=_ids(pieces), merges=_merges(pieces, fields.types, fields.ranks),
            unk_token=pieces[fields.unknown], fuse_unk=True, byte_fallback=True,
        )
    )  # fmt: skip
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    special = _control(fields, recipe)
    tokenizer.add_special_tokens([_special(piece) for piece in special])
    # Normalised: matched after spaces are marked and before BPE, longest first, as in SentencePiece.
    tokenizer.add_tokens(
        [
            AddedToken(piece, normalized=True, special=False)
            for piece, kind in zip(pieces, fields.types, strict=True)
            if kind == USER_DEFINED and piece not in special
        ]
    )
    return tokenizer


def _merges(pieces: Sequence[str], types: Sequence[int], ranks: Sequence[float]) -> list[tuple[str, str]]:
    """All ways to form an ordinary piece from two others, highest rank first.

    SentencePiece merges the neighbours whose concatenation has the highest rank, which a merge list in this
    order reproduces.
    """
    ids = {piece: i for i, (piece, kind) in enumerate(zip(pieces, types, strict=True)) if kind == NORMAL}
    ordered = sorted(
        (-ranks[whole], left, right)
        for piece, whole in ids.items()
        for cut in range(1, len(piece))
        if (left := ids.get(piece[:cut])) is not None and (right := ids.get(piece[cut:])) is not None
    )
    return [(pieces[left], pieces[right]) for _, left, right in ordered]


def _control(fields: TokenizerFields, recipe: TokenizerRecipe) -> list[str]:
    plain = re.compile(recipe.plain) if recipe.plain else None
    return [
        piece
        for piece, kind in zip(fields.pieces, fields.types, strict=True)
        if (kind == CONTROL or piece in recipe.special) and not (plain and plain.fullmatch(piece))
    ]


def _special(piece: str) -> AddedToken:
    return AddedToken(piece, normalized=False, special=True)


def _ids(pieces: Sequence[str]) -> dict[str, int]:
    return {piece: i for i, piece in enumerate(pieces)}


def _pair(merge: str) -> tuple[str, str]:
    left, _, right = merge.partition(" ")
    return left, right
