"""Whether two models split text into the same tokens, as teaching by log-probabilities needs."""

import json
from pathlib import Path
from typing import Any

TOKENIZER = "tokenizer.json"
TEMPLATE = "chat_template.jinja"
CONFIGURATION = "tokenizer_config.json"
_LIMITS = ("truncation", "padding", "version")
"""Parts of a tokenizer that do not change which tokens a text has."""


def tokenizer_mismatch(source: Path, target: Path) -> str | None:
    """Why the two models' folders have different tokens for the same conversation; None if they have not."""
    for folder in (source, target):
        if not (folder / TOKENIZER).is_file():
            return f"{folder.name} has no {TOKENIZER}"
    if _tokens(source) != _tokens(target):
        return f"{source.name} and {target.name} have different tokenizers"
    if _template(source) != _template(target):
        return f"{source.name} and {target.name} have different chat templates"
    return None


def _tokens(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / TOKENIZER).read_text(encoding="utf-8"))
    return {name: part for name, part in content.items() if name not in _LIMITS}


def _template(folder: Path) -> str | None:
    path = folder / TEMPLATE
    if path.is_file():
        return path.read_text(encoding="utf-8")
    path = folder / CONFIGURATION
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return str(content["chat_template"]) if "chat_template" in content else None
