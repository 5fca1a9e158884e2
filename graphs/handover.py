"""The steps from an approved curriculum to the served adapter: handed over, waited for, swapped in.

Training itself is another process's; what comes before and after is in `learn_steps`.
"""

import asyncio
from typing import Literal

from langgraph.runtime import Runtime as Injected

from agent.errors import AdapterRefused, CanaryFailed
from agent.learning.forgetting import with_new_digest
from agent.models.card import require_teachable
from agent.promotion import is_outdated, promote
from graphs import lessons
from graphs.state import Event, LearnState, Runtime, Update, event
from memory.errors import AdapterNotServable
from memory.records.adapters import Adapter
from memory.records.runs import Outcome


async def hand_over(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Publishes the curriculum and queues its job; a second time changes nothing, for its digest names it.

    Raises NotTeachable: a run that began with another base model must not wait for a trainer that never
    starts.
    """
    given = runtime.context
    require_teachable(given.card)
    job = await given.outbox.submit(state["curriculum"], run_id=state["run_id"])
    text = f"{lessons.prefix(state)}curriculum {job.digest[:12]} is in the trainer's queue"
    said = event(given, "hand over", text, digest=job.digest, **lessons.figures(state))
    return {"job": job, "handed_over_at": given.clock(), "events": [said]}


async def await_trainer(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Waits for the trainer's result, reporting its progress; gives up after the training limit.

    Raises NotTeachable where no trainer runs and none has finished the job.
    What was reported on the way is in the update too, in the same order: an event keeps its number.
    """
    given = runtime.context
    digest, limit = state["job"].digest, given.limits.training_seconds
    lines: list[Event] = []
    last = None
    while (result := await given.outbox.result(digest)) is None:
        require_teachable(given.card)
        progress = await given.outbox.progress(digest)
        mark = (progress.phase, 100 * progress.done // max(progress.total, 1))
        # The hand-over has said that it waits; and a line a percent is enough, as all of them are kept.
        if progress.phase != "waiting" and mark != last:
            last = mark
            share = f" {progress.done}/{progress.total}" if progress.total else ""
            text = f"{progress.phase}{share} {progress.message}".strip()
            counts = {"done": progress.done, "total": progress.total} | lessons.figures(state)
            lines.append(event(given, "train", text, **counts))
            runtime.stream_writer(lines[-1])
        if (given.clock() - state["handed_over_at"]).total_seconds() > limit:
            reason = (
                f"the trainer did not finish within {limit:.0f} s: see that `nightschool worker` runs; "
                "the job stays queued, and asking again waits for the same job"
            )
            return {"outcome": Outcome(status="stopped", reason=reason), "events": lines}
        await asyncio.sleep(given.limits.poll_seconds)
    update: Update = {"training": result}
    if result.adapter is not None:
        update["adapter"] = await asyncio.to_thread(given.registry.get, result.adapter)
    if result.status != "candidate":
        outcome = Outcome(status=result.status, reason=result.reason, adapter=result.adapter)
        update["outcome"] = outcome
    figures: dict[str, float] = dict(lessons.figures(state))
    if "adapter" in update:
        figures["seconds"] = round(update["adapter"].training_seconds, 1)
    said = event(given, "train", f"{lessons.prefix(state)}{result.status}: {result.reason}", **figures)
    return update | {"events": [*lines, said]}


async def swap_in(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Loads the candidate into the engine, asks its canary, and moves the domain's alias.

    Where another lesson went live while this one was trained, this one is to be taught again, on top of it:
    the candidate would take the other's place without knowing it. The run has learned once its last lesson is
    promoted.
    """
    given, candidate = runtime.context, state["adapter"]
    name = candidate.name
    live = await asyncio.to_thread(given.registry.live, candidate.domain)
    if live is not None and live.name != name and candidate.curriculum in live.learned:
        return _promoted(
            live, f"{live.name}, which serves {live.domain}, has learned this already", state, given
        )
    if is_outdated(candidate, live):
        text = f"{name} was trained on what {candidate.domain} served before, so its lesson is taught again"
        again = with_new_digest(state["curriculum"])
        update = {"curriculum": again, "events": [_said(text, state, given)]}
        return update | lessons.changed(state, digest=again.digest)
    try:
        adapter = await promote(name, engine=given.engine, registry=given.registry)
    except (AdapterRefused, CanaryFailed, AdapterNotServable) as error:
        outcome = Outcome(status="failed", reason=f"trained, but not served: {error}", adapter=name)
        return {"outcome": outcome, "events": [_said(outcome.reason, state, given)]}
    await given.routes.refresh()
    reason = f"{name} passed every gate and its canary, and now serves {adapter.domain}"
    if "forget" in state:
        reason = f"{reason}: it never saw {state['forget'][:12]}"
    return _promoted(adapter, reason, state, given)


def _promoted(adapter: Adapter, reason: str, state: LearnState, given: Runtime) -> Update:
    """The lesson is learned; so is the run's subject where it was the last one."""
    update = {"adapter": adapter, "events": [_said(reason, state, given)]}
    update |= lessons.changed(state, adapter=adapter.name)
    if lessons.upcoming({**state, **update}) is None:  # type: ignore[typeddict-item]
        status: Literal["forgotten", "learned"] = "forgotten" if "forget" in state else "learned"
        update["outcome"] = Outcome(status=status, reason=reason, adapter=adapter.name)
    return update


def _said(text: str, state: LearnState, given: Runtime) -> Event:
    return event(given, "promote", f"{lessons.prefix(state)}{text}", **lessons.figures(state))
