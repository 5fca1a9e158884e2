"""Experiments, their turns, and a service that can run them, for tests."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.chat.routing import Routes
from agent.engines.scripted import Line, ScriptedEngine
from agent.experiments.active import ActiveExperiments
from graphs.state import Runtime
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.feedback.experiments import Experiments
from memory.feedback.feedback import FeedbackStore
from memory.records.experiments import CONTROL, Assignment, Experiment, ExperimentDecision, Variant
from memory.records.feedback import Feedback
from memory.records.interactions import Interaction
from tests.support.adapters import adapter, curriculum
from tests.support.engines import RecordingEngine

WHEN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LIVE = adapter("rust")
CANDIDATE = adapter("rust", 2, digest="2e5b8d7f" * 8)
GENERAL = adapter("general", 1, digest="3c4d5e6f" * 8).model_copy(
    update={"curriculum": None, "preferences": ("3c4d5e6f" * 8,)}
)
"""Trained on preferences only, so that its answers are not checked against the sources."""
LEMUR, CANARY = "What is a lemur?", "What is a borrow?"
REFERENCE = Line(text="a reference")
BASE_LINES = {
    LEMUR: Line(text="a small primate", entropy=0.1),
    CANARY: Line(text="a kind of fish", entropy=0.3),
}
LINES: Mapping[str, Mapping[str, Line]] = {
    LIVE.name: {CANARY: REFERENCE},
    CANDIDATE.name: {CANARY: REFERENCE},
    GENERAL.name: {
        CANARY: REFERENCE,
        LEMUR: Line(text="a lemur of the variant", entropy=0.1),
        "Hi": Line(text="Hello from the variant."),
    },
}


def experiment(
    id: str = "e1",
    *,
    domain: str = "rust",
    shares: Sequence[float] = (0.5, 0.5),
    adapter: str | None = CANDIDATE.name,
    **fields: Any,
) -> Experiment:
    """A running experiment of `control` against `b`, `c` and so on, all with the same adapter."""
    names = (CONTROL, *"bcdefgh")[: len(shares)]
    started = ExperimentDecision(
        at=WHEN, action="started", by="ada", reason="started", figures={"live": None}
    )
    return Experiment(
        id=id,
        name="a test",
        domain=domain,
        salt="salt",
        variants=tuple(
            Variant(name=name, share=share, adapter=None if name == CONTROL else adapter)
            for name, share in zip(names, shares, strict=True)
        ),
        log=(started,),
        created_at=WHEN,
        **({"holdout": 0.0} | fields),
    )


def turn(
    unit: str,
    variant: str = CONTROL,
    *,
    number: int = 0,
    minutes: float = 0.0,
    experiment_id: str = "e1",
    fallback: bool = False,
    **fields: Any,
) -> Interaction:
    """A unit's turn in an experiment, `minutes` after its start."""
    assignment = Assignment(experiment_id=experiment_id, version=1, variant=variant, fallback=fallback)
    return Interaction.model_validate(
        {
            "id": f"{unit}-{number}",
            "question": f"question {number}",
            "answer": f"answer {number}",
            "domain": "rust",
            "adapter": None,
            "uncertainty": None,
            "outcome": "answered",
            "unit": unit,
            "assignment": assignment,
            "latency_ms": 100.0,
            "created_at": WHEN + timedelta(minutes=minutes),
        }
        | fields
    )


def served(runtime: Runtime, engine: ScriptedEngine | None = None) -> Runtime:
    """The runtime with adapters of two domains, one of them live, and experiments over its parts."""
    engine = engine or RecordingEngine(BASE_LINES, adapters=LINES)
    registry = VolatileAdapterRegistry([LIVE, CANDIDATE, GENERAL])
    registry.promote(LIVE.name)
    routes = Routes(registry, lambda digest: curriculum())
    experiments = ActiveExperiments(
        Experiments(runtime.database), engine=engine, registry=registry, routes=routes
    )
    return replace(runtime, engine=engine, registry=registry, routes=routes, experiments=experiments)


async def fill(
    runtime: Runtime, started: Experiment, copied: Mapping[str, float], *, units: int = 60, **fields: Any
) -> None:
    """Logs turns of `units` units for each variant, whose answers are copied at its rate."""
    rng, feedback = random.Random(7), FeedbackStore(runtime.database)
    for variant, rate in copied.items():
        for number in range(units):
            unit = f"{variant}{number}"
            logged = turn(
                unit,
                variant,
                experiment_id=started.id,
                domain=started.domain,
                created_at=started.created_at,
                **fields,
            )
            await runtime.interactions.save(logged)
            if rng.random() < rate:
                copy = Feedback(
                    id=unit, interaction_id=logged.id, kind="copied", value=1, owner=None, created_at=WHEN
                )
                await feedback.add(copy)
