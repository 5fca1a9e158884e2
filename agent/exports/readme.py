"""The README of an exported adapter: a Hugging Face model card with its origin and its gates' results."""

import json
from pathlib import Path
from typing import Literal

from agent.models.card import ModelCard
from memory.records.adapters import Adapter
from memory.records.evaluations import Evaluation

USES = {
    "peft": "PEFT: `PeftModel.from_pretrained(base, FOLDER)`, or vLLM: `--lora-modules NAME=FOLDER`.",
    "merged": "transformers or vLLM: `AutoModelForCausalLM.from_pretrained(FOLDER)`. For GGUF, run"
    " llama.cpp's `python convert_hf_to_gguf.py FOLDER`.",
    "ollama": "Ollama: `ollama create NAME -f Modelfile` in this folder. The chat template is the one that"
    " Ollama finds for the model: compare its prompt with `chat_template.jinja`, and set `TEMPLATE` in the"
    " Modelfile if they differ.",
}


def readme(adapter: Adapter, card: ModelCard, format: Literal["peft", "merged", "ollama"]) -> str:
    """The card. It holds figures and digests, and nothing of what was taught."""
    library = "peft" if format == "peft" else "transformers"
    source = card.name if Path(card.source).is_absolute() else card.source
    head = {
        "base_model": source,
        "license": card.licence,
        "library_name": library,
        "pipeline_tag": "text-generation",
        "tags": ["nightschool", "lora"],
    }
    front = "".join(f"{key}: {json.dumps(value)}\n" for key, value in head.items())
    return "\n".join(
        (
            f"---\n{front}---\n",
            f"# {adapter.name}\n",
            f"What the domain `{adapter.domain}` learned up to version {adapter.version}, on {card.name}."
            f" Made by Nightschool, {adapter.created_at:%Y-%m-%d}.\n",
            f"Use it with {USES[format]}\n",
            "## Where it comes from\n",
            _table(
                ("what", "value"),
                [
                    ("base model", f"{card.name} ({source})"),
                    ("base digest (SHA-256)", adapter.base_digest),
                    ("licence of the base model", card.licence),
                    ("trained after", adapter.parent or "the base model"),
                    ("recipe", adapter.recipe),
                    ("training tokens", f"{adapter.training_tokens:,}"),
                    (
                        "adapter config and weights (SHA-256)",
                        adapter.files or "not recorded",
                    ),
                    *(("learned curriculum", digest) for digest in adapter.learned),
                    *(("trained on preferences", digest) for digest in adapter.preferences),
                ],
            ),
            "The licence of the base model holds for what is derived from it. Who may have the documents that"
            " were taught decides who may have these weights.\n",
            "## What was measured\n",
            "By Nightschool, of the adapter over its base model, with greedy answers and without sources.\n",
            _table(("", "before", "after"), _accuracies(adapter.before, adapter.after)),
            _table(
                ("gate", "needs", "figure", "passed"),
                [
                    (
                        check.name,
                        check.goal,
                        f"{check.figure:.3f}" if check.measured else "not measured",
                        "yes" if check.passed else "no",
                    )
                    for check in adapter.verdict.checks
                ],
            ),
            "The answer gate, which tells sure answers from unsure ones, is part of Nightschool and not of"
            " these files: other programs answer everything.\n",
        )
    )


def _accuracies(before: Evaluation, after: Evaluation) -> list[tuple[str, ...]]:
    rows = (
        ("accuracy on what was taught", "in_distribution", "accuracy"),
        ("accuracy on what the model knew", "out_of_distribution", "accuracy"),
        ("hallucination on unanswerable questions", "unknown", "hallucination"),
    )
    return [
        (name, *(f"{getattr(getattr(each, group), figure):.3f}" for each in (before, after)))
        for name, group, figure in rows
    ]


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    def line(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"

    return line(columns) + "|" + "---|" * len(columns) + "\n" + "".join(map(line, rows))
