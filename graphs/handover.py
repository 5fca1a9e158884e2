"""The steps of a learn run from the approved curriculum to the live adapter: hand over, wait, promote.

The training itself is done by the worker process (`training`).
"""

import asyncio
from typing import Literal

from langgraph.runtime import Runtime as Injected

from agent.errors import AdapterRefused, CanaryFailed
from agent.learning.forgetting import with_new_digest
from agent.models.card import require_teachable
from agent.promotion import is_outdated, promote
from graphs import lessons
from graphs.state import Event, LearnState, Runtime, Update, event, required_approval
from memory.errors import AdapterNotServable, NotApproved
from memory.records.adapters import Adapter
from memory.records.runs import Outcome


async def hand_over(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Publishes the curriculum and queues its training job; safe to repeat, because its digest names the job.

    Raises NotTeachable if the run was started with another base model, and this one cannot be taught, and
    NotApproved unless the curriculum was verified and approved, whatever the state says.
    """
    context = runtime.context
    require_teachable(context.card)
    await context.approvals.require(state["curriculum"].digest, policy=required_approval(state, context))
    context.access.require_write(state["curriculum"].domain)
    job = await context.outbox.submit(state["curriculum"], run_id=state["run_id"])
    text = f"{lessons.progress_prefix(state)}curriculum {job.digest[:12]} is in the trainer's queue"
    queued = event(context, "hand over", text, digest=job.digest, **lessons.progress_figures(state))
    return {"job": job, "events": [queued]}


async def await_trainer(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Waits for the trainer's result and reports its progress; stops the run when there is none for too long.

    The wait begins anew in another process, and is measured by a clock that no change of the time moves. The
    update repeats the progress that was streamed, in the same order, so that events keep their numbers.
    Raises NotTeachable if the job is unfinished and the model cannot be taught, so that no trainer runs.
    """
    context = runtime.context
    digest, limit = state["job"].digest, context.limits.training_seconds
    lines: list[Event] = []
    last, progressed_at = None, context.monotonic()
    while (result := await context.outbox.result(digest)) is None:
        require_teachable(context.card)
        progress = await context.outbox.progress(digest)
        mark = (progress.phase, 100 * progress.done // max(progress.total, 1))
        # One line per percent, because all are stored; `hand_over` has reported the waiting.
        if progress.phase != "waiting" and mark != last:
            last, progressed_at = mark, context.monotonic()
            share = f" {progress.done}/{progress.total}" if progress.total else ""
            text = f"{progress.phase}{share} {progress.message}".strip()
            counts = {"done": progress.done, "total": progress.total} | lessons.progress_figures(state)
            lines.append(event(context, "train", text, **counts))
            runtime.stream_writer(lines[-1])
        if context.monotonic() - progressed_at > limit:
            reason = (
                f"the trainer made no progress for {limit:.0f} s: check that `nightschool worker` runs; "
                "the job stays queued, and learning the same again waits for it"
            )
            return {"outcome": Outcome(status="stopped", reason=reason), "events": lines}
        await context.sleep(context.limits.poll_seconds)
    if result.unsigned:
        details = {"reason": result.reason}
        await context.audit.record("signature.refuse", by="training worker", subject=digest, details=details)
    update: Update = {"training": result}
    if result.adapter is not None:
        update["adapter"] = await asyncio.to_thread(context.registry.get, result.adapter)
    if result.status != "candidate":
        outcome = Outcome(status=result.status, reason=result.reason, adapter=result.adapter)
        update["outcome"] = outcome
    figures: dict[str, float] = dict(lessons.progress_figures(state))
    if "adapter" in update:
        figures["seconds"] = round(update["adapter"].training_seconds, 1)
    text = f"{lessons.progress_prefix(state)}{result.status}: {result.reason}"
    return update | {"events": [*lines, event(context, "train", text, **figures)]}


async def promote_candidate(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Loads the candidate into the engine, checks its canary, and makes it the domain's live adapter.

    If another lesson went live during the training, the candidate does not know it, so this lesson is taught
    again on top of it. The run's outcome is `learned` once its last lesson is promoted. The candidate is the
    one that the trainer made of the approved curriculum, whatever the state says. Raises NotApproved.
    """
    context = runtime.context
    candidate = await _candidate(state, context)
    name = candidate.name
    live = await asyncio.to_thread(context.registry.live, candidate.domain)
    if live is not None and live.name != name and candidate.curriculum in live.learned:
        reason = f"{live.name}, which serves {live.domain}, has already learned this"
        return _promoted(live, reason, state, context)
    if is_outdated(candidate, live):
        text = (
            f"{candidate.domain} got another live adapter meanwhile, so the lesson of {name} is taught again"
        )
        curriculum = with_new_digest(state["curriculum"])
        await context.approvals.renew(state["curriculum"].digest, curriculum.digest)
        update = {"curriculum": curriculum, "events": [_event(text, state, context)]}
        return update | lessons.update_current(state, digest=curriculum.digest)
    approval = await context.approvals.require(state["job"].digest)
    audited = context.audit.acting("adapter.promote", by=approval.approved_by, subject=name)
    try:
        async with audited:
            adapter = await promote(name, engine=context.engine, registry=context.registry)
    except (AdapterRefused, CanaryFailed, AdapterNotServable) as error:
        outcome = Outcome(status="failed", reason=f"trained, but not served: {error}", adapter=name)
        return {"outcome": outcome, "events": [_event(outcome.reason, state, context)]}
    await context.routes.refresh()
    reason = f"{name} passed every gate and its canary, and now serves {adapter.domain}"
    if "forget" in state:
        reason = f"{reason}; it was never trained on {state['forget'][:12]}"
    return _promoted(adapter, reason, state, context)


async def _candidate(state: LearnState, context: Runtime) -> Adapter:
    """The adapter that passed its gates and was trained on the run's approved curriculum, from the trainer's
    result and the registry. Raises NotApproved."""
    digest = state["job"].digest
    await context.approvals.require(digest, policy=required_approval(state, context))
    result = await context.outbox.result(digest)
    if result is None or result.status != "candidate" or result.adapter is None:
        raise NotApproved(f"the trainer made no adapter of {digest[:12]} that may be served")
    adapter = await asyncio.to_thread(context.registry.get, result.adapter)
    if not adapter.verdict.passed:
        raise NotApproved(f"{adapter.name} did not pass its gates: {'; '.join(adapter.verdict.reasons)}")
    return adapter


def _promoted(adapter: Adapter, reason: str, state: LearnState, runtime: Runtime) -> Update:
    """The update after a promotion; it ends the run if the lesson was the last one."""
    update = {"adapter": adapter, "events": [_event(reason, state, runtime)]}
    update |= lessons.update_current(state, adapter=adapter.name)
    if lessons.current_lesson({**state, **update}) is None:  # type: ignore[typeddict-item]
        status: Literal["forgotten", "learned"] = "forgotten" if "forget" in state else "learned"
        update["outcome"] = Outcome(status=status, reason=reason, adapter=adapter.name)
    return update


def _event(text: str, state: LearnState, runtime: Runtime) -> Event:
    text = f"{lessons.progress_prefix(state)}{text}"
    return event(runtime, "promote", text, **lessons.progress_figures(state))
