"""Where adopted models live: a folder each, in one folder of models, and which one is in use.

An adopted model's folder is a Hugging Face folder (its files may be links to another place) with
`origin.json`, which
says where it came from, and the files of its card.
"""

import fcntl
import hashlib
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
    unfinished,
    write_card,
)
from agent.models.catalogue import shipped_catalogue
from agent.settings import Settings
from memory.records.base import Digest, Record, digest_of

ORIGIN = "origin.json"
IN_USE = "in-use"
CARDS = Path(__file__).with_name("cards")
"""Cards of catalogued models, a folder each."""
MODEL_FILES = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken")
"""Files of a Hugging Face folder that a model is made of."""


class ModelOrigin(Record):
    """Where an adopted model came from."""

    name: str
    title: str
    source: str
    """Packages, folder or Hugging Face name."""
    licence: str
    terms: str | None = None
    digest: Digest
    """SHA-256 over its weights, configuration and tokenizer."""
    tool_parser: str | None = None
    """vLLM's parser for its tool calls."""
    shipped_card: Digest | None = None
    """SHA-256 of the shipped `card.json` that was copied here; a card made on this machine has another."""


class AdoptedModel(Record):
    """A model that can be served and taught."""

    name: str
    folder: Path
    card: ModelCard


class ModelStore:
    """The folder of adopted models."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> tuple[str, ...]:
        """Adopted models, by name."""
        return tuple(sorted(path.parent.name for path in self.folder.glob(f"[!.]*/{ORIGIN}")))

    def path(self, name: str) -> Path:
        """The folder of the model called `name`, whether or not it is there."""
        return self.folder.resolve() / name

    def origin(self, name: str) -> ModelOrigin:
        """Where that model came from. Raises UnknownModel and ModelRefused."""
        if name not in self.names():
            raise UnknownModel(
                f"no model called {name!r} was added: `nightschool models list` shows those that were"
            )
        path = self.path(name) / ORIGIN
        try:
            return ModelOrigin.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise ModelRefused(
                f"{path} is damaged: remove {path.parent} and add the model again ({error})"
            ) from error

    def chosen(self) -> str | None:
        """The model that `use` chose."""
        try:
            return (self.folder / IN_USE).read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None

    def use(self, name: str) -> None:
        """Makes that model the one in use. Raises UnknownModel."""
        with self.locked():
            self.origin(name)
            _replace(self.folder / IN_USE, name + "\n")

    def place(self, name: str, fill: Callable[[Path], ModelOrigin]) -> ModelOrigin:
        """Lets `fill` write a model into an empty folder, and gives it its name when it is whole.

        A process that is killed meanwhile leaves only an unfinished folder, which the next call removes.
        Raises ModelRefused where the name is taken, and what `fill` raises.
        """
        with self.locked():
            for left in self.folder.glob(".unfinished-*"):
                shutil.rmtree(left)
            final = self.path(name)
            if final.exists():
                raise ModelRefused(
                    f"{final} is there already: give the model another name with --name, or run"
                    f" `nightschool models remove {name}` first"
                )
            filling = self.folder.resolve() / f".unfinished-{name}"
            filling.mkdir()
            try:
                origin = self._with_shipped_card(fill(filling), filling)
                filling.rename(final)
            except BaseException:
                shutil.rmtree(filling, ignore_errors=True)
                raise
            return origin

    def refresh_card(self, name: str) -> None:
        """Brings a shipped card up to date; one that was made on this machine stays. Raises UnknownModel."""
        with self.locked():
            self._with_shipped_card(self.origin(name), self.path(name))

    def remove(self, name: str) -> None:
        """Removes a model and its card; files that it links to stay. Raises UnknownModel."""
        with self.locked():
            self.origin(name)
            removed = self.folder.resolve() / f".unfinished-removed-{name}"
            self.path(name).rename(removed)
            shutil.rmtree(removed)
            if self.chosen() == name:
                (self.folder / IN_USE).unlink()

    def card(self, name: str) -> ModelCard:
        """That model's card. Raises UnknownModel, NoModelCard, BadModelCard."""
        origin, folder = self.origin(name), self.path(name)
        if not (folder / CARD).is_file():
            raise NoModelCard(f"the model {name} has no card yet: run `nightschool models study {name}`")
        if missing := [file for file in CARD_FILES if not (folder / file).is_file()]:
            raise BadModelCard(
                f"the card of {name} lacks {', '.join(missing)}: run `nightschool models add {name}`, or"
                f" `nightschool models study {name}` where none ships"
            )
        card = read_card(folder)
        if card.digest != origin.digest:
            raise BadModelCard(
                f"the card of {name} is of other weights: run `nightschool models study {name}`"
            )
        return card

    def find(self, what: str) -> str | None:
        """The name of the model that is called `what`, or came from that folder or name of a hub."""
        return what if what in self.names() else self.find_added(what)

    def find_added(self, what: str) -> str | None:
        """The name of the model that came from that folder or name of a hub, or has that folder here."""
        place = str(Path(what).resolve())
        for name in self.names():
            with suppress(ModelRefused):  # a damaged one is found by its name only
                if self.origin(name).source in (what, place) or str(self.path(name)) == place:
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
        """Writes a study's card. Raises ModelRefused where its model was removed or replaced meanwhile."""
        with self.locked():
            if card.name not in self.names() or self.origin(card.name).digest != card.digest:
                raise ModelRefused(
                    f"{card.name} was removed or replaced while it was studied: its card is not written; add"
                    f" the same model again, and `nightschool models study {card.name}` goes on where it was"
                )
            write_card(self.path(card.name), card, questions, unknown, replay, distributions)

    def verify(self, name: str) -> None:
        """Reads a model's files once more (0.2 s for 270 MB).

        Raises UnknownModel, and ModelRefused where they are not those that were added.
        """
        origin = self.origin(name)
        files = f"the files of {name}, which came from {origin.source},"
        remedy = f"run `nightschool models remove {name}`, then `nightschool models add` again"
        try:
            found = digest_of_model(self.path(name))
        except OSError as error:  # a link to what was moved, most likely
            raise ModelRefused(f"{files} cannot be read ({error}): put them back, or {remedy}") from error
        if found != origin.digest:
            raise ModelRefused(f"{files} are not those that were added: {remedy}")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One process at a time changes the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _with_shipped_card(self, origin: ModelOrigin, folder: Path) -> ModelOrigin:
        """Copies the shipped card, unless it is of other weights or the folder has a card of its own."""
        shipped = CARDS / origin.name
        if (shipped / CARD).is_file() and read_card(shipped).digest == origin.digest:
            digest, here = _digest_of_card(shipped), _digest_of_card(folder)
            own = here not in (None, origin.shipped_card)
            if not own and here != digest:
                for name in CARD_FILES:
                    shutil.copyfile(shipped / name, unfinished(folder, name))
                put_in_place(folder)
                origin = origin.model_copy(update={"shipped_card": digest})
        _replace(folder / ORIGIN, origin.model_dump_json(indent=1) + "\n")
        return origin


def resolve_model(settings: Settings) -> AdoptedModel:
    """The base model that the settings name: an adopted one, by its name or what it was added from, or a
    folder that has a card.

    The scripted engine goes by the card that ships for the default model. Raises UnknownModel, NoModelCard or
    BadModelCard, which say what command to run, and ModelRefused for one that its study found unfit.
    """
    if settings.engine == "scripted" and settings.model is None:
        folder = CARDS / shipped_catalogue().default
        return AdoptedModel(name="scripted", folder=folder, card=read_card(folder))
    found = _named(settings)
    if found.card.verdict == "no-go":
        raise ModelRefused(
            f"{found.name} is not served (no-go: {'; '.join(found.card.reasons)}): choose another with"
            " `nightschool models use`, or set NIGHTSCHOOL_MODEL"
        )
    return found


def _named(settings: Settings) -> AdoptedModel:
    store = ModelStore(settings.models)
    name = name_in_use(settings)
    adopted = store.find(name)
    if adopted is not None:
        return AdoptedModel(name=adopted, folder=store.path(adopted), card=store.card(adopted))
    if name in shipped_catalogue().models:
        raise UnknownModel(f"the model {name} was not added yet: run `nightschool models add {name}`")
    folder = Path(name)
    if not (folder / "config.json").is_file():
        raise UnknownModel(
            f"{name!r} is neither an adopted model nor a model's folder: `nightschool models list` shows"
            f" the models,"
            " `nightschool models add` adopts another"
        )
    return AdoptedModel(name=folder.resolve().name, folder=folder.resolve(), card=read_card(folder))


def name_in_use(settings: Settings) -> str:
    """The setting, else what `models use` chose, else the catalogue's default."""
    return settings.model or ModelStore(settings.models).chosen() or shipped_catalogue().default


def digest_of_model(folder: Path) -> Digest:
    """SHA-256 over names and contents of a model's weights, configuration, tokenizer and chat template."""
    whole = hashlib.sha256()
    for path in model_files(folder):
        whole.update(f"{path.name}\0{_sha256(path)}\n".encode())
    return whole.hexdigest()


def model_files(folder: Path) -> tuple[Path, ...]:
    """The files that a model in `folder` is made of, by name; its card and origin are not among them."""
    ours = {ORIGIN, *CARD_FILES}
    found = {path for pattern in MODEL_FILES for path in folder.glob(pattern) if path.name not in ours}
    return tuple(sorted(found, key=lambda path: path.name))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_of_card(folder: Path) -> Digest | None:
    """SHA-256 over a card's files; None where one of them is missing."""
    if not all((folder / name).is_file() for name in CARD_FILES):
        return None
    return digest_of({name: _sha256(folder / name) for name in CARD_FILES})


def _replace(path: Path, text: str) -> None:
    written = unfinished(path.parent, path.name)
    written.write_text(text, encoding="utf-8")
    written.rename(path)
