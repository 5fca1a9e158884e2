"""The served base model's files, if they are on this machine: their folder, and the vocabulary's size."""

import json
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

from agent.errors import EngineUnavailable

LARGEST_VOCABULARY = 1 << 20
"""Larger than any published vocabulary, used if the size is unknown: entropy bounds stay valid, but widen."""


def local_folder(root: str) -> Path | None:
    """The folder of a model that the server names by folder or Hugging Face id; None if it is elsewhere."""
    folder = Path(root)
    if folder.is_dir():
        return folder
    try:
        return Path(snapshot_download(root, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def vocabulary_of(folder: Path | None) -> int:
    """`vocab_size` of the model's config, or LARGEST_VOCABULARY without files. Raises EngineUnavailable."""
    if folder is None:
        return LARGEST_VOCABULARY
    file = folder / "config.json"
    try:
        config = json.loads(file.read_bytes())
        return int(config.get("text_config", config)["vocab_size"])
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise EngineUnavailable(
            f"{file} has no readable vocab_size ({error!r}), which judging answers needs: "
            "repair the file, or serve another base model"
        ) from error
