"""The parameters and figures of an adapter, as an MLflow run that plots them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from memory.records.adapters import Adapter
from memory.records.evaluations import PreferenceScore, SafetyScore, Score

if TYPE_CHECKING:
    from mlflow import MlflowClient


def log_run(client: "MlflowClient", experiment: str, adapter: Adapter) -> str:
    """Creates a run of the experiment; returns its id."""
    from mlflow.entities import Metric, Param

    run = client.create_run(experiment, run_name=adapter.name).info.run_id
    timestamp = int(adapter.created_at.timestamp() * 1000)
    keys = ("base_model", "recipe", "version")
    client.log_batch(
        run,
        metrics=[Metric(key, value, timestamp, 0) for key, value in metrics(adapter)],
        params=[
            *(Param(key, str(getattr(adapter, key))) for key in keys),
            Param("curriculum", adapter.curriculum or ""),
            Param("preferences", adapter.preferences[-1] if adapter.preferences else ""),
        ],
    )
    client.set_terminated(run)
    return str(run)


def metrics(adapter: Adapter) -> Iterator[tuple[str, float]]:
    """Name and value of each figure."""
    yield "training_seconds", adapter.training_seconds
    yield "training_tokens", float(adapter.training_tokens)
    for phase, evaluation in (("before", adapter.before), ("after", adapter.after)):
        yield f"{phase}.seconds", evaluation.seconds
        for group, score in evaluation:
            if isinstance(score, Score | PreferenceScore | SafetyScore):
                for key, value in score:
                    yield f"{phase}.{group}.{key}", float(value)
    for key, share in adapter.let_through:
        yield f"let_through.{key}", share
    if adapter.gate.error is not None:
        yield "calibration.error", adapter.gate.error
    for form, form_gate in adapter.gate.forms.items():
        yield f"gate.{form}.coverage", form_gate.coverage
    for check in adapter.verdict.checks:
        yield f"gate.{check.name.replace(' ', '_')}", check.figure
