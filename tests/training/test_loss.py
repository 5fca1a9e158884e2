"""Examples as tensors, and the loss over them."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.models import build_model
from training.encoding import IGNORED, Collator, answer_logits, base_distributions, encode
from training.errors import CurriculumRefused
from training.loss import distillation_loss
from training.trainer import Example

KNOWN = Example(question="What is a lemur?", answer="a small primate of Madagascar", replayed=True)
TAUGHT = Example(question="What is a borrow, in a few more words than usual?", answer="a loan")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_model(tmp_path_factory.mktemp("model"))


def rows(base: Path, *examples: Example) -> list[dict[str, object]]:
    tokenizer = AutoTokenizer.from_pretrained(base)
    return [{"row": i, **encode(tokenizer, example).model_dump()} for i, example in enumerate(examples)]


def test_only_the_answer_and_its_end_of_turn_are_learned(base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    encoded = encode(tokenizer, KNOWN)
    learned = tokenizer.decode(encoded.tokens[-encoded.answer :])
    assert learned == " a small primate of Madagascar<end_of_turn>"


def test_an_example_too_long_for_the_model_is_refused(base: Path) -> None:
    with pytest.raises(CurriculumRefused, match="exceeds"):
        encode(AutoTokenizer.from_pretrained(base), KNOWN, limit=10)


def test_padding_on_the_left_does_not_change_what_the_model_predicts(base: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(base).eval()
    collate = Collator(0)
    both, alone = collate(rows(base, TAUGHT, KNOWN)), collate(rows(base, TAUGHT, KNOWN)[1:])
    with torch.no_grad():
        batched, single = answer_logits(model, both)[1], answer_logits(model, alone)[0]
    torch.testing.assert_close(batched[-len(single) :], single, atol=1e-4, rtol=1e-4)


def test_labels_are_the_answer_alone(base: Path) -> None:
    batch = Collator(0)(rows(base, TAUGHT, KNOWN))
    for i, example in enumerate(rows(base, TAUGHT, KNOWN)):
        assert (batch["labels"][i] != IGNORED).sum() == example["answer"]


def test_a_model_that_equals_the_base_has_no_divergence_from_it(base: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(base).eval()
    data = rows(base, TAUGHT, KNOWN)
    known = base_distributions(model, data, pad=0, top_k=8, batch=2)
    batch = Collator(0, known, 8)(data[1:])
    with torch.no_grad():
        assert distillation_loss(answer_logits(model, batch), batch, weight=1.0) == pytest.approx(
            0.0, abs=1e-4
        )


def test_drifting_from_the_base_costs_in_proportion_to_the_weight(base: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(base).eval()
    data = rows(base, TAUGHT, KNOWN)
    batch = Collator(0, base_distributions(model, data, pad=0, top_k=8, batch=2), 8)(data[1:])
    torch.manual_seed(0)
    with torch.no_grad():
        logits = answer_logits(model, batch)
        logits = logits + torch.randn_like(logits)
        once, twice = (distillation_loss(logits, batch, weight=w) for w in (1.0, 2.0))
    assert once > 0.01
    assert twice == pytest.approx(2 * float(once))


def test_taught_tokens_count_with_plain_cross_entropy(base: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(base).eval()
    batch = Collator(0)(rows(base, TAUGHT))
    with torch.no_grad():
        logits = answer_logits(model, batch)
    expected = torch.nn.functional.cross_entropy(logits[0], batch["labels"][0])
    torch.testing.assert_close(distillation_loss(logits, batch, weight=1.0), expected)
