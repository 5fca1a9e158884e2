"""Routes of experiments (A/B tests): start, list, show with figures, check, change the coverage, stop."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from agent.errors import EngineUnavailable
from agent.experiments.active import ActiveExperiments
from agent.experiments.decision import Analysis, VariantSummary, decide, lacking_units
from agent.experiments.start import VariantRequest, start_experiment
from api.auth import CallerDep
from api.compose import Service, ServiceDep
from api.errors import openai_errors
from api.experiment_loops import experiment_checks
from api.limits import reject_nul
from memory.records.base import Domain, Share
from memory.records.experiments import (
    MAX_VARIANTS,
    Experiment,
    ExperimentDecision,
    ExperimentStatus,
    Goal,
)

router = APIRouter(prefix="/v1/experiments", tags=["experiments"], dependencies=[Depends(reject_nul)])
REASON_CHARACTERS = 2000
MAX_UNITS = 10_000_000
Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=80)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=REASON_CHARACTERS)]


class StartRequest(BaseModel):
    """A new experiment. The control is what serves the domain; it is added if `variants` lacks it."""

    model_config = ConfigDict(extra="forbid")

    domain: Domain
    name: Name = ""
    """By default the names of the variants."""
    variants: tuple[VariantRequest, ...] = Field(min_length=1, max_length=MAX_VARIANTS)
    coverage: Share = 1.0
    holdout: Annotated[Share, Field(lt=1)] = 0.05
    minimum: int = Field(200, ge=2, le=MAX_UNITS)
    """Units per variant before any decision."""
    planned: int = Field(2000, ge=4, le=MAX_UNITS)
    """Units in all variants after which the experiment stops without a winner."""
    alpha: float = Field(0.05, gt=0, lt=0.5)
    goal: Goal = "engagement"
    prove_guardrails: bool = True
    """Whether a promotion needs every guardrail shown to hold; else none may fail, or look worse than its
    margin."""


class StopRequest(BaseModel):
    """Why the experiment is stopped."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


class CoverageRequest(BaseModel):
    """The share of each variant's range that is in use."""

    model_config = ConfigDict(extra="forbid")

    coverage: Share


class ExperimentReport(BaseModel):
    """An experiment with its figures."""

    experiment: Experiment
    variants: tuple[VariantSummary, ...]
    """The control first."""
    units: int
    """Units exposed to all variants."""
    held_out: int
    sample_ratio_p: float
    sample_ratio_alarm: bool
    lacking: dict[str, int]
    """Units that each variant still needs for a decision; variants that have enough are missing."""
    decision: ExperimentDecision | None
    """What the policy would decide now; null once the experiment has ended."""


@router.post("", status_code=201, responses=openai_errors(400, 404, 409, 422, 503))
async def start(request: StartRequest, service: ServiceDep, caller: CallerDep) -> Experiment:
    """Loads the variants' adapters, checks their canary questions and starts the experiment.

    At most one runs per domain.
    """
    runtime = service.runtime
    settings = request.model_dump(exclude={"domain", "variants", "name"})
    id, details = runtime.new_id(), {"domain": request.domain}
    async with runtime.audit.acting("experiment.start", by=caller.name, subject=id, details=details):
        return await start_experiment(
            request.variants,
            domain=request.domain,
            id=id,
            now=runtime.clock(),
            by=caller.name,
            base=runtime.base,
            active=_active(service),
            routes=runtime.routes,
            registry=runtime.registry,
            name=request.name or " against ".join(variant.name for variant in request.variants)[:80],
            **settings,
        )


@router.get("", responses=openai_errors(422, 503))
async def listing(
    service: ServiceDep,
    domain: Domain | None = None,
    status: ExperimentStatus | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Experiment]:
    """Experiments, newest first."""
    store = _active(service).store
    return list(await store.list(domain=domain, status=status, limit=limit))


@router.get("/{experiment_id}", responses=openai_errors(404, 503))
async def show(experiment_id: str, service: ServiceDep) -> ExperimentReport:
    """An experiment with its figures per variant and its log."""
    experiment = await _active(service).store.get(experiment_id)
    return _report(
        service,
        experiment,
        await experiment_checks(service.runtime).analysis(experiment),
    )


@router.post("/{experiment_id}/check", responses=openai_errors(404, 503))
async def check(experiment_id: str, service: ServiceDep) -> ExperimentReport:
    """Checks the experiment now: it is promoted, stopped or rolled back if its figures say so.

    Running experiments are also checked every few minutes.
    """
    experiment, analysis = await experiment_checks(service.runtime).check(experiment_id, log_always=True)
    await _apply(service)
    return _report(service, experiment, analysis)


@router.post("/{experiment_id}/stop", responses=openai_errors(400, 404, 422, 503))
async def stop(
    experiment_id: str, request: StopRequest, service: ServiceDep, caller: CallerDep
) -> Experiment:
    """Stops the experiment without a winner; the domain is served as before."""
    runtime = service.runtime
    decision = ExperimentDecision(at=runtime.clock(), action="stopped", by=caller.name, reason=request.reason)
    async with runtime.audit.acting("experiment.stop", by=caller.name, subject=experiment_id):
        stopped = await _active(service).store.append(experiment_id, decision)
    await _apply(service)
    return stopped


@router.post("/{experiment_id}/coverage", responses=openai_errors(400, 404, 422, 503))
async def change_coverage(
    experiment_id: str, request: CoverageRequest, service: ServiceDep, caller: CallerDep
) -> Experiment:
    """Changes the share of units that take part; no unit moves from one variant to another."""
    runtime = service.runtime
    decision = ExperimentDecision(
        at=runtime.clock(), action="changed", by=caller.name, reason=f"coverage {request.coverage:g}"
    )
    details = {"coverage": request.coverage}
    async with runtime.audit.acting(
        "experiment.change", by=caller.name, subject=experiment_id, details=details
    ):
        changed = await _active(service).store.append(experiment_id, decision, coverage=request.coverage)
    await _apply(service)
    return changed


def _active(service: Service) -> ActiveExperiments:
    assert service.runtime.experiments is not None, "the service runs experiments"
    return service.runtime.experiments


async def _apply(service: Service) -> None:
    """Serves by the changed experiments at once; without an engine, as soon as it is back."""
    with suppress(EngineUnavailable):
        await _active(service).refresh_if_changed()


def _report(service: Service, experiment: Experiment, analysis: Analysis) -> ExperimentReport:
    running = experiment.status == "running"
    return ExperimentReport(
        experiment=experiment,
        variants=analysis.variants,
        units=analysis.units,
        held_out=analysis.held_out,
        sample_ratio_p=analysis.sample_ratio_p,
        sample_ratio_alarm=analysis.mismatch,
        lacking=lacking_units(experiment, analysis) if running else {},
        decision=decide(experiment, analysis, service.runtime.clock()) if running else None,
    )
