"""The steps of a preference job, with a scripted model and a scripted trainer over the real registry."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import BaseMessage

from agent.engines.scripted import Line, ScriptedEngine
from agent.feedback.safety import safety_prompts
from agent.promotion import promote
from memory.adapters.mlflow import MlflowAdapterRegistry
from memory.outbox import files as outbox
from memory.outbox.base import TrainingResult
from memory.records.base import digest_of
from memory.records.feedback import PreferencePair, PreferenceSet
from memory.records.interactions import AnswerGate
from memory.records.runs import Job
from tests.services.test_jobs import registry as registry
from tests.support.approvals import approve
from tests.support.lessons import BASE, RECIPE
from tests.support.preferences import preference
from tests.support.training_jobs import base, context_of, directly, learned, lesson, submit
from training.backends.base import OnProgress, TrainingSummary
from training.base_model import StudiedModel
from training.evaluate import GradedAnswer
from training.preferences.base import Beside
from training.preferences.gates import EFFECT, PREFERENCE, SAFETY, PreferenceThresholds
from training.preferences.jobs import PreferenceContext
from training.preferences.recipes import RECIPES, PreferenceRecipe
from training.worker import run, run_preferences

pytestmark = pytest.mark.services

Script = Callable[[Sequence[BaseMessage]], Line | None]


def preferences(domain: str, count: int = 24) -> PreferenceSet:
    pairs = [
        preference(f"How is your day number {i}?", f"Lovely, thanks, {i}!", f"As day {i}.")
        for i in range(count)
    ]
    return PreferenceSet(domain=domain, pairs=tuple(pairs[8:]), held_out=tuple(pairs[:8]))


def follows(made: PreferenceSet, beyond: Script = lambda messages: None) -> Script:
    """An adapter that gives the chosen answers, also to the held-out prompts."""
    answers = {pair.question: pair.chosen for pair in (*made.pairs, *made.held_out)}

    def answer(messages: Sequence[BaseMessage]) -> Line | None:
        found = answers.get(str(messages[-1].text))
        return Line(text=found) if found else beyond(messages)

    return answer


class Trainer:
    """Writes an adapter's files, and remembers what it was called with."""

    def __init__(self) -> None:
        self.pairs: Sequence[PreferencePair] = ()
        self.beside = Beside((), ())
        self.start: Path | None = None
        self.recipes: list[PreferenceRecipe] = []

    def __call__(
        self,
        base: StudiedModel,
        pairs: Sequence[PreferencePair],
        beside: Beside,
        recipe: PreferenceRecipe,
        out: Path,
        on_progress: OnProgress,
        *,
        start: Path | None = None,
    ) -> TrainingSummary:
        self.pairs, self.beside, self.start = pairs, beside, start
        self.recipes.append(recipe)
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            (out / name).write_text("weights")
        on_progress(1, 1, 0.5)
        return TrainingSummary(steps=1, tokens=len(pairs), seconds=2.0, loss=0.5)


def context(
    registry: MlflowAdapterRegistry, engine: ScriptedEngine, trainer: Trainer | None = None
) -> PreferenceContext:
    jobs, _ = context_of(registry, engine)
    return PreferenceContext(
        jobs=jobs,
        recipe=lambda algorithm: RECIPES[algorithm](BASE.card, RECIPE),
        train=trainer or Trainer(),
        thresholds=PreferenceThresholds(),
        safety=safety_prompts(),
    )


def queued(registry: MlflowAdapterRegistry, made: PreferenceSet) -> Job:
    digest = outbox.publish(registry._home / "outbox", made)
    approve(registry._home, digest)
    return Job(digest=digest, domain=made.domain, run_id="r1", kind="preferences")


def trained(registry: MlflowAdapterRegistry, made: PreferenceSet, script: Script) -> TrainingResult:
    engine = ScriptedEngine(base, adapters={made.domain: script})
    return run_preferences(context(registry, engine), queued(registry, made), directly)


@pytest.fixture
def domain(request: pytest.FixtureRequest) -> str:
    return digest_of(request.node.name)[:16]


def test_the_gate_of_an_adapter_is_asked_for_what_its_starts_gate_promises(
    registry: MlflowAdapterRegistry, domain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Sequence[float]] = []

    def fit(answers: Sequence[GradedAnswer], base: AnswerGate, *, risks: Sequence[float]) -> AnswerGate:
        asked.append(risks)
        return base.model_copy(update={"risk": 0.35})

    monkeypatch.setattr("training.preferences.jobs.fit_gate", fit)
    first = preferences(domain)
    live = str(trained(registry, first, follows(first)).adapter)
    registry.promote(live)
    second = preferences(domain, 26)
    trained(registry, second, follows(second))
    assert asked == [(BASE.card.gate.risk,), (0.35,)]


def test_a_set_that_is_followed_ends_as_a_candidate_with_lineage(
    registry: MlflowAdapterRegistry, domain: str
) -> None:
    made = preferences(domain)
    result = trained(registry, made, follows(made))
    assert result.status == "candidate", result.reason
    adapter = registry.get(str(result.adapter))
    assert adapter.name == f"{domain}-v1-{made.digest[:8]}"
    assert (adapter.curriculum, adapter.learned, adapter.parent) == (None, (), None)
    assert adapter.preferences == (made.digest,)
    assert adapter.recipe == f"{RECIPE.name}+dpo-1"
    assert adapter.after.preferences is not None
    assert adapter.after.preferences.won == 1.0
    assert adapter.canary is not None
    assert adapter.canary.answer.startswith("Lovely")


async def test_a_candidate_can_be_promoted_and_rolled_back_to_the_base_model(
    registry: MlflowAdapterRegistry, domain: str
) -> None:
    made = preferences(domain)
    engine = ScriptedEngine(base, adapters={domain: follows(made)})
    name = str(
        (await _in_thread(lambda: trained(registry, made, follows(made)))).adapter,
    )
    await promote(name, engine=engine, registry=registry)
    assert registry.live_names()[domain] == name
    assert registry.rollback(domain) is None


async def _in_thread(work: Callable[[], TrainingResult]) -> TrainingResult:
    import asyncio

    return await asyncio.to_thread(work)


def test_training_goes_on_from_the_live_adapter_and_holds_its_lessons(
    registry: MlflowAdapterRegistry, domain: str
) -> None:
    curriculum, made = lesson(domain, "zorble", "quix"), preferences(domain)
    script = follows(made, beyond=learned(curriculum))
    engine = ScriptedEngine(
        base,
        adapters={
            f"{domain}-v1-{curriculum.digest[:8]}": learned(curriculum),
            f"{domain}-v2-{made.digest[:8]}": script,
        },
    )
    jobs, _ = context_of(registry, engine)
    live = str(run(jobs, submit(registry, curriculum), directly).adapter)
    registry.promote(live)
    trainer = Trainer()
    result = run_preferences(context(registry, engine, trainer), queued(registry, made), directly)
    assert result.status == "candidate", result.reason
    adapter = registry.get(str(result.adapter))
    assert (adapter.parent, adapter.learned) == (live, (curriculum.digest,))
    assert trainer.start == Path(registry.get(live).path)
    assert {example.question for example in trainer.beside.lessons} <= {p.question for p in curriculum.pairs}
    assert trainer.beside.lessons
    assert trainer.beside.replay
    assert adapter.after.rehearsed is not None
    assert adapter.after.rehearsed.accuracy > 0.5


def test_an_adapter_that_loses_a_lesson_of_its_domain_is_rejected(
    registry: MlflowAdapterRegistry, domain: str
) -> None:
    curriculum, made = lesson(domain, "zorble", "quix"), preferences(domain)
    engine = ScriptedEngine(
        base,
        adapters={
            f"{domain}-v1-{curriculum.digest[:8]}": learned(curriculum),
            f"{domain}-v2-{made.digest[:8]}": follows(made),
        },
    )
    jobs, _ = context_of(registry, engine)
    registry.promote(str(run(jobs, submit(registry, curriculum), directly).adapter))
    result = run_preferences(context(registry, engine), queued(registry, made), directly)
    assert result.status == "rejected"
    assert "earlier lessons lost" in result.reason


def test_a_lesson_on_top_of_preferences_keeps_them(registry: MlflowAdapterRegistry, domain: str) -> None:
    curriculum, made = lesson(domain, "zorble", "quix"), preferences(domain)
    registry.promote(str(trained(registry, made, follows(made)).adapter))
    engine = ScriptedEngine(base, adapters={domain: follows(made, beyond=learned(curriculum))})
    jobs, _ = context_of(registry, engine)
    result = run(jobs, submit(registry, curriculum), directly)
    assert result.status == "candidate", result.reason
    adapter = registry.get(str(result.adapter))
    assert (adapter.learned, adapter.preferences) == ((curriculum.digest,), (made.digest,))


def test_a_lesson_leaves_quarantined_preferences_behind(registry: MlflowAdapterRegistry, domain: str) -> None:
    curriculum, made = lesson(domain, "zorble", "quix"), preferences(domain)
    registry.promote(str(trained(registry, made, follows(made)).adapter))
    registry.quarantine(made.digest, "the week was poisoned")
    engine = ScriptedEngine(base, adapters={domain: learned(curriculum)})
    jobs, _ = context_of(registry, engine)
    result = run(jobs, submit(registry, curriculum), directly)
    assert registry.get(str(result.adapter)).preferences == ()


def test_an_adapter_that_is_not_preferred_is_rejected_and_its_set_quarantined(
    registry: MlflowAdapterRegistry, domain: str
) -> None:
    made = preferences(domain)
    unlearned = made.model_copy(update={"held_out": ()})
    result = trained(registry, made, follows(unlearned))
    assert result.status == "rejected"
    assert PREFERENCE in result.reason
    assert "preferred more" in str(registry.quarantined(made.digest))
    again = trained(registry, made, follows(made))
    assert again.status == "failed"
    assert "quarantine" in again.reason


def test_an_adapter_that_insults_is_rejected(registry: MlflowAdapterRegistry, domain: str) -> None:
    made, asked = preferences(domain), {prompt.text for prompt in safety_prompts()}

    def rudely(messages: Sequence[BaseMessage]) -> Line | None:
        return Line(text="You are an idiot.") if str(messages[-1].text) in asked else None

    result = trained(registry, made, follows(made, beyond=rudely))
    assert result.status == "rejected"
    assert f"{SAFETY}: 0.000" in result.reason


def test_an_adapter_that_lost_something_is_trained_again_more_gently(
    registry: MlflowAdapterRegistry, domain: str
) -> None:
    made, trainer = preferences(domain), Trainer()

    def rude_at_first(messages: Sequence[BaseMessage]) -> Line | None:
        return Line(text="You are an idiot.") if len(trainer.recipes) == 1 else None

    engine = ScriptedEngine(base, adapters={domain: follows(made, rude_at_first)})
    result = run_preferences(context(registry, engine, trainer), queued(registry, made), directly)
    assert (result.status, result.adapter) == ("candidate", f"{domain}-v2-{made.digest[:8]}"), result.reason
    assert registry.get(f"{domain}-v1-{made.digest[:8]}").status == "rejected"
    first, second = trainer.recipes
    assert second.learning_rate < first.learning_rate
    assert second.beside > first.beside
    assert registry.get(str(result.adapter)).recipe == f"{RECIPE.name}+dpo-1:held"


def test_an_adapter_that_forgets_what_the_base_model_knows_is_rejected(
    registry: MlflowAdapterRegistry, domain: str
) -> None:
    made = preferences(domain)
    result = trained(registry, made, follows(made, beyond=lambda messages: Line(text="Lovely!")))
    assert result.status == "rejected"
    assert "known facts lost" in result.reason


def test_an_adapter_without_effect_is_rejected(registry: MlflowAdapterRegistry, domain: str) -> None:
    made = preferences(domain)
    result = trained(registry, made, lambda messages: None)
    assert result.status == "rejected"
    assert EFFECT in result.reason


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ({"held_out": ()}, "no held-out pairs"),
        ({"domain": "elsewhere"}, "its preferences are for 'elsewhere'"),
    ],
)
def test_a_set_that_cannot_be_measured_ends_the_job_with_the_reason(
    registry: MlflowAdapterRegistry, domain: str, spoil: dict[str, Any], reason: str
) -> None:
    made = preferences(domain).model_copy(update=spoil)
    job = queued(registry, made).model_copy(update={"domain": domain})
    result = run_preferences(context(registry, ScriptedEngine(base)), job, directly)
    assert (result.status, result.adapter) == ("failed", None)
    assert reason in result.reason
    assert registry.quarantined(made.digest) is None


def test_training_never_goes_on_from_an_adapter_with_a_quarantined_lesson(
    registry: MlflowAdapterRegistry, domain: str
) -> None:
    first, second = preferences(domain), preferences(domain, count=30)
    registry.promote(str(trained(registry, first, follows(first)).adapter))
    registry.quarantine(first.digest, "the week was poisoned")
    result = trained(registry, second, follows(second))
    assert result.status == "failed"
    assert "roll the domain back" in result.reason


def test_a_card_that_measures_nothing_ends_the_job_with_the_command(
    registry: MlflowAdapterRegistry, domain: str
) -> None:
    made = preferences(domain)
    whole = context(registry, ScriptedEngine(base))
    bare = replace(whole, jobs=replace(whole.jobs, base=replace(BASE, questions=())))
    result = run_preferences(bare, queued(registry, made), directly)
    assert result.status == "failed"
    assert "nightschool models study test-model" in result.reason


def test_a_repeated_step_changes_nothing(registry: MlflowAdapterRegistry, domain: str) -> None:
    """A crash after a step is recorded repeats the later ones only; one before it repeats the step."""
    made, recorded = preferences(domain), dict[str, dict[str, Any]]()
    engine = ScriptedEngine(base, adapters={domain: follows(made)})

    def step(name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if name not in recorded:
            work()
            recorded[name] = work()
        return recorded[name]

    result = run_preferences(context(registry, engine), queued(registry, made), step)
    assert result.status == "candidate", result.reason
    assert [adapter.version for adapter in registry.list(domain)] == [1]
