"""The folder of models: a name stands for a whole model, and one of them is in use."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agent.errors import BadModelCard, ModelRefused, NoModelCard, UnknownModel
from agent.models import store as stores
from agent.models.card import (
    CARD,
    CARD_FILES,
    QUESTIONS,
    GeneralQuestion,
    ModelCard,
    ReplayAnswer,
    ReplayDistributions,
    read_card,
    read_questions,
    write_card,
)
from agent.models.catalogue import shipped_catalogue
from agent.models.store import AddedModel, ModelOrigin, ModelStore, digest_of_model, resolve_model
from agent.settings import read_settings
from tests.support.cards import DIGEST, card, model_folder

NONE = np.zeros(0, np.int32)
ARRAYS = ReplayDistributions(NONE, NONE, NONE.reshape(0, 2), np.zeros((0, 2), np.float16))


def origin(name: str = "small", **changes: object) -> ModelOrigin:
    whole = ModelOrigin(name=name, title="A small one", source="here", licence="MIT", digest=DIGEST)
    return whole.model_copy(update=changes)


def fill(folder: Path) -> ModelOrigin:
    (folder / "config.json").write_text("{}")
    return origin()


def studied(folder: Path, **changes: object) -> Path:
    write_card(folder, card(**changes), (), (), (), ARRAYS)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def test_a_placed_model_is_listed_and_says_where_it_came_from(store: ModelStore) -> None:
    store.place("small", fill)
    assert store.names() == ("small",)
    assert store.origin("small") == origin()


def test_what_fails_half_way_leaves_nothing(store: ModelStore) -> None:
    def half(folder: Path) -> ModelOrigin:
        fill(folder)
        raise ModelRefused("no")

    with pytest.raises(ModelRefused):
        store.place("small", half)
    assert [path.name for path in store.folder.iterdir()] == [".lock"]


def test_what_a_killed_process_left_is_no_model_and_is_cleared_away(store: ModelStore) -> None:
    left = store.folder / ".unfinished-other"
    left.mkdir(parents=True)
    (left / stores.ORIGIN).write_text(origin("other").model_dump_json())
    assert store.names() == ()
    store.place("small", fill)
    assert not left.exists()


def test_a_name_is_given_once(store: ModelStore) -> None:
    store.place("small", fill)
    with pytest.raises(ModelRefused, match=r"models remove small"):
        store.place("small", fill)


def test_removing_a_model_forgets_that_it_was_chosen(store: ModelStore) -> None:
    store.place("small", fill)
    store.use("small")
    assert store.chosen() == "small"
    store.remove("small")
    assert (store.names(), store.chosen()) == ((), None)


@pytest.mark.parametrize("act", [ModelStore.use, ModelStore.remove, ModelStore.card, ModelStore.origin])
def test_a_model_that_was_not_added_is_unknown(store: ModelStore, act: object) -> None:
    with pytest.raises(UnknownModel, match=r"models list"):
        act(store, "nothing")  # type: ignore[operator]


def test_removing_a_model_of_links_leaves_their_files(store: ModelStore, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.write_text("x")

    def link(folder: Path) -> ModelOrigin:
        (folder / "weights").symlink_to(weights)
        return fill(folder)

    store.place("small", link)
    store.remove("small")
    assert weights.read_text() == "x"


def test_a_model_without_a_card_names_the_command_that_makes_one(store: ModelStore) -> None:
    store.place("small", fill)
    with pytest.raises(NoModelCard, match=r"models study small"):
        store.card("small")


def test_a_card_of_other_weights_is_no_card(store: ModelStore) -> None:
    store.place("small", fill)
    studied(store.path("small"), digest="cd" * 32)
    with pytest.raises(BadModelCard, match=r"models study small"):
        store.card("small")


def test_a_shipped_card_comes_with_its_model_and_follows_the_product(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "CARDS", tmp_path / "cards")
    shipped = studied(tmp_path / "cards" / "small", known=1)
    store.place("small", fill)
    assert store.card("small").known == 1
    assert (store.path("small") / QUESTIONS).is_file()
    studied(shipped, known=2)
    store.refresh_card("small")
    assert store.card("small").known == 2


def test_a_card_that_lacks_a_file_is_refused_and_a_shipped_one_is_made_whole(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "CARDS", tmp_path / "cards")
    studied(tmp_path / "cards" / "small")
    store.place("small", fill)
    (store.path("small") / QUESTIONS).unlink()
    with pytest.raises(BadModelCard, match=f"lacks {QUESTIONS}: run `nightschool models add small`"):
        store.card("small")
    store.refresh_card("small")
    assert store.card("small") == card()


def test_a_shipped_card_with_other_questions_is_taken_though_the_rest_is_the_same(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "CARDS", tmp_path / "cards")
    shipped = studied(tmp_path / "cards" / "small")
    store.place("small", fill)
    (shipped / QUESTIONS).write_text("\n")
    store.refresh_card("small")
    assert (store.path("small") / QUESTIONS).read_text() == "\n"


def test_a_card_made_here_is_kept(store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "CARDS", tmp_path / "cards")
    shipped = studied(tmp_path / "cards" / "small", known=1)
    store.place("small", fill)
    studied(store.path("small"), known=7)
    studied(shipped, known=2)
    store.refresh_card("small")
    assert store.card("small").known == 7


def test_a_shipped_card_of_other_weights_is_not_taken(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "CARDS", tmp_path / "cards")
    studied(tmp_path / "cards" / "small", digest="cd" * 32)
    store.place("small", fill)
    assert not (store.path("small") / CARD).exists()


def test_the_setting_comes_before_what_was_chosen_and_that_before_the_default(
    store: ModelStore, tmp_path: Path
) -> None:
    for name in ("first", "second", shipped_catalogue().default):
        store.place(name, fill)
        studied(store.path(name))
    assert resolve_model(read_settings(models=store.folder)).name == shipped_catalogue().default
    store.use("first")
    assert resolve_model(read_settings(models=store.folder)).name == "first"
    assert resolve_model(read_settings(models=store.folder, model="second")).name == "second"


def test_a_catalogued_model_that_is_not_here_names_the_command_that_adds_it(store: ModelStore) -> None:
    name = shipped_catalogue().default
    with pytest.raises(UnknownModel, match=f"models add {name}"):
        resolve_model(read_settings(models=store.folder))


def test_a_folder_with_a_card_is_a_model(store: ModelStore, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "mine")
    found = resolve_model(read_settings(models=store.folder, model=str(folder)))
    assert found == AddedModel(name="mine", folder=folder, card=read_card(folder))


@pytest.mark.parametrize(("make", "error"), [(False, UnknownModel), (True, NoModelCard)])
def test_a_folder_without_a_card_is_none(
    store: ModelStore, tmp_path: Path, make: bool, error: type[Exception]
) -> None:
    if make:
        (tmp_path / "config.json").write_text("{}")
    with pytest.raises(error, match=r"nightschool models add"):
        resolve_model(read_settings(models=store.folder, model=str(tmp_path)))


def test_a_models_digest_is_that_of_its_files_and_not_of_its_card(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    digest = digest_of_model(folder)
    studied(folder)
    (folder / stores.ORIGIN).write_text("{}")
    assert digest_of_model(folder) == digest
    (folder / "model.safetensors").write_bytes(b"other")
    assert digest_of_model(folder) != digest


def save(store: ModelStore, made: ModelCard) -> None:
    store.save_card(made, (), (), (), ARRAYS)


def test_a_study_of_a_model_that_is_still_there_is_saved(store: ModelStore) -> None:
    store.place("small", fill)
    save(store, card(name="small"))
    assert store.card("small").name == "small"


def test_a_study_of_a_model_that_was_removed_or_replaced_meanwhile_is_not_saved(store: ModelStore) -> None:
    with pytest.raises(ModelRefused, match=r"models study small"):
        save(store, card(name="small"))
    assert store.names() == ()
    store.place("small", fill)
    with pytest.raises(ModelRefused, match=r"replaced"):
        save(store, card(name="small", digest="cd" * 32))
    assert not (store.path("small") / CARD).exists()


def test_a_card_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """Whatever fails half-way, the old card and its questions are still a pair."""
    known = GeneralQuestion(id="k", domain="factual", wordings=("What?",), answers=("this",), known=True)
    write_card(tmp_path, card(known=1), (known,), (), (), ARRAYS)
    before = {name: (tmp_path / name).read_bytes() for name in CARD_FILES}

    def failing() -> Iterator[ReplayAnswer]:
        yield ReplayAnswer(id="r", kind="small_talk", messages=(), answer="Hello!")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write_card(tmp_path, card(known=2), (known, known), (), failing(), ARRAYS)
    assert {name: (tmp_path / name).read_bytes() for name in CARD_FILES} == before
    assert read_questions(tmp_path) == (known,)


def test_files_that_changed_after_adoption_are_found_out(store: ModelStore) -> None:
    def whole(folder: Path) -> ModelOrigin:
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(b"weights")
        return origin(digest=digest_of_model(folder))

    store.place("small", whole)
    store.verify("small")
    (store.path("small") / "model.safetensors").write_bytes(b"Weights")
    with pytest.raises(ModelRefused, match=r"models remove small.*models add"):
        store.verify("small")


def test_an_adopted_folder_that_was_moved_is_one_line_that_says_what_to_do(
    store: ModelStore, tmp_path: Path
) -> None:
    weights = tmp_path / "mine" / "model.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"weights")

    def link(folder: Path) -> ModelOrigin:
        (folder / weights.name).symlink_to(weights)
        return origin(digest=digest_of_model(folder), source=str(weights.parent))

    store.place("small", link)
    store.verify("small")
    weights.parent.rename(tmp_path / "elsewhere")
    with pytest.raises(ModelRefused, match=r"cannot be read.*nightschool models remove small") as refused:
        store.verify("small")
    assert "\n" not in str(refused.value)
    store.remove("small")
    assert store.names() == ()


def test_a_model_is_found_by_its_name_and_by_what_it_was_added_from(
    store: ModelStore, tmp_path: Path
) -> None:
    store.place("small", lambda folder: _from(folder, str(tmp_path / "mine")))
    store.place("tiny", lambda folder: _from(folder, "owner/Tiny"))
    damaged = store.path("damaged")
    damaged.mkdir()
    (damaged / stores.ORIGIN).write_text("{")
    assert [store.find(what) for what in ("small", str(tmp_path / "mine"), "owner/Tiny", "other/Tiny")] == [
        "small",
        "small",
        "tiny",
        None,
    ]
    assert store.find(str(store.path("small"))) == "small"
    assert store.find_added("small") is None
    studied(store.path("tiny"))
    assert resolve_model(read_settings(models=store.folder, model="owner/Tiny")).name == "tiny"


def _from(folder: Path, source: str) -> ModelOrigin:
    return fill(folder).model_copy(update={"source": source})


def test_a_model_that_its_study_found_unfit_is_not_served(store: ModelStore) -> None:
    store.place("small", fill)
    studied(store.path("small"), verdict="no-go", reasons=("it cannot read", "nor write"))
    with pytest.raises(ModelRefused, match=r"no-go: it cannot read; nor write.*models use") as refused:
        resolve_model(read_settings(models=store.folder, model="small"))
    assert "\n" not in str(refused.value)


def test_a_model_for_retrieval_only_is_served(store: ModelStore) -> None:
    store.place("small", fill)
    studied(store.path("small"), verdict="retrieval only")
    assert resolve_model(read_settings(models=store.folder, model="small")).card.verdict == "retrieval only"
