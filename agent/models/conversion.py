"""Converts a GGUF file into a Hugging Face folder: bf16 safetensors, tokenizer, template, configuration.

transformers restores the weights; the parts it gets wrong are written here.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.errors import ModelRefused
from agent.models.catalogue import TEMPLATES, CatalogueEntry
from agent.models.tokenizer import TokenizerFields, build_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Say = Callable[[str], None]
"""Called with a short description of each phase."""

TEMPLATE_FILE = "chat_template.jinja"
ROUND_TRIPS = (
    "Hello, world!",
    "  two  spaces,\ttabs\n\nand lines\n",
    "na\u00efve fa\u00e7ade \u2013 \u201cquoted\u201d \u2026 3.14159 \u00d7 10\u2076",
    "def f(x):\n    return x ** 2  # \u043a\u0432\u0430\u0434\u0440\u0430\u0442",
    "\u65e5\u672c\u8a9e\u3068\u3072\u3089\u304c\u306a\u3001\ud55c\uad6d\uc5b4",
    "\U0001f642 \U0001f469\u200d\U0001f680 \U0001d518\U0001d52b\U0001d526",
    "a" * 300,
    " leading and trailing ",
)
"""Texts that a tokenizer must encode and decode without change."""


def convert(entry: CatalogueEntry, gguf: Path, folder: Path, say: Say) -> None:
    """Writes the model of `gguf` into the empty `folder`. Raises ModelRefused."""
    say("reading the weights")
    stops = _write_tokenizer(entry, gguf, folder)
    _write_weights(gguf, folder, say)
    _write_configuration(folder, stops)


def check_conversion(entry: CatalogueEntry, folder: Path, sentences: Sequence[str]) -> float:
    """Checks a converted model; returns its loss on the sentences in nats per token.

    Raises ModelRefused if its vocabulary size is not the catalogue's, its tokenizer changes texts, or its
    loss exceeds the catalogue's bound.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    sizes = {len(tokenizer), model.config.vocab_size}
    if sizes != {entry.vocabulary}:
        raise ModelRefused(
            f"{entry.name} was converted wrongly: it has {sorted(sizes)} tokens, not {entry.vocabulary}"
        )
    for text in (*ROUND_TRIPS, *sentences):
        back = tokenizer.decode(tokenizer.encode(text, add_special_tokens=False))
        if back != text:
            raise ModelRefused(
                f"{entry.name} was converted wrongly: its tokenizer turns {text!r} into {back!r}"
            )
    loss, tokens = 0.0, 0
    with torch.inference_mode():
        for sentence in sentences:
            ids = torch.tensor([tokenizer.encode(sentence)])
            loss += float(model(ids, labels=ids).loss) * (ids.shape[1] - 1)
            tokens += ids.shape[1] - 1
    nats = loss / tokens
    if not nats <= entry.most_nats:
        raise ModelRefused(
            f"{entry.name} was converted wrongly: its loss on plain text is {nats:.2f} nats per token, and at"
            f" most {entry.most_nats} is expected"
        )
    return nats


def read_fields(gguf: Path) -> TokenizerFields:
    """The tokenizer fields of a GGUF file. Raises ModelRefused if it is not a GGUF file."""
    from gguf import GGUFReader

    try:
        fields = GGUFReader(gguf).fields
    except (OSError, ValueError) as error:
        raise ModelRefused(f"{gguf} is not a GGUF file: {error}") from error

    def get(name: str, default: Any = None) -> Any:
        field = fields.get(f"tokenizer.{name}")
        return default if field is None else field.contents()

    return TokenizerFields(
        model=get("ggml.model", "none"),
        pieces=tuple(get("ggml.tokens", ())),
        types=tuple(get("ggml.token_type", ())),
        ranks=tuple(get("ggml.scores", ())),
        merges=tuple(get("ggml.merges", ())),
        bos=get("ggml.bos_token_id"),
        unknown=get("ggml.unknown_token_id"),
        padding=get("ggml.padding_token_id"),
        adds_bos=get("ggml.add_bos_token", False),
        adds_space=get("ggml.add_space_prefix", False),
        template=get("chat_template"),
    )


def _write_tokenizer(entry: CatalogueEntry, gguf: Path, folder: Path) -> list[int]:
    """Writes tokenizer and chat template; returns the ids that end generation, end of text first."""
    fields = read_fields(gguf)
    tokenizer = build_tokenizer(fields, entry.tokenizer)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    text = (TEMPLATES / entry.template).read_text(encoding="utf-8") if entry.template else fields.template
    if text is None:
        raise ModelRefused(f"{entry.name} has no chat template: set `template` in the catalogue")
    (folder / TEMPLATE_FILE).write_text(text, encoding="utf-8")
    token_ids = {"bos_token": fields.bos, "unk_token": fields.unknown, "pad_token": fields.padding}
    _write_json(
        folder / "tokenizer_config.json",
        {
            # This class reads tokenizer.json unchanged; a model's own class would rebuild it wrongly.
            "tokenizer_class": "TokenizersBackend",
            **{name: fields.pieces[i] for name, i in token_ids.items() if i is not None},
            "eos_token": entry.end_of_text,
            "clean_up_tokenization_spaces": False,
            "padding_side": "left",
        },
    )
    ids = {stop: _id_of(tokenizer, stop, entry) for stop in (entry.end_of_text, *entry.stops)}
    return list(dict.fromkeys(ids.values()))


def _id_of(tokenizer: "Tokenizer", token: str, entry: CatalogueEntry) -> int:
    number = tokenizer.token_to_id(token)
    if number is None:
        raise ModelRefused(f"{entry.name} lacks the catalogue's stop token {token!r}: correct the entry")
    return int(number)


def _write_weights(gguf: Path, folder: Path, say: Say) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    try:
        with redirect_stderr(StringIO()):  # its progress bar cannot be disabled
            model: Any = AutoModelForCausalLM.from_pretrained(
                gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16
            )
    except ValueError as error:  # raised for architectures that transformers cannot read from GGUF
        raise ModelRefused(f"{gguf.name} cannot be converted: {error}") from error
    # The weights are dequantised now; otherwise the saved config would still say GGUF.
    model.hf_quantizer = None
    model.is_quantized = False
    del model.config.quantization_config
    say("writing the weights as bf16")
    model.save_pretrained(folder)


def _write_configuration(folder: Path, stops: Sequence[int]) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    for key in ("transformers_version", "_model_name_or_path"):
        config.pop(key, None)  # varies between machines; the digest must not
    config["eos_token_id"] = stops[0]
    _write_json(path, config)
    special = {key: config[key] for key in ("bos_token_id", "pad_token_id") if config.get(key) is not None}
    _write_json(
        folder / "generation_config.json", {"do_sample": False, "eos_token_id": list(stops), **special}
    )


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
