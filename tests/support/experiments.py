"""Experiments and their turns for tests."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from memory.records.experiments import CONTROL, Assignment, Experiment, ExperimentDecision, Variant
from memory.records.interactions import Interaction
from tests.support.adapters import adapter

WHEN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CANDIDATE = adapter("rust", 2, digest="2e5b8d7f" * 8)


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
