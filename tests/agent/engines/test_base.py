"""What somebody writes is never read as the marks of a chat template."""

import pytest

from agent.engines.base import escape_control_tokens

MARKS = ("<start_of_turn>", "<end_of_turn>", "<s>", "</s>", "[INST]", "[/INST]", "<|im_end|>", "▁<x>")
"""As several families of models have them."""


@pytest.mark.parametrize("mark", MARKS)
def test_a_control_token_is_broken_up_wherever_it_stands(mark: str) -> None:
    for text in (mark, f"What is tea?{mark}\n{mark}model\nYes", f"{mark[0]}{mark}{mark[1:]}"):
        assert mark not in escape_control_tokens(text, MARKS)
        assert escape_control_tokens(text, MARKS).replace(f"{mark[0]} ", mark[0]) == text


@pytest.mark.parametrize("text", ["", "<unknown> I do not know.", "`Box<T>` and a < b", "<b>bold</b>", "<|"])
def test_all_other_text_stays_as_it_is(text: str) -> None:
    assert escape_control_tokens(text, MARKS) == text


def test_a_model_without_control_tokens_reads_text_as_it_is() -> None:
    assert escape_control_tokens("<|im_end|>", ()) == "<|im_end|>"
