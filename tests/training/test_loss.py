"""The loss: surprise at what is taught, and distance from the base model on its own answers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.encoding import IGNORED, Tensors
from training.loss import distillation_loss, taught_loss

VOCABULARY, K = 11, 3


def held(logits: torch.Tensor) -> Tensors:
    """What a card holds of a model; logits [batch, length, vocabulary], the first is padding."""
    top = logits.log_softmax(-1).topk(K)
    labels = logits.argmax(-1)
    labels[:, 0] = IGNORED
    return {"labels": labels, "ids": top.indices, "logprobs": top.values}


def drawn(seed: int, scale: float = 2.0) -> torch.Tensor:
    return scale * torch.randn(2, 4, VOCABULARY, generator=torch.Generator().manual_seed(seed))


def whole(before: torch.Tensor, now: torch.Tensor) -> float:
    """KL over the whole vocabulary, of all but the padding."""
    b, n = before[:, 1:].log_softmax(-1), now[:, 1:].log_softmax(-1)
    return float((b.exp() * (b - n)).sum(-1).mean())


def test_a_model_that_equals_the_base_is_at_no_distance_from_it() -> None:
    assert distillation_loss(drawn(0), held(drawn(0))) == pytest.approx(0.0, abs=1e-5)


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_the_distance_is_never_negative_and_never_more_than_the_whole_divergence(one: int, two: int) -> None:
    found = float(distillation_loss(drawn(two), held(drawn(one))))
    assert -1e-5 <= found <= whole(drawn(one), drawn(two)) + 1e-4


def test_with_all_tokens_among_the_likeliest_it_is_the_whole_divergence() -> None:
    before, now = drawn(1), drawn(2)
    top = before.log_softmax(-1).topk(VOCABULARY)
    batch = {**held(before), "ids": top.indices, "logprobs": top.values}
    assert float(distillation_loss(now, batch)) == pytest.approx(whole(before, now), rel=1e-3)


def test_mass_that_moves_to_tokens_outside_the_likeliest_counts() -> None:
    before = drawn(3)
    unlikely = before.argmin(-1, keepdim=True)
    moved = before.scatter_add(-1, unlikely, torch.full_like(unlikely, 20, dtype=torch.float))
    assert distillation_loss(moved, held(before)) > 1.0


def test_padding_is_free() -> None:
    before = drawn(4)
    moved = before.clone()
    moved[:, 0] += drawn(5)[:, 0] * 10
    assert distillation_loss(moved, held(before)) == pytest.approx(0.0, abs=1e-5)


def test_taught_tokens_count_with_plain_cross_entropy() -> None:
    logits = drawn(6)
    labels = torch.tensor([[IGNORED, 1, 2, 3], [IGNORED, IGNORED, 4, 5]])
    real = labels != IGNORED
    expected = torch.nn.functional.cross_entropy(logits[real], labels[real])
    torch.testing.assert_close(taught_loss(logits, {"labels": labels}), expected)
