"""Examples as tensors: as the model is served, and the answer alone learned."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from agent.engines import decoding
from agent.engines.decoding import logits_to_keep
from agent.models.card import ChatTemplate, PromptMessage
from tests.support import lessons
from tests.support.adopted_models import CONTEXT, build_model
from tests.support.cards import card
from tests.support.lessons import RECIPE
from training.backends import peft
from training.backends.base import AnswerDistribution, Example, single
from training.encoding import IGNORED, Collator, Encoder, answer_logits, with_distributions
from training.errors import BaseModelUnusable, CurriculumRefused
from training.loss import taught_loss
from training.recipes import Recipe

PLAIN = ChatTemplate()
SHORT = single("What is a lemur?", "a small primate of Madagascar")
LONG = single("What is a borrow, in a few more words than usual?", "a loan")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def tokenizer(base: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(base)


def encoder(tokenizer: PreTrainedTokenizerBase, template: ChatTemplate = PLAIN, limit: int = 512) -> Encoder:
    ends = tokenizer.convert_tokens_to_ids(["<end_of_turn>", "<eos>"])
    return Encoder(tokenizer, template, frozenset(ends), limit)


def own(tokens: list[int]) -> AnswerDistribution:
    count = len(tokens)
    return AnswerDistribution(
        np.array(tokens, np.int32),
        np.array([[t, 0] for t in tokens], np.int32),
        np.full((count, 2), np.log(0.4), np.float16),
    )


def test_only_the_answer_and_its_end_of_turn_are_learned(tokenizer: PreTrainedTokenizerBase) -> None:
    encoded = encoder(tokenizer).encode(SHORT)
    learned = tokenizer.decode(encoded.tokens[-encoded.answer :])
    assert learned == " a small primate of Madagascar<end_of_turn>"
    assert tokenizer.decode(encoded.tokens[: -encoded.answer]).endswith("<start_of_turn>model\n")


def test_a_template_whose_prompt_ends_a_thought_that_its_history_leaves_out_can_be_taught(
    base: Path,
) -> None:
    """As Qwen3's does with thinking off; the marks of the thought are never learned."""
    thinking = AutoTokenizer.from_pretrained(base)
    thinking.chat_template = thinking.chat_template.replace(
        "<start_of_turn>model\n{% endif %}", "<start_of_turn>model\n<think></think>{% endif %}"
    )
    encoded = encoder(thinking).encode(SHORT)
    assert thinking.decode(encoded.tokens[: -encoded.answer]).endswith("<think></think>")
    assert thinking.decode(encoded.tokens[-encoded.answer :]) == "a small primate of Madagascar<end_of_turn>"


def test_a_template_that_leaves_answers_out_is_refused(base: Path) -> None:
    silent = AutoTokenizer.from_pretrained(base)
    silent.chat_template = "{{ messages[0]['content'] }}"
    with pytest.raises(BaseModelUnusable, match="leaves answers out"):
        encoder(silent)


def test_a_system_message_goes_before_the_question_where_the_model_takes_none(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    turns = (
        PromptMessage(role="system", content="Be brief."),
        PromptMessage(role="user", content="What is a lemur?"),
    )
    encoded = encoder(tokenizer, ChatTemplate(system=False)).encode(Example(turns, "a primate"))
    text = tokenizer.decode(encoded.tokens)
    assert "<start_of_turn>user\nBe brief.\n\nWhat is a lemur?" in text
    assert "<start_of_turn>system" not in text


def test_control_tokens_in_a_lesson_are_plain_characters(tokenizer: PreTrainedTokenizerBase) -> None:
    encoded = encoder(tokenizer).encode(single("What is <end_of_turn>?", "a <end_of_turn> mark"))
    end = tokenizer.convert_tokens_to_ids("<end_of_turn>")
    assert encoded.tokens[-1] == end
    assert encoded.tokens.count(end) == 2, "one ends the question, one the answer"


def test_an_own_answer_is_the_models_own_tokens_from_its_beginning(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    encoded = encoder(tokenizer).encode(
        replace(SHORT, distilled=True, distribution=own([11, 12, 13, 14])), longest=3
    )
    assert encoded.tokens[-3:] == (11, 12, 13)
    assert encoded.distilled
    assert encoded.answer == 3
    assert encoded.ids is not None
    assert encoded.ids[:, 0].tolist() == [11, 12, 13]


def test_an_example_too_long_for_the_model_is_refused(tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(CurriculumRefused, match="exceeds"):
        encoder(tokenizer, limit=10).encode(SHORT)


def test_an_own_answer_too_long_for_the_model_is_cut_off_and_no_fault_of_the_lesson(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    prompt = len(encoder(tokenizer).encode(replace(SHORT, distilled=True, distribution=own([]))).tokens)
    kept = [
        replace(SHORT, distilled=True, distribution=own([11, 12, 13, 14])),
        replace(SHORT, distilled=True),
    ]
    for room in (2, 0, -3):
        for example in kept:
            encoded = encoder(tokenizer, limit=prompt + room).encode(example)
            assert encoded.answer == max(0, room)
            assert len(encoded.tokens) == prompt + max(0, room)


def test_an_own_answer_without_room_is_left_out_of_training(base: Path) -> None:
    model, tokenizer = peft.load_base_model(base)
    crowded = replace(single("Why? " * CONTEXT, "So."), distilled=True)
    made = peft.prepare_data(
        model, tokenizer, lessons.base(base, card(context=CONTEXT)), [SHORT, crowded], RECIPE
    )
    assert len(made.collator.examples) == 1


class OldForward(torch.nn.Module):
    """A model whose forward knows no logits_to_keep, as those of some architectures."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: object = None,
        use_cache: bool = False,
    ) -> object:
        return self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            use_cache=use_cache,
        )


def test_a_model_that_can_only_compute_all_logits_is_trained_the_same(
    base: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    model = AutoModelForCausalLM.from_pretrained(base).eval()
    old = OldForward(model)
    system = PromptMessage(role="system", content="You answer questions about animals and crafts.")
    examples = [
        encoder(tokenizer).encode(replace(each, messages=(system, *each.messages))) for each in (SHORT, LONG)
    ]
    batch = Collator(examples, 0)([{"number": 0}, {"number": 1}])["taught"]
    with torch.no_grad():
        torch.testing.assert_close(
            answer_logits(old, batch), answer_logits(model, batch), atol=1e-4, rtol=1e-4
        )
    together = with_distributions(old, examples, pad=0)
    for found, example in zip(together, examples, strict=True):
        (expected,) = with_distributions(model, [example], pad=0)
        assert found.logprobs is not None
        assert expected.logprobs is not None
        assert len(found.logprobs) == example.answer
        np.testing.assert_allclose(found.logprobs[:, 0], expected.logprobs[:, 0], atol=1e-2)


def test_an_adapted_models_signature_is_that_of_its_base(base: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(base)
    assert logits_to_keep(model, 3) == {"logits_to_keep": 3}
    assert logits_to_keep(OldForward(model), 3) == {}
    assert logits_to_keep(peft.attach_adapter(model, replace_modules(RECIPE), None), 3) == {
        "logits_to_keep": 3
    }


def replace_modules(recipe: Recipe) -> Recipe:
    return recipe.model_copy(update={"modules": ("q_proj",)})


def test_padding_on_the_left_does_not_change_what_the_model_predicts(
    base: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    model = AutoModelForCausalLM.from_pretrained(base).eval()
    examples = [encoder(tokenizer).encode(example) for example in (LONG, SHORT)]
    collate = Collator(examples, 0)
    both, alone = (collate([{"number": n} for n in rows])["taught"] for rows in ((0, 1), (1,)))
    with torch.no_grad():
        batched, single = answer_logits(model, both)[1], answer_logits(model, alone)[0]
    torch.testing.assert_close(batched[-len(single) :], single, atol=1e-4, rtol=1e-4)


def test_taught_and_held_rows_are_batches_of_their_own_with_the_answers_alone_as_labels(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    examples = [
        encoder(tokenizer).encode(each)
        for each in (
            SHORT,
            replace(LONG, distilled=True, distribution=own([11, 12, 13])),
            LONG,
            replace(SHORT, distilled=True, distribution=own([14])),
        )
    ]
    batch = Collator(examples, 0)([{"number": n} for n in range(4)])
    assert (batch["taught"]["labels"] != IGNORED).sum(1).tolist() == [examples[0].answer, examples[2].answer]
    held = batch["distilled"]
    assert held["labels"].tolist() == [[11, 12, 13], [IGNORED, IGNORED, 14]]
    assert held["ids"][1].tolist() == [[0, 0], [0, 0], [14, 0]]
    assert "ids" not in batch["taught"]


def test_what_all_prompts_begin_with_is_computed_once_and_changes_neither_loss_nor_gradients(
    base: Path, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = AutoModelForCausalLM.from_pretrained(base)
    system = PromptMessage(role="system", content="You answer questions about animals and crafts.")
    examples = [
        encoder(tokenizer).encode(replace(each, messages=(system, *each.messages))) for each in (SHORT, LONG)
    ]

    def gradients() -> tuple[int, torch.Tensor, torch.Tensor]:
        batch = Collator(examples, 0)([{"number": 0}, {"number": 1}])["taught"]
        model.zero_grad()
        loss = taught_loss(answer_logits(model, batch), batch)
        loss.backward()
        grads = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        return len(batch["prefix"]), loss.detach(), torch.cat(grads)

    assert not len(Collator(examples, 0, window=8)([{"number": 0}, {"number": 1}])["taught"]["prefix"])
    shared, loss, found = gradients()
    monkeypatch.setattr(decoding, "MIN_SHARED_PREFIX", 10_000)
    none, expected_loss, expected = gradients()
    assert shared > 8 > none == 0
    torch.testing.assert_close(loss, expected_loss, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-2)
