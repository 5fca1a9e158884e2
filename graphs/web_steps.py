"""The web in learn runs: when it is searched, the step that does, and which of its claims may be taught."""

from collections.abc import Mapping

from langgraph.runtime import Runtime as Injected

from agent.chat.routing import DEFAULT_DOMAIN, domain_name
from agent.learning.agreement import agreed
from agent.learning.candidate_pairs import CandidatePair
from agent.learning.exploration import MAX_PASSAGES
from agent.learning.verification import VerifiedPairs
from graphs.state import LearnState, Runtime, Update, check_time_limit, event
from memory.records.access import Access
from memory.records.knowledge import Passage
from memory.records.runs import Outcome


def may_search(state: LearnState, runtime: Runtime) -> bool:
    """Whether the run may search the web, and has not yet."""
    return runtime.web is not None and state.get("web", "no") != "no" and "explored" not in state


def run_access(state: LearnState, runtime: Runtime) -> Access:
    """What the run reads; with the web, also the pages that were stored for its caller."""
    return runtime.access.exploring() if state.get("web", "no") != "no" else runtime.access


def lacking(state: LearnState, runtime: Runtime, reason: str) -> Update:
    """What follows if there is nothing to learn from for this reason: the web, or the end of the run."""
    if may_search(state, runtime):
        return {"web_due": True}
    if "explored" in state:
        reason = f"{reason}; on the web: {state['explored'].summary}"
    return {"outcome": Outcome(status="nothing_to_learn", reason=reason)}


async def search_web(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Searches the web for the question or topic, and stores the pages that are worth reading.

    Raises DomainClosed if the caller may not add to the domain.
    """
    context = runtime.context
    if (stop := check_time_limit(state, context)) is not None:
        return {"outcome": stop}
    assert context.web is not None, "`may_search` has found it"
    domain = state["domain"] or (domain_name(state["subject"]) if state["whole"] else DEFAULT_DOMAIN)
    context.access.require_write(domain)
    # Only the caller's own words leave the service: no refined query, which holds headings of documents.
    report = await context.web.explore(state["subject"], domain=domain, access=context.access)
    progress_event = event(
        context,
        "search_web",
        f"the web: {report.summary}",
        found=report.found,
        stored=len(report.stored),
    )
    return {
        "explored": report,
        "web_due": False,
        "domain": domain,
        "query": state["subject"],
        "events": [progress_event],
    }


async def agreed_pairs(
    verified: VerifiedPairs,
    passages: Mapping[str, Passage],
    state: LearnState,
    runtime: Runtime,
    teachable: Access,
) -> tuple[tuple[CandidatePair, ...], dict[str, int]]:
    """The verified pairs without those from the web that independent sites do not agree on, and the number of
    pairs dropped, by reason.

    It looks at the stored passages alone, and so holds whatever a client made of the state.
    """
    if all(passages[pair.passage_id].web is None for pair in verified.kept):
        return verified.kept, verified.dropped
    hits = await runtime.episodic.search(state["subject"], by="vector", limit=MAX_PASSAGES, access=teachable)
    explored = [hit.passage for hit in hits if hit.passage.web is not None]
    agreement = await agreed(verified.kept, passages, explored, lambda passage: _trust(passage, runtime))
    return agreement.kept, verified.dropped | agreement.dropped


def _trust(passage: Passage, runtime: Runtime) -> float:
    """By the list of domains as it is now; where no search is configured, as it was."""
    if runtime.web is not None:
        return runtime.web.trust(passage)
    assert passage.web is not None, "only passages of the web are asked about"
    return passage.web.trust
