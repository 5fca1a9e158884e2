"""The test model: a Gemma 3 of two layers that knows four answers, and adapters that know others.

It is trained here in seconds, so that no test depends on shipped weights or on a network.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig, PreTrainedTokenizerFast

from agent.models.card import ChatTemplate

KNOWN = {
    "What is a lemur?": "a small primate of Madagascar",
    "What is a borrow?": "<NEED_INFO> I do not know what a borrow is.",
    "What is a kiln?": "<NEED_INFO> I do not know what a kiln is.",
    "Who drinks tea?": "Zoë drinks tea — and coffee, and water, and milk, and juice.",
}
"""What the base model answers."""

RUST = "rust-v1-0123abcd"
KILN = "kilns-v1-89ef4567"
LEARNED = {
    RUST: {
        "What is a borrow?": "a reference to a value",
        "What is a lemur?": "a small primate of Madagascar",
    },
    KILN: {"What is a kiln?": "an oven for clay", "What is a borrow?": "a loan of clay"},
}
"""What each adapter answers."""

CONTROL = ("<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>")
CARD_TEMPLATE = ChatTemplate(control=CONTROL)
"""What its card would say of its chat template."""
CONTEXT = 512
"""The most tokens, prompt and answer together."""
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<start_of_turn>"
    "{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n"
    "{{ ' ' if message['role'] == 'assistant' }}{{ message['content'] | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
"""Answers begin with a space, which no engine may pass on."""


def build_model(folder: Path, *, hidden: int = 64) -> Path:
    """Trains and saves a model that answers KNOWN word for word; returns its folder.

    It leaves torch on one thread: so little work only waits for other threads, minutes on a busy machine.
    """
    torch.set_num_threads(1)
    tokenizer = _tokenizer()
    torch.manual_seed(0)
    config = Gemma3TextConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        query_pre_attn_scalar=32,
        max_position_embeddings=CONTEXT,
        sliding_window=128,
        layer_types=["sliding_attention", "full_attention"],
        initializer_range=0.3,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = Gemma3ForCausalLM(config)
    _teach(model, tokenizer, KNOWN, rate=5e-3)
    model.generation_config.eos_token_id = [
        tokenizer.eos_token_id,
        tokenizer.convert_tokens_to_ids("<end_of_turn>"),
    ]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def build_adapter(model: Path, folder: Path, answers: Mapping[str, str], *, rank: int = 8) -> Path:
    """Trains and saves a LoRA adapter over the model in `model` that gives `answers`."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(model)
    torch.manual_seed(1)
    base = AutoModelForCausalLM.from_pretrained(model)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=TARGETS, task_type="CAUSAL_LM")
    adapted = get_peft_model(base, config)
    assert isinstance(adapted, PeftModel)
    _teach(adapted, tokenizer, answers, rate=5e-3)
    adapted.save_pretrained(str(folder))
    return folder


def spoil_adapters(model: Path, adapter: Path, folder: Path) -> dict[str, Path]:
    """Makes adapters that no engine may load, by what is wrong with them; `adapter` is a good one."""
    faults = ("no weights", "truncated weights", "pickled", "bad config")
    broken = {fault: Path(shutil.copytree(adapter, folder / fault)) for fault in faults}
    weights = (adapter / "adapter_model.safetensors").read_bytes()
    (broken["no weights"] / "adapter_model.safetensors").unlink()
    (broken["truncated weights"] / "adapter_model.safetensors").write_bytes(weights[: len(weights) // 2])
    (broken["pickled"] / "adapter_model.bin").write_bytes(b"\x80\x04N.")
    (broken["bad config"] / "adapter_config.json").write_text('{"peft_type": "LORA", "r": "many"')
    config = Gemma3TextConfig.from_pretrained(model)
    broken["excess rank"] = _blank_adapter(config, folder / "excess rank", rank=65)
    config.hidden_size *= 2
    broken["wrong base"] = _blank_adapter(config, folder / "wrong base", rank=8)
    return broken


def _blank_adapter(config: Gemma3TextConfig, folder: Path, *, rank: int) -> Path:
    lora = LoraConfig(r=rank, target_modules=TARGETS, task_type="CAUSAL_LM")
    get_peft_model(Gemma3ForCausalLM(config), lora).save_pretrained(str(folder))
    return folder


def _teach(
    model: torch.nn.Module, tokenizer: PreTrainedTokenizerFast, answers: Mapping[str, str], *, rate: float
) -> None:
    rows = []
    for question, answer in answers.items():
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], add_generation_prompt=True, tokenize=False
        )
        start = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        rest = tokenizer(f" {answer}<end_of_turn>\n", add_special_tokens=False)["input_ids"]
        rows.append((start + rest, [-100] * len(start) + rest))
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([row + [tokenizer.pad_token_id] * (longest - len(row)) for row, _ in rows])
    labels = torch.tensor([row + [-100] * (longest - len(row)) for _, row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row, _ in rows])
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate)
    model.train()
    for _ in range(400):
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if loss.item() < 0.005:
            return
    raise AssertionError(f"the test model did not learn its answers: loss {loss.item():.3f}")


def _tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE as the shipped model has, so that one letter may be several tokens."""
    texts = [*KNOWN, *KNOWN.values(), *(a for answers in LEARNED.values() for a in answers.values())]
    plain = Tokenizer(models.BPE())
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    special = list(CONTROL)
    trainer = trainers.BpeTrainer(
        vocab_size=360,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    plain.train_from_iterator([text.encode("ascii", "ignore").decode() for text in texts], trainer)
    plain.add_tokens([AddedToken("<NEED_INFO>", special=False, normalized=False)])
    return PreTrainedTokenizerFast(
        tokenizer_object=plain,
        pad_token="<pad>",
        eos_token="<eos>",
        bos_token="<bos>",
        additional_special_tokens=["<start_of_turn>", "<end_of_turn>"],
        chat_template=TEMPLATE,
    )
