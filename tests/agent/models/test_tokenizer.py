"""Tokenizers rebuilt from GGUF fields split as the original did, and give every text back."""

import pytest

from agent.errors import ModelRefused
from agent.models.catalogue import TokenizerRecipe
from agent.models.tokenizer import TokenizerFields, build_tokenizer

SENTENCEPIECE = TokenizerRecipe(kind="sentencepiece-bpe", plain=r"<unused\d+>")
NORMAL, UNKNOWN, CONTROL, USER, BYTE = 1, 2, 3, 4, 6
PIECES: tuple[tuple[str, int, float], ...] = (
    ("<pad>", CONTROL, 0.0),
    ("<eos>", CONTROL, 0.0),
    ("<bos>", CONTROL, 0.0),
    ("<unk>", UNKNOWN, 0.0),
    ("<turn>", CONTROL, 0.0),
    ("<unused0>", CONTROL, 0.0),
    ("  ", USER, 0.0),
    *((f"<0x{byte:02X}>", BYTE, 0.0) for byte in range(256)),
    ("ab", NORMAL, -1.0),
    ("abc", NORMAL, -2.0),
    ("bc", NORMAL, -3.0),
    ("\u2581a", NORMAL, -4.0),
    *((letter, NORMAL, -float(10 + i)) for i, letter in enumerate("abc\u2581<>undse0")),
)


def fields(**changes: object) -> TokenizerFields:
    pieces, types, ranks = zip(*PIECES, strict=True)
    whole = TokenizerFields(
        model="llama", pieces=pieces, types=types, ranks=ranks, bos=2, unknown=3, padding=0, adds_bos=True
    )
    return whole.model_copy(update=changes)


def split(text: str, **options: bool) -> list[str]:
    return list(build_tokenizer(fields(), SENTENCEPIECE).encode(text, **options).tokens)


def test_the_piece_of_the_highest_rank_is_merged_first() -> None:
    assert split("abc", add_special_tokens=False) == ["abc"]
    assert split("bcab", add_special_tokens=False) == ["bc", "ab"]


def test_what_no_piece_covers_is_spelt_in_bytes() -> None:
    assert split("\u00e9", add_special_tokens=False) == ["<0xC3>", "<0xA9>"]


def test_a_text_begins_with_bos_where_the_file_says_so() -> None:
    assert split("a") == ["<bos>", "a"]
    without = build_tokenizer(fields(adds_bos=False), SENTENCEPIECE)
    assert without.encode("a").tokens == ["a"]


def test_a_run_of_spaces_is_one_user_defined_piece() -> None:
    assert split("a  a", add_special_tokens=False) == ["a", "\u2581\u2581", "a"]
    assert split("a a", add_special_tokens=False) == ["a", "\u2581a"]


def test_control_tokens_are_special_and_unused_ones_ordinary_text() -> None:
    assert split("a<turn>a", add_special_tokens=False) == ["a", "<turn>", "a"]
    assert split("<unused0>", add_special_tokens=False) == list("<unused0>")


@pytest.mark.parametrize("text", ["abc", "  abc  cab ", "caf\u00e9 \u65e5\u672c \U0001f642", "\t\n\n", ""])
def test_texts_come_back_as_they_were(text: str) -> None:
    tokenizer = build_tokenizer(fields(), SENTENCEPIECE)
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False).ids) == text


def test_all_ids_are_those_of_the_file() -> None:
    tokenizer = build_tokenizer(fields(), SENTENCEPIECE)
    assert tokenizer.get_vocab_size() == len(PIECES)
    assert tokenizer.token_to_id("abc") == [piece for piece, _, _ in PIECES].index("abc")


def byte_level(*, digits_apart: bool) -> list[str]:
    pieces = ("<end>", "\u0120", "1", "2", "a", "\u01201", "12", "\u0120\u0120")
    made = TokenizerFields(
        model="gpt2",
        pieces=pieces,
        types=(CONTROL, *(NORMAL,) * 7),
        merges=("\u0120 1", "1 2", "\u0120 \u0120"),
    )
    recipe = TokenizerRecipe(kind="byte-level-bpe", digits_apart=digits_apart)
    return list(build_tokenizer(made, recipe).encode("a  12<end>").tokens)


def test_digits_stand_apart_where_the_recipe_says_so() -> None:
    assert byte_level(digits_apart=True) == ["a", "\u0120\u0120", "1", "2", "<end>"]
    assert byte_level(digits_apart=False) == ["a", "\u0120", "\u01201", "2", "<end>"]


@pytest.mark.parametrize(
    "changes", [{"model": "gpt2"}, {"ranks": ()}, {"adds_space": True}, {"unknown": None}, {"types": (1,)}]
)
def test_fields_of_another_kind_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ModelRefused):
        build_tokenizer(fields(**changes), SENTENCEPIECE)
