"""The steps of a night that train: surprise, the lesson, the preference pairs, waiting, and deployment.

The lesson is trained and deployed first, and the preference pairs on top of it.
"""

import asyncio
from collections.abc import Mapping

from agent.errors import AdapterRefused, CanaryFailed, NotTeachable
from agent.learning.forgetting import with_new_digest
from agent.models.card import require_teachable
from agent.nights.deployment import Deployment, decide_deployment, start_canary
from agent.promotion import is_outdated, promote
from graphs.night_approval import approve
from graphs.night_lessons import hand_over, trainer_is_free, what_to_train
from graphs.night_step import StepContext, StepResult
from graphs.state import Runtime, Update
from memory.errors import AdapterNotServable, AlreadyExists
from memory.records.adapters import Adapter
from memory.records.nights import Night, StepStatus
from memory.records.runs import JobKind

KINDS: tuple[JobKind, ...] = ("lesson", "preferences")
MAX_ITEMS = 500
"""Taught questions whose surprise is measured, the latest lessons first."""
MAX_RUNS = 100
RECENT_SETS = 20
"""Preference sets that are looked through for one in training."""


async def train(work: StepContext) -> StepResult:
    """Gives the next thing to learn to the trainer: the lesson, then the preference pairs."""
    night, context = work.night, work.runtime
    if (reason := _why_not(work)) is not None:
        return StepResult("skipped", reason, update={"training": None})
    lines, figures, tried = _lines(work), dict(_figures(work)), work.state.get("tried", ())
    for kind in KINDS:
        if kind in tried:
            continue
        tried = (*tried, kind)
        if kind not in night.handed_over:
            if not await trainer_is_free(work):
                return StepResult("stopped", "the window ended while another run trained the domain")
            record, lines[kind] = await what_to_train(kind, work)
            if record is None:
                continue
            await approve(record, night, context)
            night = await hand_over(record, kind, night, context)
            figures[f"{kind}_pairs"] = len(record.pairs)
            work.say(f"{kind} {record.digest[:12]} is in the trainer's queue: {lines[kind]}")
        lines.setdefault(kind, "handed over before the night was interrupted")
        update = {"tried": tried, "training": kind, "handed_over_at": context.clock()}
        return StepResult("done", _text(lines), figures, update)
    status: StepStatus = "done" if night.handed_over else "skipped"
    return StepResult(status, _text(lines), figures, {"tried": tried, "training": None})


async def await_training(work: StepContext) -> StepResult:
    """Waits for the trainer's result, reporting its progress, until that stops or the window ends."""
    context, kind = work.runtime, _kind_in_training(work)
    digest, limit = work.night.handed_over[kind], context.limits.training_seconds
    lines, last, progressed_at = _lines(work), None, work.state["handed_over_at"]
    while (result := await context.outbox.result(digest)) is None:
        progress = await context.outbox.progress(digest)
        mark = (progress.phase, 100 * progress.done // max(progress.total, 1))
        if mark != last:
            if progress.phase != "waiting":
                progressed_at = context.clock()
            last = mark
            work.say(f"{kind}: {progress.phase} {progress.message}".strip(), percent=mark[1])
        if (context.clock() - progressed_at).total_seconds() > limit:
            lines[kind] = f"the trainer made no progress for {limit:.0f} s; the job stays queued"
            return StepResult("failed", _text(lines), _figures(work))
        if not work.has_time:
            lines[kind] = "the window ended while the trainer worked; the job stays queued"
            return StepResult("stopped", _text(lines), _figures(work))
        await context.sleep(context.limits.poll_seconds)
    if result.unsigned:
        details = {"reason": result.reason}
        await context.audit.record("signature.refuse", by="training worker", subject=digest, details=details)
    lines[kind] = f"{result.status}: {result.reason}"
    return StepResult("done", _text(lines), _figures(work))


async def deploy(work: StepContext) -> StepResult:
    """Deploys what was trained if it is better overall, or tries it on a share of the users, or keeps the
    present adapter; a lesson that another one overtook is taught again on top of that."""
    context, night, kind = work.runtime, work.night, _kind_in_training(work)
    again = {"training": kind, "handed_over_at": context.clock()}
    result = await context.outbox.result(night.handed_over[kind])
    if result is None:  # the step was interrupted after it handed the lesson over again
        return _decided(work, "it is taught again", update=again)
    if result.status != "candidate" or result.adapter is None:
        return _decided(work, f"the present adapter is kept: {result.status}: {result.reason}")
    adapter = await asyncio.to_thread(context.registry.get, result.adapter)
    live = await asyncio.to_thread(context.registry.live, night.domain)
    if live is not None and live.name == adapter.name:
        await _note_deployed(adapter, night, context)
        return _decided(work, f"{adapter.name} is live", deployed=1)
    if is_outdated(adapter, live):
        if kind == "preferences":
            return _decided(work, f"another adapter went live while {adapter.name} was trained")
        lesson = with_new_digest(await context.outbox.curriculum(night.handed_over[kind]))
        await context.approvals.renew(night.handed_over[kind], lesson.digest)
        await hand_over(lesson, kind, night, context)
        reason = "another adapter went live meanwhile, so the lesson is taught again on top of it"
        return _decided(work, reason, update=again)
    try:
        return await _carry_out(decide_deployment(adapter, night.options), adapter, work)
    except (AdapterRefused, CanaryFailed, AdapterNotServable, AlreadyExists) as error:
        return _decided(work, f"trained, but not served: {error}")


async def _carry_out(decision: Deployment, adapter: Adapter, work: StepContext) -> StepResult:
    context, night = work.runtime, work.night
    reasons, gain = "; ".join(decision.reasons), decision.improvement.overall
    if decision.action == "deploy":
        async with context.audit.acting("adapter.promote", by=f"night {night.id}", subject=adapter.name):
            await promote(adapter.name, engine=context.engine, registry=context.registry)
        await context.routes.refresh()
        await _note_deployed(adapter, night, context)
        return _decided(work, f"{adapter.name} is live: {reasons}", deployed=1, improvement=gain)
    if decision.action == "canary" and context.experiments is not None:
        await start_canary(
            adapter,
            night.options.canary_share,
            night_id=night.id,
            now=context.clock(),
            base=context.base,
            active=context.experiments,
            routes=context.routes,
            registry=context.registry,
        )
        return _decided(work, f"{adapter.name} is tried: {reasons}", canary=1, improvement=gain)
    if decision.action == "canary":
        reasons = "experiments cannot be run here, so no share of the users can see it first"
    return _decided(work, f"the present adapter is kept: {reasons}", improvement=gain)


def _decided(work: StepContext, reason: str, *, update: Update | None = None, **figures: float) -> StepResult:
    """The decision on what is in training, beside an earlier one of the night."""
    kind = _kind_in_training(work)
    own = {f"{kind}_{name}": value for name, value in figures.items()}
    text = _text(_lines(work) | {kind: reason})
    return StepResult("done", text, _figures(work) | own, {"training": None} if update is None else update)


def _kind_in_training(work: StepContext) -> JobKind:
    kind = work.state.get("training")
    if kind is None or kind not in work.night.handed_over:
        raise ValueError("the night has given nothing to the trainer: go to `train` first")
    return kind


def _figures(work: StepContext) -> dict[str, float]:
    """The figures that the step has reported before in this night."""
    return next((each.figures for each in work.night.steps if each.step == work.step), {})


def _lines(work: StepContext) -> dict[str, str]:
    """What the step has reported before in this night, of each kind of training."""
    reason = next((each.reason for each in work.night.steps if each.step == work.step), "")
    parts = (line.partition(": ") for line in reason.splitlines())
    return {kind: text for kind, _, text in parts if kind in KINDS}


def _text(lines: Mapping[str, str]) -> str:
    return "\n".join(f"{kind}: {' '.join(text.split())}" for kind, text in lines.items())


def _why_not(work: StepContext) -> str | None:
    """Why nothing is trained, if so."""
    if not work.night.options.train:
        return "the night was started without training"
    if work.runtime.model_folder is None:
        return "the questions of the base model's evaluations are not at hand"
    try:
        require_teachable(work.runtime.card)
    except NotTeachable as error:
        return str(error)
    return None


async def _note_deployed(adapter: Adapter, night: Night, context: Runtime) -> None:
    stored = await context.nights.night(night.id)
    await context.nights.update(stored.model_copy(update={"adapter": adapter.name}))
