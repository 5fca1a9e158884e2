"""The steps of a training job, with a scripted model and a scripted trainer over the real registry."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.engines.scripted import ScriptedEngine
from agent.learning.forgetting import replacement_curriculum
from memory.adapters.mlflow import MlflowAdapterRegistry
from memory.records.base import digest_of
from memory.records.curricula import Curriculum
from tests.support.lessons import BASE
from tests.support.training_jobs import base, context_of, directly, learned, lesson, submit, trainer
from training.backends.base import Example, OnProgress, TrainingSummary
from training.base_model import StudiedModel
from training.jobs import JobContext
from training.recipes import Recipe
from training.worker import run

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> MlflowAdapterRegistry:
    return MlflowAdapterRegistry(tmp_path_factory.mktemp("home"))


@pytest.fixture
def domain(request: pytest.FixtureRequest) -> str:
    return digest_of(request.node.name)[:16]


def test_a_job_that_taught_its_lesson_ends_as_a_candidate_with_lineage(
    registry: MlflowAdapterRegistry, domain: str
) -> None:
    curriculum = lesson(domain, "zorble", "quix")
    job = submit(registry, curriculum)
    context, told = context_of(registry, ScriptedEngine(base, adapters={domain: learned(curriculum)}))
    result = run(context, job, directly)
    assert result.status == "candidate", result.reason
    made = registry.get(str(result.adapter))
    assert (made.curriculum, made.version, made.status) == (job.digest, 1, "candidate")
    assert made.before.in_distribution.accuracy == 0.0
    assert made.after.in_distribution.accuracy > 0.5
    assert made.canary is not None
    assert told[-1].phase == "done"


def test_an_adapter_is_bound_to_the_weights_it_was_trained_on(
    registry: MlflowAdapterRegistry, domain: str
) -> None:
    curriculum = lesson(domain, "zorble", "quix")
    context, _ = context_of(registry, ScriptedEngine(base, adapters={domain: learned(curriculum)}))
    made = registry.get(str(run(context, submit(registry, curriculum), directly).adapter))
    assert (made.base_model, made.base_digest) == (BASE.card.name, BASE.card.digest)


def test_a_lesson_that_fails_twice_is_quarantined_and_its_outcome_says_what_remains(
    registry: MlflowAdapterRegistry, domain: str
) -> None:
    job = submit(registry, lesson(domain, "zorble"))
    context, _ = context_of(registry, ScriptedEngine(base))
    result = run(context, job, directly)
    assert result.status == "rejected"
    assert "target accuracy up" in result.reason
    assert "stay answered from sources" in result.reason
    assert "nightschool models list" in result.reason
    first, second = registry.list(domain)
    assert (first.status, second.status) == ("rejected", "rejected")
    assert first.recipe != second.recipe, "the second attempt is another one"
    assert "target accuracy up" in str(registry.quarantined(job.digest))


def test_a_lesson_that_fails_once_is_tried_again_and_may_pass(
    registry: MlflowAdapterRegistry, domain: str
) -> None:
    curriculum = lesson(domain, "zorble", "quix")
    second = f"{domain}-v2-{curriculum.digest[:8]}"
    job = submit(registry, curriculum)
    context, _ = context_of(registry, ScriptedEngine(base, adapters={second: learned(curriculum)}))
    result = run(context, job, directly)
    assert (result.status, result.adapter) == ("candidate", second)
    assert registry.quarantined(job.digest) is None


def test_a_card_that_measures_nothing_ends_the_job_with_the_command_and_no_quarantine(
    registry: MlflowAdapterRegistry, domain: str
) -> None:
    job = submit(registry, lesson(domain, "zorble"))
    context, _ = context_of(registry, ScriptedEngine(base))
    result = run(replace(context, base=replace(BASE, questions=())), job, directly)
    assert result.status == "failed"
    assert "nightschool models study test-model" in result.reason
    assert registry.quarantined(job.digest) is None
    assert registry.list(domain) == ()


@pytest.mark.parametrize("missing", [True, False], ids=["missing", "of another curriculum"])
def test_a_curriculum_without_a_signed_approval_is_refused(
    registry: MlflowAdapterRegistry, domain: str, missing: bool
) -> None:
    curriculum = lesson(domain, "zorble", "quix")
    job = submit(registry, curriculum)
    approval = registry._home / "outbox" / f"{job.digest}.approval.json"
    other = submit(registry, lesson(domain, "zorble"))
    approval.unlink()
    if not missing:
        (registry._home / "outbox" / f"{other.digest}.approval.json").rename(approval)
    context, told = context_of(registry, ScriptedEngine(base, adapters={domain: learned(curriculum)}))
    result = run(context, job, directly)
    assert (result.status, result.unsigned, result.adapter) == ("failed", True, None)
    assert "approval" in result.reason
    assert told[-1].phase == "done"
    assert registry.list(domain) == ()


def test_a_quarantined_curriculum_is_not_trained_again(registry: MlflowAdapterRegistry, domain: str) -> None:
    job = submit(registry, lesson(domain, "zorble"))
    registry.quarantine(job.digest, "known facts were lost")
    context, _ = context_of(registry, ScriptedEngine(base))
    result = run(context, job, directly)
    assert result.status == "failed"
    assert "quarantine" in result.reason
    assert registry.list(domain) == ()


def test_a_corrupted_curriculum_file_ends_the_job_with_its_reason(
    registry: MlflowAdapterRegistry, domain: str
) -> None:
    job = submit(registry, lesson(domain, "zorble"))
    path = registry._home / "outbox" / f"{job.digest}.json"
    path.write_text(path.read_text().replace("zorble", "warble"))
    context, told = context_of(registry, ScriptedEngine(base))
    result = run(context, job, directly)
    assert result.status == "failed"
    assert "altered" in result.reason
    assert "altered" in told[-1].message


def test_a_second_lesson_rehearses_the_live_one(registry: MlflowAdapterRegistry, domain: str) -> None:
    first, second = lesson(domain, "zorble"), lesson(domain, "quix")
    both = lesson(domain, "zorble", "quix")
    seen: list[set[str]] = []
    starts: list[Path | None] = []

    def watching(
        base: StudiedModel,
        examples: Sequence[Example],
        recipe: Recipe,
        out: Path,
        on_progress: OnProgress,
        *,
        start: Path | None = None,
    ) -> TrainingSummary:
        seen.append({example.answer for example in examples if not example.distilled})
        starts.append(start)
        return trainer(base, examples, recipe, out, on_progress)

    context, _ = context_of(registry, ScriptedEngine(base, adapters={domain: learned(both)}))
    context = replace(context, train=watching)
    one = run(context, submit(registry, first), directly)
    registry.promote(str(one.adapter))
    two = run(context, submit(registry, second), directly)
    assert registry.get(str(two.adapter)).rehearsed == (first.digest,)
    assert {pair.answer for pair in first.pairs} <= seen[1]
    assert "quix" not in seen[0]
    assert starts == [None, Path(registry.get(str(one.adapter)).path)]


def test_a_live_adapter_of_another_recipe_is_not_gone_on_from(
    registry: MlflowAdapterRegistry, domain: str
) -> None:
    first, second = lesson(domain, "zorble"), lesson(domain, "quix")
    both = lesson(domain, "zorble", "quix")
    starts: list[Path | None] = []

    def watching(*given: Any, start: Path | None = None) -> TrainingSummary:
        starts.append(start)
        return trainer(*given)

    context, _ = context_of(registry, ScriptedEngine(base, adapters={domain: learned(both)}))
    context = replace(context, train=watching)
    registry.promote(str(run(context, submit(registry, first), directly).adapter))
    changed = context.recipe.model_copy(update={"name": "another", "rank": 2})
    run(replace(context, recipe=changed), submit(registry, second), directly)
    assert starts == [None, None]


def test_a_live_adapter_of_another_base_is_not_live_for_this_one(
    registry: MlflowAdapterRegistry, domain: str
) -> None:
    first, second = lesson(domain, "zorble"), lesson(domain, "quix")
    both = lesson(domain, "zorble", "quix")
    context, _ = context_of(registry, ScriptedEngine(base, adapters={domain: learned(both)}))
    old = str(run(context, submit(registry, first), directly).adapter)
    registry.promote(old)
    newer = replace(BASE, card=BASE.card.model_copy(update={"digest": "cd" * 32}))
    engine = ScriptedEngine(base, adapters={domain: learned(both)}, refused={old: "it is of another base"})
    context = replace(context, base=newer, open_engine=lambda: engine)
    made = registry.get(str(run(context, submit(registry, second), directly).adapter))
    assert (made.parent, made.rehearsed, made.base_digest) == (None, (), newer.card.digest)


@pytest.mark.parametrize(
    ("knows", "reason"), [("first", "target accuracy up"), ("second", "earlier lessons lost")]
)
def test_a_second_lesson_must_be_learned_and_the_first_kept(
    registry: MlflowAdapterRegistry, domain: str, knows: str, reason: str
) -> None:
    lessons = {"first": lesson(domain, "zorble"), "second": lesson(domain, "quix")}
    live = f"{domain}-v1-{lessons['first'].digest[:8]}"
    engine = ScriptedEngine(base, adapters={live: learned(lessons["first"]), domain: learned(lessons[knows])})
    context, _ = context_of(registry, engine)
    one = run(context, submit(registry, lessons["first"]), directly)
    assert one.adapter == live
    registry.promote(live)
    two = run(context, submit(registry, lessons["second"]), directly)
    assert two.status == "rejected"
    assert reason in two.reason
    before = registry.get(str(two.adapter)).before.rehearsed
    assert before is not None
    assert before.accuracy > 0.5, "the live adapter, not the base model, is the measure"


def taught_in_turn(context: JobContext, registry: MlflowAdapterRegistry, *lessons: Curriculum) -> str:
    """Learns the lessons one after the other, each on top of the last; returns the live adapter's name."""
    name = ""
    for each in lessons:
        result = run(context, submit(registry, each), directly)
        assert result.status == "candidate", result.reason
        name = str(result.adapter)
        registry.promote(name)
    return name


@pytest.mark.parametrize("still_knows", [False, True])
def test_a_lesson_is_forgotten_by_learning_the_others_from_the_base_and_shown_to_be_gone(
    registry: MlflowAdapterRegistry, domain: str, still_knows: bool
) -> None:
    good, bad, last = lesson(domain, "zorble"), lesson(domain, "quix"), lesson(domain, "marn")
    everything, rest = lesson(domain, "zorble", "quix", "marn"), lesson(domain, "zorble", "marn")
    live = f"{domain}-v3-{last.digest[:8]}"
    engine = ScriptedEngine(
        base, adapters={live: learned(everything), domain: learned(everything if still_knows else rest)}
    )
    trained: list[tuple[Path | None, set[str]]] = []

    def watching(*given: Any, start: Path | None = None) -> TrainingSummary:
        trained.append((start, {example.answer for example in given[1] if not example.distilled}))
        return trainer(*given)

    context, _ = context_of(registry, engine)
    context = replace(context, train=watching)
    for number, each in enumerate((good, bad), 1):
        engine._adapters[f"{domain}-v{number}-{each.digest[:8]}"] = learned(everything)
    assert taught_in_turn(context, registry, good, bad, last) == live
    registry.quarantine(bad.digest, "it was wrong")
    anew = replacement_curriculum(registry.get(live), (good.digest, last.digest), last)
    result = run(context, submit(registry, anew), directly)
    made = registry.get(str(result.adapter))
    assert made.learned == (good.digest, anew.digest)
    start, answers = trained[-1]
    assert start is None
    assert "quix" not in answers
    assert {"zorble", "marn"} <= answers
    was, now = made.before, made.after
    assert was.forgotten is not None
    assert was.forgotten_live is not None
    assert now.forgotten is not None
    assert (was.forgotten.accuracy, was.forgotten_live.accuracy) == (0.0, 1.0)
    assert was.rehearsed is not None
    assert now.rehearsed is not None
    assert was.rehearsed.accuracy == now.rehearsed.accuracy > 0.5
    assert was.rehearsed.count > was.forgotten.count, "both lessons that stay are asked of the live adapter"
    assert now.forgotten.accuracy == float(still_knows)
    assert result.status == ("rejected" if still_knows else "candidate"), result.reason
    assert ("forgotten facts left" in result.reason) == still_knows


def test_the_next_lesson_does_not_rehearse_what_is_in_quarantine(
    registry: MlflowAdapterRegistry, domain: str
) -> None:
    good, bad, after = lesson(domain, "zorble"), lesson(domain, "quix"), lesson(domain, "marn")
    everything = lesson(domain, "zorble", "quix", "marn")
    engine = ScriptedEngine(base, adapters={domain: learned(everything)})
    starts: list[Path | None] = []

    def watching(*given: Any, start: Path | None = None) -> TrainingSummary:
        starts.append(start)
        return trainer(*given)

    context, _ = context_of(registry, engine)
    context = replace(context, train=watching)
    taught_in_turn(context, registry, good, bad)
    registry.quarantine(bad.digest, "it was wrong")
    engine._adapters[domain] = learned(lesson(domain, "zorble", "marn"))
    engine._adapters[f"{domain}-v2-{bad.digest[:8]}"] = learned(everything)
    result = run(context, submit(registry, after), directly)
    assert result.status == "candidate", result.reason
    assert registry.get(str(result.adapter)).learned == (good.digest, after.digest)
    assert starts[-1] is None


@pytest.mark.parametrize("broken", ["measure base", "train", "measure adapter", "gate"])
def test_a_job_killed_before_recording_a_step_repeats_it_and_ends_once(
    registry: MlflowAdapterRegistry, domain: str, broken: str
) -> None:
    curriculum = lesson(domain, "zorble", "quix")
    job = submit(registry, curriculum)
    context, _ = context_of(registry, ScriptedEngine(base, adapters={domain: learned(curriculum)}))
    recorded: dict[str, dict[str, Any] | None] = {}

    class Killed(BaseException):
        pass

    def dying(name: str, step: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
        value = step()
        if name == broken:
            raise Killed
        recorded[name] = value
        return value

    def resuming(name: str, step: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
        return recorded[name] if name in recorded else step()

    with pytest.raises(Killed):
        run(context, job, dying)
    result = run(context, job, resuming)
    assert result.status == "candidate", result.reason
    assert [found.name for found in registry.list(domain)] == [result.adapter]
    assert not list((registry._home / "adapters").glob(".*"))
