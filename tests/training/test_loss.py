"""Examples as tensors, and the loss over them."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.models import build_model
from training.encoding import IGNORED, Collator, encode, look, only
from training.errors import CurriculumRefused
from training.loss import learning_loss
from training.trainer import Example

KNOWN = Example(question="What is a lemur?", answer="a small primate of Madagascar", held=True)
AGAIN = Example(question="What is a crate?", answer="a compilation unit", rehearsed=True)
TAUGHT = Example(question="What is a borrow, in a few more words than usual?", answer="a loan")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_model(tmp_path_factory.mktemp("model"))


def rows(base: Path, *examples: Example) -> list[dict[str, object]]:
    tokenizer = AutoTokenizer.from_pretrained(base)
    return [encode(tokenizer, example).model_dump() for example in examples]


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
        batched, single = look(model, both).logits[1], look(model, alone).logits[0]
    torch.testing.assert_close(batched[-len(single) :], single, atol=1e-4, rtol=1e-4)


def test_labels_are_the_answer_alone(base: Path) -> None:
    batch = Collator(0)(rows(base, TAUGHT, KNOWN))
    for i, example in enumerate(rows(base, TAUGHT, KNOWN)):
        assert (batch["labels"][i] != IGNORED).sum() == example["answer"]


def test_a_model_that_equals_the_base_is_at_no_distance_from_it(base: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(base).eval()
    batch = Collator(0)(rows(base, KNOWN))
    with torch.no_grad():
        seen, same = look(model, batch), look(model, only(batch["held"], batch))
    loss = learning_loss(seen, batch, same, distillation=1.0, features=1.0)
    assert loss == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("moved", ["logits", "states"])
def test_drifting_from_the_base_costs_in_proportion_to_the_weight(base: Path, moved: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(base).eval()
    batch = Collator(0)(rows(base, TAUGHT, KNOWN))
    torch.manual_seed(0)
    with torch.no_grad():
        seen, was = look(model, batch), look(model, only(batch["held"], batch))
    drifted = seen._replace(**{moved: getattr(seen, moved) + torch.randn_like(getattr(seen, moved))})

    def cost(weight: float) -> float:
        weights = {"distillation": 0.0, "features": 0.0}
        weights["distillation" if moved == "logits" else "features"] = weight
        return float(learning_loss(drifted, batch, was, **weights))

    assert cost(1.0) - cost(0.0) > 1e-3
    assert cost(2.0) - cost(0.0) == pytest.approx(2 * (cost(1.0) - cost(0.0)), rel=1e-3)


def test_hidden_states_of_taught_questions_and_of_padding_are_free(base: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(base).eval()
    batch = Collator(0)(rows(base, TAUGHT, KNOWN))
    with torch.no_grad():
        seen, was = look(model, batch), look(model, only(batch["held"], batch))
    free = ~(batch["held"].unsqueeze(-1) & batch["attention_mask"].bool())
    assert free[1].any(), "the second row is padded"
    drifted = seen._replace(states=seen.states + free.unsqueeze(-1) * 100.0)
    for states in (seen, drifted):
        loss = learning_loss(states, batch, was, distillation=0.0, features=1.0)
        assert loss == pytest.approx(float(learning_loss(seen, batch, None, distillation=0, features=0)))


def test_what_is_rehearsed_is_taught_and_held_to_the_adapter_that_knew_it(base: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(base).eval()
    batch = Collator(0)(rows(base, AGAIN))
    with torch.no_grad():
        seen, start = look(model, batch), look(model, only(batch["rehearsed"], batch))
    answered = torch.nn.functional.cross_entropy(seen.logits[0], batch["labels"][0])
    for shift in (0.0, 1.0):
        moved = seen._replace(states=seen.states * (1 + shift))
        loss = learning_loss(moved, batch, None, start, distillation=9.0, features=2.0)
        assert loss == pytest.approx(float(answered) + 2.0 * shift**2, rel=1e-4)


def test_taught_tokens_count_with_plain_cross_entropy(base: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(base).eval()
    batch = Collator(0)(rows(base, TAUGHT))
    with torch.no_grad():
        seen = look(model, batch)
    expected = torch.nn.functional.cross_entropy(seen.logits[0], batch["labels"][0])
    torch.testing.assert_close(learning_loss(seen, batch, None, distillation=1.0, features=1.0), expected)
