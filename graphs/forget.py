"""The first step of forgetting a lesson: quarantines it and prepares the remaining lessons for retraining.

The rest of the run, from training to promotion, is the same as in a learn run.
"""

import asyncio

from langgraph.runtime import Runtime as Injected

from agent.learning import forgetting
from graphs.state import LearnState, Runtime, Update, event
from memory.errors import CorruptRecord, UnknownRun
from memory.records.runs import Outcome


async def forget(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Quarantines the curriculum and makes a curriculum from the domain's remaining lessons.

    A domain without other lessons goes back to the base model. Safe to repeat. Raises NotApproved unless an
    admin asked for it.
    """
    context, digest, domain = runtime.context, state["forget"], state["domain"]
    asked = await context.approvals.require(digest, "forget")
    assert domain is not None, "a forget run is started with its domain"
    reason = f"forgotten: {state['because'] or 'no reason given'}"
    await asyncio.to_thread(context.registry.quarantine, digest, reason)
    try:
        content = forgetting.content_digest(await context.outbox.curriculum(digest))
    except (UnknownRun, CorruptRecord):  # a lesson can be forgotten even if its file is lost or damaged
        content = digest
    await asyncio.to_thread(context.registry.quarantine, content, reason)
    events = [event(context, "forget", f"curriculum {digest[:12]} is in quarantine: {reason}")]
    live = await asyncio.to_thread(context.registry.live, domain)
    if live is None or digest not in live.learned:
        await context.routes.refresh()
        why = f"the model that serves {domain} now never learned {digest[:12]}"
        return {"outcome": Outcome(status="forgotten", reason=why), "events": events}
    remaining = await asyncio.to_thread(forgetting.remaining_lessons, live, context.registry)
    if not remaining:
        await asyncio.to_thread(context.registry.retire, domain)
        await context.routes.refresh()
        why = f"{live.name} has no other lessons, so the base model serves {domain} again"
        outcome = Outcome(status="forgotten", reason=why)
        return {"outcome": outcome, "events": [*events, event(context, "forget", why)]}
    latest = await context.outbox.curriculum(remaining[-1])
    curriculum = forgetting.replacement_curriculum(live, remaining, latest)
    await context.approvals.verified(curriculum.digest, run_id=state["run_id"])  # when it was first taught
    await context.approvals.record(
        asked.model_copy(update={"digest": curriculum.digest, "act": "teach", "run_id": state["run_id"]})
    )
    count = "one lesson is" if len(remaining) == 1 else f"{len(remaining)} lessons are"
    text = f"{count} retrained from the base model; until then {live.name} keeps serving {domain}"
    return {
        "curriculum": curriculum,
        "kept": len(curriculum.pairs),
        "events": [*events, event(context, "forget", text, lessons=len(remaining))],
    }
