"""Whatever is wrong with a model is one line that says what to do, and leaves nothing behind."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models

from agent.errors import ModelError, ModelRefused, UnknownModel
from agent.models import add_model as adding
from agent.models import hub
from agent.models.add_model import add_model
from agent.models.card import CARD, read_card, write_card
from agent.models.catalogue import shipped_catalogue
from agent.models.store import ModelStore, digest_of_model
from tests.agent.models.test_store import ARRAYS, origin
from tests.support.cards import card

TEMPLATE = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"


class Heard:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, what: str) -> None:
        self.said.append(what)

    def read(self, done: int, of: int) -> None:
        assert 0 < done <= of


def model(folder: Path, *, template: str | None = TEMPLATE, **config: object) -> Path:
    """A folder that looks like a causal language model."""
    folder.mkdir()
    whole = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "max_position_embeddings": 2048}
    said = {key: value for key, value in (whole | config).items() if value is not None}
    (folder / "config.json").write_text(json.dumps(said))
    (folder / "model.safetensors").write_bytes(b"weights")
    Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>")).save(str(folder / "tokenizer.json"))
    own = {"tokenizer_class": "TokenizersBackend", "unk_token": "<unk>", "chat_template": template}
    (folder / "tokenizer_config.json").write_text(json.dumps(own))
    return folder


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def add(store: ModelStore, what: str, **options: object) -> str:
    return add_model(what, store, shipped_catalogue(), Heard(), **options).name  # type: ignore[arg-type]


def test_a_folder_is_adopted_by_reference(store: ModelStore, tmp_path: Path) -> None:
    folder = model(tmp_path / "My Model")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    assert add(store, str(folder)) == "my-model"
    adopted = store.path("my-model")
    assert (adopted / "model.safetensors").resolve() == folder / "model.safetensors"
    assert not (adopted / "pytorch_model.bin").exists()
    assert store.origin("my-model").digest == digest_of_model(folder)
    assert store.origin("my-model").source == str(folder)


def test_a_folders_card_comes_along_as_a_copy(store: ModelStore, tmp_path: Path) -> None:
    folder = model(tmp_path / "mine")
    write_card(folder, card(digest=digest_of_model(folder)), (), (), (), ARRAYS)
    add(store, str(folder))
    assert store.card("mine") == read_card(folder)
    assert not (store.path("mine") / CARD).is_symlink()


def test_a_chat_template_can_be_given(store: ModelStore, tmp_path: Path) -> None:
    folder = model(tmp_path / "mine", template=None)
    own = tmp_path / "own.jinja"
    own.write_text("Q: {{ messages[0]['content'] }}")
    add(store, str(folder), template=own)
    assert (store.path("mine") / "chat_template.jinja").read_text() == own.read_text()
    assert not (folder / "chat_template.jinja").exists()


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def broken_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (no_config, "config.json"),
        (broken_config, "not valid JSON"),
        (pickled, "safetensors"),
        (no_tokenizer, "tokenizer"),
    ],
)
def test_a_folder_that_is_no_model_is_refused(
    store: ModelStore, tmp_path: Path, damage: Callable[[Path], None], reason: str
) -> None:
    folder = model(tmp_path / "mine")
    damage(folder)
    refused(store, folder, reason)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"max_position_embeddings": 511}, "511 tokens"),
        ({"max_position_embeddings": None}, "0 tokens"),
        ({"model_type": "own-code", "auto_map": {}}, "'own-code'"),
        ({"model_type": "clip"}, "'clip'"),
        ({"hidden_size": "wide"}, "config.json"),
    ],
)
def test_a_model_that_cannot_be_served_is_refused(
    store: ModelStore, tmp_path: Path, config: dict[str, object], reason: str
) -> None:
    refused(store, model(tmp_path / "mine", **config), reason)


@pytest.mark.parametrize(
    "template", [None, "{{ nothing.there }}", "{% if", "Hello", "{{ raise_exception('x') }}"]
)
def test_a_chat_template_that_is_missing_or_fails_says_how_to_give_one(
    store: ModelStore, tmp_path: Path, template: str | None
) -> None:
    refused(store, model(tmp_path / "mine", template=template), "--chat-template FILE")


def test_a_context_inside_a_text_configuration_counts(store: ModelStore, tmp_path: Path) -> None:
    config = {
        "model_type": "gemma3",
        "max_position_embeddings": None,
        "text_config": {"max_position_embeddings": 4096},
    }
    assert add(store, str(model(tmp_path / "mine", **config))) == "mine"


def test_what_is_nothing_names_what_there_is(store: ModelStore) -> None:
    with pytest.raises(UnknownModel, match=shipped_catalogue().default):
        add(store, "nothing")


def test_a_file_is_no_folder(store: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(store, tmp_path / "file", "is not a folder")


@pytest.mark.parametrize("name", ["../up", "A", "", ".hidden", "a b", "x" * 65])
def test_a_name_that_is_no_name_is_refused(store: ModelStore, tmp_path: Path, name: str) -> None:
    refused(store, model(tmp_path / "mine"), "is not a valid model name", name=name)


@pytest.mark.parametrize("what", [shipped_catalogue().default, "folder"])
@pytest.mark.parametrize(
    ("name", "reason"),
    [("in-use", "is reserved"), ("gemma-3-270m", "'gemma-3-270m' belongs to a catalogue model")],
)
def test_a_name_that_stands_for_something_else_is_refused_whatever_is_added(
    store: ModelStore, tmp_path: Path, what: str, name: str, reason: str
) -> None:
    refused(store, model(tmp_path / "mine") if what == "folder" else what, reason, name=name)
    assert store.chosen() is None


@pytest.mark.parametrize("name", [None, shipped_catalogue().default, "other"])
def test_a_catalogued_model_may_have_its_own_name_or_a_free_one(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    own = shipped_catalogue().default
    monkeypatch.setattr(adding, "_from_catalogue", lambda *given: origin(given[4]))
    assert add(store, own, name=name) == (name or own)
    assert store.names() == (name or own,)


def test_a_chat_template_that_cannot_be_read_is_refused(store: ModelStore, tmp_path: Path) -> None:
    refused(store, model(tmp_path / "mine"), "cannot be read", template=tmp_path / "nowhere")


def test_a_full_disk_is_seen_before_anything_is_written(store: ModelStore) -> None:
    part = Path(__file__)
    patched = pytest.MonkeyPatch()
    patched.setattr(adding, "package_parts", lambda *_: (part,))
    try:
        refused(store, shipped_catalogue().default, "NIGHTSCHOOL_MODELS", free=lambda folder: 1_000_000)
    finally:
        patched.undo()


def test_a_hub_that_cannot_be_reached_is_one_line(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def offline(name: str, patterns: object) -> tuple[int, str]:
        raise hub._refused(name, OSError("no route to host\nmore"))

    monkeypatch.setattr(hub, "describe_model", offline)
    refused(store, "owner/model", "no route to host")


def test_a_hubs_model_is_downloaded_whole_and_keeps_its_licence(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = model(tmp_path / "there")

    def download(name: str, patterns: object, folder: Path) -> None:
        for path in there.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())

    monkeypatch.setattr(hub, "describe_model", lambda name, patterns: (1000, "mit"))
    monkeypatch.setattr(hub, "download_model", download)
    assert add(store, "owner/Some-Model") == "some-model"
    assert (store.origin("some-model").source, store.origin("some-model").licence) == (
        "owner/Some-Model",
        "mit",
    )


def refused(store: ModelStore, what: Path | str, reason: str, **options: object) -> None:
    """Asserts that adopting it fails with one line that holds `reason`, and leaves no model."""
    with pytest.raises(ModelError) as caught:
        add(store, str(what), **options)
    assert isinstance(caught.value, ModelRefused)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    left = [path.name for path in store.folder.iterdir()] if store.folder.exists() else []
    assert left in ([], [".lock"])
