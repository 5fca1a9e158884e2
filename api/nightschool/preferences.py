"""Routes of preference sets: build one from feedback, list, show, train, and follow the training."""

import asyncio
from collections import Counter
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from agent.feedback.pair_sources import standard_rules
from agent.feedback.pairs import PairCounts, build_set
from agent.feedback.preference_evidence import evaluated_prompts, read_evidence
from api.auth import AccessDep, CallerDep
from api.compose import Service, ServiceDep
from api.errors import openai_errors
from api.nightschool.interactions import check_period
from api.nightschool.pages import MOST, Limit, page_of
from memory.errors import UnknownAdapter, UnknownRun
from memory.outbox.base import Progress, TrainingResult
from memory.records.approvals import ApprovalRecord
from memory.records.base import DIGEST_PATTERN, Digest, Domain
from memory.records.evaluations import Evaluation, GateVerdict
from memory.records.feedback import Algorithm, PairOrigin, PreferenceSet
from memory.records.moments import Moment

router = APIRouter(prefix="/v1/preferences", tags=["preferences"])
MIN_PAIRS = 500
"""Pairs that a set needs unless the caller asks for fewer (issue 17)."""
DigestPath = Annotated[str, Path(pattern=DIGEST_PATTERN)]
TrainingStatus = Literal["running", "candidate", "rejected", "failed"]


class BuildRequest(BaseModel):
    """The feedback to build a set from, and how it is to be trained."""

    model_config = ConfigDict(extra="forbid")

    domain: Domain
    since: Moment | None = None
    """Start of the period; by default everything that is kept."""
    until: Moment | None = None
    """End of the period; by default now."""
    algorithm: Algorithm = "dpo"
    minimum: int = Field(MIN_PAIRS, ge=2, le=100_000)
    """Fewest pairs, held-out ones included."""


class SetSummary(BaseModel):
    """A preference set in short."""

    digest: Digest
    domain: Domain
    algorithm: Algorithm
    until: datetime | None
    pairs: int
    held_out: int
    by_origin: dict[PairOrigin, int]
    """Counts of all pairs, held-out ones included."""
    training: TrainingStatus | None
    """Null if it was never submitted."""


class BuiltSet(SetSummary):
    """A set that was just built."""

    dropped: dict[str, int]
    """What gave no pair, by reason."""


class PreferenceTraining(BaseModel):
    """The training of a set."""

    digest: Digest
    progress: Progress
    result: TrainingResult | None
    """Null until it has ended."""
    verdict: GateVerdict | None
    """The gates, if there is an adapter."""
    before: Evaluation | None
    after: Evaluation | None


@router.post("", status_code=201, responses=openai_errors(400, 422, 503))
async def build(request: BuildRequest, service: ServiceDep, access: AccessDep) -> BuiltSet:
    """Builds a set from feedback and annotation, and stores it; training starts separately."""
    check_period(request.since, request.until)
    runtime = service.runtime
    now = runtime.clock()
    evidence = await read_evidence(
        request.domain,
        request.since,
        request.until,
        interactions=runtime.interactions,
        feedback=service.runtime.feedback,
        annotations=service.runtime.annotations,
        access=access.shared(request.domain),
    )
    evaluated = await evaluated_prompts(
        request.domain, service.model_folder, registry=runtime.registry, outbox=runtime.outbox
    )

    def built() -> tuple[PreferenceSet, PairCounts]:
        return build_set(
            request.domain,
            evidence,
            algorithm=request.algorithm,
            evaluated=evaluated,
            minimum=request.minimum,
            rules=standard_rules(),
            since=request.since,
            until=request.until,
        )

    preferences, counts = await asyncio.to_thread(built)
    ended = preferences.model_copy(update={"until": min(request.until or now, now)})
    digest = await runtime.outbox.publish(ended)
    return BuiltSet(**(await _summary(service, digest)).model_dump(), dropped=counts.dropped)


@router.get("", responses=openai_errors(404, 422, 503))
async def listing(
    service: ServiceDep,
    after: Annotated[
        str | None, Query(pattern=DIGEST_PATTERN, description="Digest of the last set of the page before.")
    ] = None,
    limit: Limit = MOST,
) -> list[SetSummary]:
    """The sets, newest first; a page at a time."""
    digests = (await service.runtime.outbox.preference_digests())[::-1]
    unknown = UnknownRun(f"there is no preference set {after}: begin without `after`")
    listed = page_of(digests, digests, after=after, limit=limit, unknown=unknown)
    return [await _summary(service, digest) for digest in listed]


@router.get("/{digest}", responses=openai_errors(404, 422, 503))
async def show(digest: DigestPath, service: ServiceDep) -> PreferenceSet:
    """A set with all its pairs."""
    return await service.runtime.outbox.preferences(digest)


@router.post("/{digest}/train", status_code=202, responses=openai_errors(404, 409, 422, 503))
async def train(digest: DigestPath, service: ServiceDep, caller: CallerDep) -> PreferenceTraining:
    """Queues the set for the training worker; a set that is queued or trained is not queued again.

    The adapter becomes a candidate if it passes its gates: an experiment or a promotion makes it live.
    """
    runtime = service.runtime
    preferences = await runtime.outbox.preferences(digest)
    async with runtime.audit.acting("preferences.train", by=caller.name, subject=digest):
        run_id = runtime.new_id()
        await runtime.approvals.verified(digest, run_id=run_id)  # it was when it was built
        await runtime.approvals.record(
            ApprovalRecord(
                digest=digest,
                run_id=run_id,
                asked_by=caller.name,
                approved_by=caller.name,
                policy="admin",
                approved_at=runtime.clock(),
            )
        )
        await runtime.outbox.submit(preferences, run_id=run_id)
    return await _training(service, digest)


@router.get("/{digest}/training", responses=openai_errors(404, 422, 503))
async def training(digest: DigestPath, service: ServiceDep) -> PreferenceTraining:
    """The progress of a set's training, and at its end the gates' verdict."""
    await service.runtime.outbox.preferences(digest)
    return await _training(service, digest)


async def _training(service: Service, digest: Digest) -> PreferenceTraining:
    outbox = service.runtime.outbox
    result = await outbox.result(digest)
    adapter = None
    if result is not None and result.adapter is not None:
        try:
            adapter = await asyncio.to_thread(service.runtime.registry.get, result.adapter)
        except UnknownAdapter:  # the registry was reset since
            adapter = None
    return PreferenceTraining(
        digest=digest,
        progress=await outbox.progress(digest),
        result=result,
        verdict=adapter.verdict if adapter else None,
        before=adapter.before if adapter else None,
        after=adapter.after if adapter else None,
    )


async def _summary(service: Service, digest: Digest) -> SetSummary:
    preferences = await service.runtime.outbox.preferences(digest)
    return SetSummary(
        digest=digest,
        domain=preferences.domain,
        algorithm=preferences.algorithm,
        until=preferences.until,
        pairs=len(preferences.pairs),
        held_out=len(preferences.held_out),
        by_origin=dict(Counter(pair.origin for pair in (*preferences.pairs, *preferences.held_out))),
        training=await _status(service, digest),
    )


async def _status(service: Service, digest: Digest) -> TrainingStatus | None:
    try:
        result = await service.runtime.outbox.result(digest)
    except UnknownRun:
        return None
    return "running" if result is None else result.status
