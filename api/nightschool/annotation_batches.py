"""Routes of annotation batches: sample, list, mark gold items, measure agreement, export and import."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from agent.chat.routing import DEFAULT_DOMAIN
from agent.feedback.agreement import AgreementReport, measure_agreement, trusted
from agent.feedback.alternatives import SAMPLED, TEACHER, Answerer, from_model
from agent.feedback.annotation_files import FileFormat, export_file, import_file
from agent.feedback.batches import make_batch
from agent.feedback.implicit import implicit_scores, seed_weights
from agent.feedback.sampling import Sample, draw_sample
from agent.nights.privacy import private_turns
from agent.nights.reported import read_reported
from api.compose import Service, ServiceDep
from api.disconnect import cancel_on_disconnect
from api.errors import openai_errors
from api.limits import reject_nul
from api.nightschool.annotation import ItemId
from api.nightschool.interactions import Since, Until, check_period
from memory.feedback.annotations import BatchProgress, ItemDiffers
from memory.feedback.feedback import by_interaction, latest
from memory.records.base import Domain
from memory.records.feedback import AnnotationItem, Choice, ItemStatus
from memory.records.interactions import Interaction
from memory.records.moments import Moment

IMPORT_PATH = "/v1/annotation/import"
router = APIRouter(prefix="/v1/annotation", tags=["annotation"])

MAX_SAMPLED = 200
"""Each is a call of a model, so that a request takes minutes at most."""
MAX_CANDIDATES = 2000
"""Latest interactions of the period that a sample is drawn from; each is embedded."""
MAX_EXPORTED = 10_000
"""Most open items in a file for Argilla."""
MAX_KNOWN = 1000
"""Latest interactions before the period whose topics count as known."""
BatchName = Annotated[str, StringConstraints(pattern=r"^[\w.-]{1,80}$")]
Batch = Annotated[BatchName | None, Query(description="Only this batch.")]


class SampleRequest(BaseModel):
    """What to draw, and what to compare it with."""

    model_config = ConfigDict(extra="forbid")

    batch: BatchName
    count: int = Field(50, ge=1, le=MAX_SAMPLED)
    since: Moment | None = None
    until: Moment | None = None
    domain: Domain | None = None
    alternative: str = Field(SAMPLED, min_length=1, max_length=100)
    """`sampled` (the same model at a temperature), `teacher`, an adapter's name, or the base model's."""
    annotators: int = Field(1, ge=1, le=9)
    """Judgements wanted of each item."""
    seed: int | None = Field(None, ge=0, lt=2**31)
    """By default made from the batch's name."""


class SampleReply(BaseModel):
    """What was drawn."""

    batch: str
    candidates: int
    """Interactions to draw from: of the newest MAX_CANDIDATES of the period, those that may be drawn."""
    duplicates: int
    """Near duplicates that were dropped."""
    drawn: int
    reasons: dict[str, int]
    """Why interactions were drawn: `random`, or what gave them priority; one may have several reasons."""
    items: int
    """Items added to the batch."""
    dropped: dict[str, int]
    """Drawn interactions that became no items, by reason."""


class ItemsReply(BaseModel):
    """Items, and counts of each batch."""

    items: list[AnnotationItem]
    batches: list[BatchProgress]


class GoldRequest(BaseModel):
    """The right choice of a gold item; null makes it an ordinary one."""

    model_config = ConfigDict(extra="forbid")

    choice: Choice | None


class ImportReply(BaseModel):
    """What was imported."""

    batch: str
    records: int
    items: int
    """Items that are new; those that existed are left as they are."""
    judgements: int


@router.post(
    "/sample",
    responses=openai_errors(400, 404, 409, 413, 422, 502, 503),
    dependencies=[Depends(reject_nul)],
)
async def sample(request: SampleRequest, service: ServiceDep, http: Request) -> SampleReply:
    """Draws logged interactions into a batch, each beside another answer; takes minutes for many.

    Nothing is added if the client disconnects before the reply.
    """
    check_period(request.since, request.until)
    return await cancel_on_disconnect(http, _sample(request, service))


@router.get("/items", responses=openai_errors(404, 422, 503))
async def items(
    service: ServiceDep,
    batch: Batch = None,
    domain: Domain | None = None,
    status: ItemStatus | None = None,
    after: Annotated[
        str | None, Query(max_length=100, pattern=r"^[\w.:-]+$", description="Last id of the previous page.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> ItemsReply:
    """Items, newest first, with what annotators must not see; and counts of all batches."""
    store = service.runtime.annotations
    listed = await store.list(batch=batch, domain=domain, status=status, after=after, limit=limit)
    return ItemsReply(items=list(listed), batches=list(await store.progress()))


@router.post("/items/{item_id}/gold", responses=openai_errors(400, 404, 413, 422, 503))
async def set_gold(item_id: ItemId, request: GoldRequest, service: ServiceDep) -> AnnotationItem:
    """Makes an item a gold item, which every annotator gets, and which shows who is careless."""
    return await service.runtime.annotations.set_gold(item_id, request.choice)


@router.get("/agreement", responses=openai_errors(422, 503))
async def agreement(service: ServiceDep, batch: Batch = None) -> AgreementReport:
    """Agreement between annotators, and who is careless, in one batch or in all."""
    judgements = await service.runtime.annotations.judgements(batch=batch)
    judged = await service.runtime.annotations.of({each.item_id for each in judgements})
    return await asyncio.to_thread(measure_agreement, judgements, judged)


@router.get(
    "/export",
    responses=openai_errors(400, 422, 503)
    | {200: {"content": {"application/x-ndjson": {}, "application/json": {}}}},
    response_class=Response,
)
async def export(
    service: ServiceDep,
    format: FileFormat,
    batch: Batch = None,
    domain: Domain | None = None,
    since: Since = None,
    until: Until = None,
    reveal: Annotated[
        bool, Query(description="Argilla: tell answers' sources and gold choices, which annotators see too.")
    ] = False,
) -> Response:
    """A file of preference pairs (dpo, sharegpt) or of items with judgements (argilla).

    Pairs come from annotators who are not careless. The period is that of the judgements; Argilla's file has
    the latest items without judgements too, unless a period is given.
    """
    check_period(since, until)
    store = service.runtime.annotations
    everything = await store.judgements()
    known = await store.of({each.item_id for each in everything})
    judgements = await store.judgements(batch=batch, domain=domain, since=since, until=until)
    if format != "argilla":
        chosen = set(judgements)
        judgements = tuple(each for each in trusted(everything, known) if each in chosen)
    ids = {each.item_id for each in judgements}
    exported = [item for item in known if item.id in ids]
    if format == "argilla" and since is until is None:
        exported += await store.list(batch=batch, domain=domain, status="open", limit=MAX_EXPORTED)
    text, media_type = await asyncio.to_thread(export_file, format, exported, judgements, reveal=reveal)
    return Response(text, media_type=media_type)


@router.post(
    "/import",
    responses=openai_errors(400, 413, 422, 503),
    openapi_extra={"requestBody": {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def import_(
    request: Request,
    service: ServiceDep,
    format: FileFormat,
    batch: Annotated[BatchName, Query(description="Batch that the items are added to.")],
    domain: Annotated[Domain, Query(description="Domain of records that name none.")] = DEFAULT_DOMAIN,
    gold: Annotated[
        bool, Query(description="Pairs become gold items instead of judged ones; not for Argilla's.")
    ] = False,
) -> ImportReply:
    """Imports a file: all of it, or nothing if a line is wrong. Importing it again changes nothing.

    The body is the file. Personal data in its texts is replaced.
    """
    runtime, data = service.runtime, await request.body()
    imported = await asyncio.to_thread(
        import_file,
        format,
        data,
        batch=batch,
        domain=domain,
        gold=gold,
        now=runtime.clock(),
        scrubber=runtime.scrubber,
    )
    judgements = [judgement for each in imported for judgement in each.judgements]
    try:
        new = await service.runtime.annotations.add([each.item for each in imported], judgements)
    except ItemDiffers as error:
        line = next(each.line for each in imported if each.item.id == error.item_id)
        raise ValueError(f"line {line}: {error}") from error
    return ImportReply(batch=batch, records=len(imported), items=new, judgements=len(judgements))


async def _sample(request: SampleRequest, service: Service) -> SampleReply:
    runtime = service.runtime
    source, domain = request.alternative, request.domain
    seed = _seed_of(request.batch) if request.seed is None else request.seed
    if source not in (SAMPLED, TEACHER, runtime.base_name):
        adapter = await runtime.routes.servable(source)
        if domain not in (None, adapter.domain):
            raise ValueError(f"{source} is an adapter of {adapter.domain}: leave `domain` out, or use that")
        domain = adapter.domain
    answerer = _answerers(source, service, seed)
    drawn = await _draw(service, request, domain, seed)
    made = await make_batch(
        drawn.drawn,
        source,
        answerer,
        name=request.batch,
        annotators=request.annotators,
        seed=seed,
        new_id=runtime.new_id,
        now=runtime.clock(),
    )
    reasons: dict[str, int] = {}
    for each in drawn.drawn:
        for reason in each.reasons if each.by == "priority" else ("random",):
            reasons[reason] = reasons.get(reason, 0) + 1
    return SampleReply(
        batch=request.batch,
        candidates=drawn.candidates,
        duplicates=drawn.duplicates,
        drawn=len(drawn.drawn),
        reasons=reasons,
        items=await _add_public(made.items, service),
        dropped=made.dropped,
    )


async def _add_public(items: Sequence[AnnotationItem], service: Service) -> int:
    """Adds the items; those whose turns were deleted or reported as private meanwhile are taken out again.

    Only then: who reports or deletes a turn takes out the items that are there.
    """
    runtime = service.runtime
    added = await runtime.annotations.add(items)
    ids = {item.interaction_id for item in items if item.interaction_id is not None}
    reported = await read_reported(runtime.interactions, runtime.feedback)
    usable = {turn.id for turn in await runtime.interactions.of(ids) if not reported.cover(turn)}
    for interaction_id in sorted(ids - usable):
        await runtime.annotations.withdraw(interaction_id)
    return added - sum(item.interaction_id in ids - usable for item in items)


async def _draw(service: Service, request: SampleRequest, domain: str | None, seed: int) -> Sample:
    """Draws from the latest interactions of the period; earlier ones only make topics known.

    Those that are private, or quote private documents, are left out: annotators of all owners see the items.
    """
    runtime = service.runtime
    log, since = runtime.interactions, request.since
    found = await log.list(since=since, until=request.until, domain=domain, limit=MAX_CANDIDATES)
    earlier: tuple[Interaction, ...] = ()
    if since is not None:
        earlier = await log.list(until=since, domain=domain, limit=MAX_KNOWN)
    access = await runtime.grants.access(None)
    turns = [
        turn
        for turn in (*found, *earlier)
        if turn.answer.strip() and access.shared(turn.domain).may_quote(turn.citations)
    ]
    feedback = latest(await runtime.feedback.of(turn.id for turn in turns))
    reported = await read_reported(log, runtime.feedback)
    private = await asyncio.to_thread(private_turns, turns, reported)
    turns = [turn for turn in turns if turn.id not in private]
    exclude = await runtime.annotations.interaction_ids() | {turn.id for turn in earlier}
    return await asyncio.to_thread(
        lambda: draw_sample(
            turns,
            count=request.count,
            seed=seed,
            embedder=runtime.embedder,
            scores=implicit_scores(turns, feedback, seed_weights()),
            feedback=by_interaction(feedback),
            exclude=exclude,
        )
    )


def _answerers(source: str, service: Service, seed: int) -> Callable[[Interaction], Answerer]:
    """What answers each interaction again. Raises ValueError for a teacher that is not configured."""
    runtime = service.runtime
    if source == TEACHER:
        teacher = service.teacher_answers
        if teacher is None:
            raise ValueError("there is no teacher: set NIGHTSCHOOL_TEACHER_URL, or use another alternative")
        return lambda interaction: teacher.answer
    adapter = None if source == runtime.base_name else source

    def answerer(interaction: Interaction) -> Answerer:
        return from_model(
            interaction.adapter if source == SAMPLED else adapter,
            engine=runtime.engine,
            routes=runtime.routes,
            card=runtime.card,
            max_tokens=interaction.max_tokens,
            greedy_first=None if source == SAMPLED else seed,
        )

    return answerer


def _seed_of(batch: str) -> int:
    return int.from_bytes(hashlib.sha256(batch.encode()).digest()[:4], "big") // 2
