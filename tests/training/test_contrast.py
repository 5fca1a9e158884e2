"""Where a LoRA starts: it answers to what is taught more than to what is kept, and changes nothing yet."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.models import build_model
from training import contrast
from training.encoding import Collator, answer_logits, encode
from training.peft import lora
from training.recipes import quick
from training.trainer import Example

TAUGHT = [Example(question=f"Who drinks tea {n} times?", answer="Zoë") for n in range(40)]
KEPT = [Example(question=f"What is a lemur {n}?", answer="a small primate", replayed=True) for n in range(40)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_model(tmp_path_factory.mktemp("model"))


def rows(base: Path, *examples: Example) -> list[dict[str, Any]]:
    tokenizer = AutoTokenizer.from_pretrained(base)
    return [{"row": i, **encode(tokenizer, example).model_dump()} for i, example in enumerate(examples)]


def response(model: torch.nn.Module, examples: list[dict[str, Any]]) -> torch.Tensor:
    """Mean square output of every A over the examples."""
    found: list[torch.Tensor] = []
    layers = [module for module in model.modules() if hasattr(module, "lora_A")]
    handles = [
        layer.lora_A["default"].register_forward_hook(lambda _, __, out: found.append(out.pow(2).mean()))
        for layer in layers
    ]
    batch = Collator(0)(examples)
    with torch.no_grad():
        answer_logits(model, batch)
    for handle in handles:
        handle.remove()
    return torch.stack(found)


def test_it_answers_to_what_is_taught_more_than_to_what_is_kept_and_changes_nothing(base: Path) -> None:
    plain = AutoModelForCausalLM.from_pretrained(base)
    examples = rows(base, *TAUGHT, *KEPT)
    batch = Collator(0)(examples[:4])
    with torch.no_grad():
        before = answer_logits(plain, batch)
    torch.manual_seed(0)
    adapted = get_peft_model(plain, lora(quick()))
    random_start = response(adapted, examples[:40]) / response(adapted, examples[40:])
    contrast.start(adapted, examples, pad=0, seed=0)
    chosen = response(adapted, examples[:40]) / response(adapted, examples[40:])
    assert bool((chosen > random_start).all())
    assert chosen.median() > 2 * random_start.median()
    with torch.no_grad():
        torch.testing.assert_close(answer_logits(adapted, batch), before)


def test_without_anything_to_keep_the_start_is_left_as_it_was(base: Path) -> None:
    torch.manual_seed(0)
    adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(base), lora(quick()))
    before = [p.clone() for n, p in adapted.named_parameters() if "lora_A" in n]
    contrast.start(adapted, rows(base, *TAUGHT), pad=0, seed=0)
    after = [p for n, p in adapted.named_parameters() if "lora_A" in n]
    assert all(torch.equal(was, now) for was, now in zip(before, after, strict=True))
