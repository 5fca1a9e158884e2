"""The model store: a folder with one subfolder per added model, and the name of the model in use.

A model's folder is a Hugging Face folder (its files may be symlinks) plus `origin.json`, which records its
source, and the files of its card.
"""

import hashlib
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from agent.errors import BadModelCard, ModelRefused, NoModelCard, UnknownModel
from agent.models.card import (
    CARD,
    CARD_FILES,
    GeneralQuestion,
    ModelCard,
    ReplayAnswer,
    ReplayDistributions,
    UnknownQuestion,
    put_in_place,
    read_card,
    temporary_path,
    write_card,
)
from agent.models.catalogue import shipped_catalogue
from agent.settings import Settings
from memory.file_locks import file_lock
from memory.records.base import Digest, Record, digest_of

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""Of an added model."""
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
"""Of a model on a Hugging Face hub."""
ORIGIN = "origin.json"
IN_USE = "in-use"
CARDS = Path(__file__).with_name("cards")
"""Shipped cards of catalogue models, one folder each."""
MODEL_FILES = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken")
"""File patterns of a model in a Hugging Face folder."""


class ModelOrigin(Record):
    """The source of an added model."""

    name: str
    title: str
    source: str
    """Packages, folder or Hugging Face id."""
    licence: str
    terms: str | None = None
    digest: Digest
    """SHA-256 over its weights, configuration and tokenizer."""
    tool_parser: str | None = None
    """vLLM's parser for its tool calls."""
    shipped_card: Digest | None = None
    """SHA-256 of the shipped card copied here; a card made on this machine has a different one."""


class AddedModel(Record):
    """An added model with its card."""

    name: str
    folder: Path
    card: ModelCard


class ModelStore:
    """The folder of added models."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> tuple[str, ...]:
        """Sorted names of the added models."""
        return tuple(sorted(path.parent.name for path in self.folder.glob(f"[!.]*/{ORIGIN}")))

    def path(self, name: str) -> Path:
        """The folder of the model called `name`, which may not exist."""
        return self.folder.resolve() / name

    def origin(self, name: str) -> ModelOrigin:
        """The model's recorded source. Raises UnknownModel and ModelRefused."""
        if name not in self.names():
            raise UnknownModel(f"no model {name!r} was added: see `nightschool models list`")
        path = self.path(name) / ORIGIN
        try:
            return ModelOrigin.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise ModelRefused(
                f"{path} is damaged ({error}): remove {path.parent} and add the model again"
            ) from error

    def chosen(self) -> str | None:
        """The name set by `use`, if any."""
        try:
            return (self.folder / IN_USE).read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None

    def use(self, name: str) -> None:
        """Sets the model in use. Raises UnknownModel."""
        with self.locked():
            self.origin(name)
            _replace(self.folder / IN_USE, name + "\n")

    def place(self, name: str, fill: Callable[[Path], ModelOrigin]) -> ModelOrigin:
        """Lets `fill` write a model into a temporary folder, then renames it to `name`.

        If the process is killed, the temporary folder is removed by the next call. Raises ModelRefused if
        the name is taken, and what `fill` raises.
        """
        with self.locked():
            for leftover in self.folder.glob(".unfinished-*"):
                shutil.rmtree(leftover)
            final = self.path(name)
            if final.exists():
                raise ModelRefused(
                    f"{final} exists already: choose another name with --name, or run"
                    f" `nightschool models remove {name}` first"
                )
            temporary = self.folder.resolve() / f".unfinished-{name}"
            temporary.mkdir()
            try:
                origin = self._with_shipped_card(fill(temporary), temporary)
                temporary.rename(final)
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise
            return origin

    def refresh_card(self, name: str) -> None:
        """Updates a shipped card; a card made on this machine is kept. Raises UnknownModel."""
        with self.locked():
            self._with_shipped_card(self.origin(name), self.path(name))

    def remove(self, name: str) -> None:
        """Removes a model and its card, but not files that it links to. Raises UnknownModel."""
        with self.locked():
            self.origin(name)
            removed = self.folder.resolve() / f".unfinished-removed-{name}"
            self.path(name).rename(removed)
            shutil.rmtree(removed)
            if self.chosen() == name:
                (self.folder / IN_USE).unlink()

    def card(self, name: str) -> ModelCard:
        """The model's card. Raises UnknownModel, NoModelCard, BadModelCard."""
        origin, folder = self.origin(name), self.path(name)
        if not (folder / CARD).is_file():
            raise NoModelCard(f"the model {name} has no card yet: run `nightschool models study {name}`")
        if missing := [file for file in CARD_FILES if not (folder / file).is_file()]:
            raise BadModelCard(
                f"the card of {name} lacks {', '.join(missing)}: run `nightschool models add {name}`, or"
                f" `nightschool models study {name}` if it has no shipped card"
            )
        card = read_card(folder)
        if card.digest != origin.digest:
            raise BadModelCard(
                f"the card of {name} belongs to other weights: run `nightschool models study {name}`"
            )
        return card

    def find(self, what: str) -> str | None:
        """The name of the model called `what`, or added from that folder or Hugging Face id."""
        return what if what in self.names() else self.find_added(what)

    def find_added(self, what: str) -> str | None:
        """The name of the model added from that folder or Hugging Face id, or stored in that folder."""
        path = str(Path(what).resolve())
        for name in self.names():
            with suppress(ModelRefused):  # a damaged model is found by its name only
                if self.origin(name).source in (what, path) or str(self.path(name)) == path:
                    return name
        return None

    def save_card(
        self,
        card: ModelCard,
        questions: Iterable[GeneralQuestion],
        unknown: Iterable[UnknownQuestion],
        replay: Iterable[ReplayAnswer],
        distributions: ReplayDistributions,
    ) -> None:
        """Writes a study's card. Raises ModelRefused if its model was removed or replaced meanwhile."""
        with self.locked():
            if card.name not in self.names() or self.origin(card.name).digest != card.digest:
                raise ModelRefused(
                    f"{card.name} was removed or replaced during its study, so its card is not saved. Add the"
                    f" same model again and run `nightschool models study {card.name}` to resume"
                )
            write_card(self.path(card.name), card, questions, unknown, replay, distributions)

    def verify(self, name: str) -> None:
        """Checks the digest of a model's files (0.2 s for 270 MB).

        Raises UnknownModel, and ModelRefused if the files changed since the model was added.
        """
        origin = self.origin(name)
        files = f"the files of {name}, added from {origin.source},"
        remedy = f"run `nightschool models remove {name}`, then `nightschool models add` again"
        try:
            digest = digest_of_model(self.path(name))
        except OSError as error:  # most likely a link to a file that was moved
            raise ModelRefused(f"{files} cannot be read ({error}): restore them, or {remedy}") from error
        if digest != origin.digest:
            raise ModelRefused(f"{files} have changed: {remedy}")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lets one process at a time change the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with file_lock(self.folder / ".lock"):
            yield

    def _with_shipped_card(self, origin: ModelOrigin, folder: Path) -> ModelOrigin:
        """Copies the shipped card, unless it is for other weights or the folder has its own card."""
        shipped = CARDS / origin.name
        if (shipped / CARD).is_file() and read_card(shipped).digest == origin.digest:
            digest, current = _digest_of_card(shipped), _digest_of_card(folder)
            own = current not in (None, origin.shipped_card)
            if not own and current != digest:
                for name in CARD_FILES:
                    shutil.copyfile(shipped / name, temporary_path(folder, name))
                put_in_place(folder)
                origin = origin.model_copy(update={"shipped_card": digest})
        _replace(folder / ORIGIN, origin.model_dump_json(indent=1) + "\n")
        return origin


def resolve_model(settings: Settings) -> AddedModel:
    """The base model chosen by the settings: an added model by name or source, or a folder with a card.

    The scripted engine uses the default model's shipped card. Raises UnknownModel, NoModelCard or
    BadModelCard, and ModelRefused for a no-go verdict.
    """
    if settings.engine == "scripted" and settings.model is None:
        folder = CARDS / shipped_catalogue().default
        return AddedModel(name="scripted", folder=folder, card=read_card(folder))
    model = _find_model(settings)
    if model.card.verdict == "no-go":
        raise ModelRefused(
            f"{model.name} is not served (no-go: {'; '.join(model.card.reasons)}): choose another with"
            " `nightschool models use`, or set NIGHTSCHOOL_MODEL"
        )
    return model


def _find_model(settings: Settings) -> AddedModel:
    store = ModelStore(settings.models)
    name = name_in_use(settings)
    added = store.find(name)
    if added is not None:
        return AddedModel(name=added, folder=store.path(added), card=store.card(added))
    if name in shipped_catalogue().models:
        raise UnknownModel(f"the model {name} was not added yet: run `nightschool models add {name}`")
    folder = Path(name)
    if not (folder / "config.json").is_file():
        raise UnknownModel(
            f"{name!r} is neither an added model nor a model folder: see `nightschool models list`, or add"
            " it with `nightschool models add`"
        )
    return AddedModel(name=folder.resolve().name, folder=folder.resolve(), card=read_card(folder))


def name_in_use(settings: Settings) -> str:
    """The model from the settings, else from `models use`, else the catalogue's default."""
    return settings.model or ModelStore(settings.models).chosen() or shipped_catalogue().default


def digest_of_model(folder: Path) -> Digest:
    """SHA-256 over names and contents of a model's weights, configuration, tokenizer and chat template."""
    digest = hashlib.sha256()
    for path in model_files(folder):
        digest.update(f"{path.name}\0{_sha256(path)}\n".encode())
    return digest.hexdigest()


def model_files(folder: Path) -> tuple[Path, ...]:
    """The model's own files in `folder`, sorted by name, without its card and origin."""
    ours = {ORIGIN, *CARD_FILES}
    files = {path for pattern in MODEL_FILES for path in folder.glob(pattern) if path.name not in ours}
    return tuple(sorted(files, key=lambda path: path.name))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_of_card(folder: Path) -> Digest | None:
    """SHA-256 over a card's files; None if one of them is missing."""
    if not all((folder / name).is_file() for name in CARD_FILES):
        return None
    return digest_of({name: _sha256(folder / name) for name in CARD_FILES})


def _replace(path: Path, text: str) -> None:
    temporary = temporary_path(path.parent, path.name)
    temporary.write_text(text, encoding="utf-8")
    temporary.rename(path)
