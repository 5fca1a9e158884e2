"""Preferences trained for real with TRL and PEFT on the tiny model."""

import asyncio
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from agent.engines.adapter_files import digest_of_files
from agent.engines.local import LocalEngine
from memory.records.evaluations import Drift
from memory.records.feedback import Algorithm, PreferencePair
from memory.records.interactions import LoggedMessage
from tests.support.preferences import preference
from tests.support.tiny_model import FOLDER as TINY
from training.backends import peft
from training.backends.base import TrainingSummary, single
from training.base_model import StudiedModel, evaluation_split, open_base_model
from training.errors import PreferencesRefused, TrainingDiverged
from training.evaluate import answer_style, measure_drift
from training.preferences.base import Beside
from training.preferences.evaluate import PairLikelihood, likelihoods, preference_score
from training.preferences.recipes import RECIPES, PreferenceRecipe, quick
from training.preferences.trainer import make_trainer
from training.recipes import quick as quick_lesson
from training.replay import replay_examples

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

NAME = "general-v1-0123abcd"
train = make_trainer(peft.train)


@pytest.fixture(scope="module")
def base() -> StudiedModel:
    return open_base_model(TINY)


@pytest.fixture(scope="module")
def pairs(base: StudiedModel) -> list[PreferencePair]:
    """The model's own answers, politely and rudely."""
    return [
        preference(each.wordings[0], f"{each.answers[0]}, thanks", f"{each.answers[0]}, no", source=each.id)
        for each in base.questions[:16]
    ]


def recipe(base: StudiedModel, algorithm: Algorithm, **changes: object) -> PreferenceRecipe:
    """A few steps at a high rate."""
    made = quick(RECIPES[algorithm](base.card, quick_lesson(base.card)))
    return made.model_copy(update={"learning_rate": 2e-3, "epochs": 2} | changes)


def trained(
    base: StudiedModel,
    pairs: list[PreferencePair],
    made: PreferenceRecipe,
    out: Path,
    *,
    replay: bool = True,
    start: Path | None = None,
) -> TrainingSummary:
    out.mkdir(parents=True, exist_ok=True)
    beside = Beside(
        replay_examples(base, made.lesson) if replay else (), (single("What is a lamp?", "a light"),)
    )
    return train(base, pairs, beside, made, out, lambda *_: None, start=start)


def measured(folder: Path | None, pairs: list[PreferencePair]) -> tuple[PairLikelihood, ...]:
    engine = LocalEngine.open(TINY, device="cpu")
    if folder is None:
        return asyncio.run(likelihoods(engine, None, pairs))
    asyncio.run(engine.load(NAME, folder))
    return asyncio.run(likelihoods(engine, NAME, pairs))


@pytest.fixture(scope="module")
def adapter_of(
    base: StudiedModel, pairs: list[PreferencePair], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Algorithm], Path]:
    """The folder of an adapter that was trained by the algorithm, once for all tests."""

    @cache
    def trained_once(algorithm: Algorithm) -> Path:
        out = tmp_path_factory.mktemp(algorithm)
        trained(base, pairs, recipe(base, algorithm), out)
        return out

    return trained_once


@pytest.fixture(scope="module")
def before(pairs: list[PreferencePair]) -> tuple[PairLikelihood, ...]:
    """The pairs as the base model sees them."""
    return measured(None, pairs)


def test_a_step_in_parts_is_the_step_as_a_whole(
    base: StudiedModel, pairs: list[PreferencePair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = recipe(base, "dpo", imitation=0.0)  # its mean is over tokens, so that parts weigh alike

    def losses(name: str, at_once: int) -> list[float]:
        monkeypatch.setattr("training.preferences.backend.PAIRS_AT_ONCE", at_once)
        found: list[float] = []
        beside = Beside(replay_examples(base, made.lesson), ())
        (tmp_path / name).mkdir()
        train(base, pairs, beside, made, tmp_path / name, lambda *each: found.append(each[2]))
        return found

    assert losses("parts", 2) == pytest.approx(losses("whole", made.batch), rel=0.01)


@pytest.mark.parametrize("algorithm", ["dpo", "kto", "sft"])
def test_training_raises_the_margin_of_its_pairs(
    adapter_of: Callable[[Algorithm], Path],
    pairs: list[PreferencePair],
    before: tuple[PairLikelihood, ...],
    algorithm: Algorithm,
) -> None:
    score = preference_score(measured(adapter_of(algorithm), pairs), before)
    assert score.margin > 1.0
    assert score.won > 0.9


def test_group_relative_training_runs_on_a_reward_learned_from_the_pairs(
    base: StudiedModel, pairs: list[PreferencePair], tmp_path: Path
) -> None:
    summary = trained(base, pairs[:4], recipe(base, "grpo", epochs=1), tmp_path)
    assert summary.steps == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


def test_replay_holds_the_base_models_own_answers(
    base: StudiedModel, pairs: list[PreferencePair], tmp_path: Path
) -> None:
    made = recipe(base, "dpo", learning_rate=4e-3, beside=6)
    own = evaluation_split(base.replay, made.lesson.asked)[:12]

    def drift(name: str, replay: bool) -> Drift:
        trained(base, pairs, made, tmp_path / name, replay=replay)
        engine = LocalEngine.open(TINY, device="cpu")
        asyncio.run(engine.load(NAME, tmp_path / name))
        return asyncio.run(measure_drift(engine, NAME, own, answer_style(base.card)))

    assert drift("with", True).nats < drift("without", False).nats


def test_the_adapter_that_training_goes_on_from_stays_as_it_is(
    base: StudiedModel,
    pairs: list[PreferencePair],
    adapter_of: Callable[[Algorithm], Path],
    tmp_path: Path,
) -> None:
    live, out = adapter_of("sft"), tmp_path / "out"
    digest = digest_of_files(live)
    start = measured(live, pairs)
    trained(base, pairs, recipe(base, "dpo", learning_rate=5e-4), out, start=live)
    assert digest_of_files(live) == digest
    assert digest_of_files(out) != digest
    assert preference_score(measured(out, pairs), start).margin > 0


def test_the_reference_is_the_adapter_that_training_starts_from(
    base: StudiedModel,
    pairs: list[PreferencePair],
    adapter_of: Callable[[Algorithm], Path],
    tmp_path: Path,
) -> None:
    """At a rate of almost zero, the first loss is log 2 only if policy and reference agree."""
    losses: list[float] = []
    made = recipe(base, "dpo", learning_rate=1e-12, distillation=0.0, imitation=0.0)
    live, out = adapter_of("sft"), tmp_path / "out"
    out.mkdir()
    train(base, pairs, Beside((), ()), made, out, lambda *x: losses.append(x[2]), start=live)
    assert losses == pytest.approx([0.6931] * len(losses), abs=2e-3)


@pytest.mark.parametrize("algorithm", ["dpo", "kto"])
def test_the_same_recipe_trains_the_same_weights(
    base: StudiedModel, pairs: list[PreferencePair], tmp_path: Path, algorithm: Algorithm
) -> None:
    made = recipe(base, algorithm, epochs=1)
    for name in ("one", "two"):
        trained(base, pairs[:6], made, tmp_path / name)
    assert digest_of_files(tmp_path / "one") == digest_of_files(tmp_path / "two")


def test_single_liked_and_disliked_answers_train_kto(
    base: StudiedModel, pairs: list[PreferencePair], tmp_path: Path
) -> None:
    single_answers = [
        pair.model_copy(update={"rejected": None} if number % 3 else {"chosen": None})
        for number, pair in enumerate(pairs)
    ]
    trained(base, single_answers, recipe(base, "kto"), tmp_path)
    score = preference_score(measured(tmp_path, single_answers), measured(None, single_answers))
    assert score.won > 0.7


def test_a_system_prompt_and_earlier_turns_are_part_of_what_is_trained(
    base: StudiedModel, tmp_path: Path
) -> None:
    turns = (("system", "Be kind."), ("user", "hi"), ("assistant", "hello"), ("user", "how are you"))
    messages = tuple(LoggedMessage.model_validate({"role": role, "content": text}) for role, text in turns)
    pair = preference().model_copy(update={"messages": messages})
    trained(base, [pair] * 4, recipe(base, "dpo"), tmp_path)
    assert preference_score(measured(tmp_path, [pair]), measured(None, [pair])).margin > 0


def test_a_loss_that_is_no_number_ends_training(
    base: StudiedModel, pairs: list[PreferencePair], tmp_path: Path
) -> None:
    with pytest.raises(TrainingDiverged, match="learning rate"):
        trained(base, pairs, recipe(base, "dpo", learning_rate=1e30), tmp_path)


@pytest.mark.parametrize(
    ("algorithm", "spoil", "reason"),
    [
        ("dpo", {"rejected": None}, "has the answers that dpo needs"),
        ("sft", {"chosen": None}, "sft needs some"),
        ("dpo", {"chosen": "word " * 3000}, "longer than the model's context"),
    ],
)
def test_pairs_that_cannot_be_trained_are_refused_with_the_reason(
    base: StudiedModel,
    pairs: list[PreferencePair],
    tmp_path: Path,
    algorithm: Algorithm,
    spoil: dict[str, str | None],
    reason: str,
) -> None:
    bad = [pair.model_copy(update=spoil) for pair in pairs]
    with pytest.raises(PreferencesRefused, match=reason):
        trained(base, bad, recipe(base, algorithm), tmp_path)
