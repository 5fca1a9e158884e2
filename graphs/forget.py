"""How a run begins that takes a lesson out of a domain: quarantine first, then what stays is taught.

Training, gates and promotion are a learn run's own; what is forgotten was settled before the run began.
"""

import asyncio

from langgraph.runtime import Runtime as Injected

from agent.learning import forgetting
from graphs.state import LearnState, Runtime, Update, event
from memory.errors import CorruptRecord, UnknownRun
from memory.records.runs import Outcome


async def forget(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Quarantines the curriculum, and has the latest lesson that stays taught anew, with the others that do.

    A domain without another lesson goes back to the base model. Doing it twice changes nothing.
    """
    given, digest, domain = runtime.context, state["forget"], state["domain"]
    assert domain is not None, "a run that forgets is started with its domain"
    reason = f"forgotten: {state['because'] or 'no reason given'}"
    await asyncio.to_thread(given.registry.quarantine, digest, reason)
    try:
        content = forgetting.content_digest(await given.outbox.curriculum(digest))
    except (UnknownRun, CorruptRecord):  # a file that is gone or altered keeps nobody from leaving it out
        content = digest
    await asyncio.to_thread(given.registry.quarantine, content, reason)
    events = [event(given, "forget", f"curriculum {digest[:12]} is in quarantine: {reason}")]
    live = await asyncio.to_thread(given.registry.live, domain)
    if live is None or digest not in live.learned:
        await given.routes.refresh()
        done = Outcome(status="forgotten", reason=f"what serves {domain} now never learned {digest[:12]}")
        return {"outcome": done, "events": events}
    kept = await asyncio.to_thread(forgetting.remaining_lessons, live, given.registry)
    if not kept:
        await asyncio.to_thread(given.registry.retire, domain)
        await given.routes.refresh()
        why = f"{live.name} learned nothing else that may stay, so {domain} is served by the base model again"
        done = Outcome(status="forgotten", reason=why)
        return {"outcome": done, "events": [*events, event(given, "forget", why)]}
    lesson = forgetting.replacement_curriculum(live, kept, await given.outbox.curriculum(kept[-1]))
    count = "one lesson is" if len(kept) == 1 else f"{len(kept)} lessons are"
    said = f"{count} taught anew, from the base model on; until then {live.name} goes on serving {domain}"
    return {
        "curriculum": lesson,
        "kept": len(lesson.pairs),
        "events": [*events, event(given, "forget", said, lessons=len(kept))],
    }
