"""Tokenizers rebuilt from the fields of a GGUF file.

transformers' own converter guesses: it reads BPE ranks as Unigram scores, and forgets how digits are split.
What a GGUF
holds is the pieces, their types and either merges or ranks; a `TokenizerRecipe` says the rest.
"""

import re
from collections.abc import Sequence

from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE

from agent.errors import ModelRefused
from agent.models.catalogue import TokenizerRecipe
from memory.records.base import Record

NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4
"""Types of pieces in a GGUF, as in SentencePiece; 5 is unused, 6 a byte."""
SPACE = "\u2581"
"""SentencePiece's mark for a space."""


class TokenizerFields(Record):
    """What a GGUF says of its tokenizer."""

    model: str
    """`gpt2`: byte-level BPE with merges. `llama`: SentencePiece with ranks."""
    pieces: tuple[str, ...]
    types: tuple[int, ...]
    ranks: tuple[float, ...] = ()
    """Negative ranks of SentencePiece's pieces: the highest is merged first."""
    merges: tuple[str, ...] = ()
    """Pairs parted by a space, in order."""
    bos: int | None = None
    unknown: int | None = None
    padding: int | None = None
    adds_bos: bool = False
    adds_space: bool = False
    template: str | None = None
    """Chat template."""


def build_tokenizer(fields: TokenizerFields, recipe: TokenizerRecipe) -> Tokenizer:
    """The tokenizer of those fields. Raises ModelRefused where they are not what the recipe is for."""
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
            "only SentencePiece tokenizers that have ranks and an unknown token and put no space before a"
            " text"
            " can be rebuilt"
        )
    # Runs of spaces stand in the file as spaces, but the tokenizer sees them after normalisation.
    own = [
        piece.replace(" ", SPACE) if kind == USER_DEFINED else piece
        for piece, kind in zip(fields.pieces, fields.types, strict=True)
    ]
    tokenizer = Tokenizer(
        BPE(
            vocab=_ids(own), merges=_merges(own, fields.types, fields.ranks),
            unk_token=own[fields.unknown], fuse_unk=True, byte_fallback=True,
        )
    )  # fmt: skip
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    special = _control(fields, recipe)
    tokenizer.add_special_tokens([_special(piece) for piece in special])
    # Normalised: found in text whose spaces are marked already, before BPE and longest first, as
    # SentencePiece does.
    tokenizer.add_tokens(
        [
            AddedToken(piece, normalized=True, special=False)
            for piece, kind in zip(own, fields.types, strict=True)
            if kind == USER_DEFINED and piece not in special
        ]
    )
    return tokenizer


def _merges(pieces: Sequence[str], types: Sequence[int], ranks: Sequence[float]) -> list[tuple[str, str]]:
    """Every way to make an ordinary piece of two others, the highest rank first.

    SentencePiece merges the neighbours whose whole has the highest rank; a list of merges in that order does
    the same.
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
