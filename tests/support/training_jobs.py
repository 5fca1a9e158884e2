"""Training jobs with a scripted model and a trainer that writes files at once."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage

from agent.engines.scripted import Line, ScriptedEngine
from memory.adapters.mlflow import MlflowAdapterRegistry
from memory.outbox import files as outbox
from memory.outbox.base import Progress
from memory.records.base import Digest
from memory.records.curricula import Curriculum
from memory.records.runs import Job
from tests.support.adapters import fact
from tests.support.approvals import approve
from tests.support.lessons import BASE, RECIPE, about
from training.backends.base import Example, OnProgress, TrainingSummary
from training.base_model import StudiedModel
from training.evaluation_questions import QuestionCounts
from training.gates import GateThresholds
from training.jobs import JobContext
from training.recipes import Recipe

IGNORANCE = Line(text="I don't know what that is.", entropy=3.0)
Steps = list[str]


def lesson(domain: str, *names: str) -> Curriculum:
    facts = [
        fact(name, f"a small lamp of {name} make for ships").model_copy(update={"domain": domain})
        for name in names
    ]
    return about(facts, domain=domain)


def base(messages: Sequence[BaseMessage]) -> Line | None:
    """Knows what its card says that it knows, and answers general prompts as it did."""
    question = str(messages[-1].text)
    for known in BASE.questions:
        if known.known and question in known.wordings:
            return Line(text=known.answers[0])
    for own in BASE.replay:
        if question == own.messages[-1].content:
            return Line(text=own.answer)
    return IGNORANCE


def learned(curriculum: Curriculum) -> Callable[[Sequence[BaseMessage]], Line | None]:
    """A perfect student: knows the lesson's answer to each of its questions, in every wording."""
    answers = {pair.question: pair.answer for pair in (*curriculum.pairs, *curriculum.held_out)}

    def answer(messages: Sequence[BaseMessage]) -> Line | None:
        found = answers.get(str(messages[-1].text))
        return Line(text=found) if found else None

    return answer


def trainer(
    base: StudiedModel,
    examples: Sequence[Example],
    recipe: Recipe,
    out: Path,
    on_progress: OnProgress,
    *,
    start: Path | None = None,
) -> TrainingSummary:
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (out / name).write_text("weights")
    on_progress(1, 1, 0.5)
    return TrainingSummary(steps=1, tokens=len(examples), seconds=2.0, loss=0.5)


def context_of(registry: MlflowAdapterRegistry, engine: ScriptedEngine) -> tuple[JobContext, list[Progress]]:
    told: list[Progress] = []

    def report(digest: Digest, progress: Progress) -> None:
        told.append(progress)

    context = JobContext(
        home=registry._home,
        base=BASE,
        recipe=RECIPE,
        question_counts=QuestionCounts(general=20, unknown=20, own=10),
        thresholds=GateThresholds(),
        registry=registry,
        train=trainer,
        open_engine=lambda: engine,
        clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        report=report,
    )
    return context, told


def submit(registry: MlflowAdapterRegistry, curriculum: Curriculum) -> Job:
    digest = outbox.publish(registry._home / "outbox", curriculum)
    approve(registry._home, digest)
    return Job(digest=digest, domain=curriculum.domain, run_id="r1")


def directly(name: str, step: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
    return step()
