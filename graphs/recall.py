"""Questions that users ask about themselves are answered from what they stated in earlier conversations."""

import asyncio
from functools import wraps

from langchain_core.messages import SystemMessage
from langgraph.runtime import Runtime as Injected

from agent.engines.base import GREEDY
from agent.nights.statements.recall import asks_about_speaker, recall
from graphs.state import ChatState, Runtime, Update
from graphs.turn_log import unit_of
from graphs.variants import Step, prompt_of

MAX_STATEMENTS = 500
"""Of a unit, the latest."""


def or_recall(step: Step) -> Step:
    """The step, unless a statement of the turn's own unit answers the question.

    A question in the first person is recalled before the model is asked, any other once the model is unsure.
    Statements of other units, and of users of other owners, are never searched.
    """

    @wraps(step)
    async def stepped(state: ChatState, runtime: Injected[Runtime]) -> Update:
        unsure = state.get("draft") is not None
        if unsure or asks_about_speaker(state["question"]):
            recalled = await recalled_answer(state, runtime.context)
            if recalled is not None:
                return recalled
        return await step(state, runtime)

    return stepped


async def recalled_answer(state: ChatState, runtime: Runtime) -> Update | None:
    """The update with the statement that answers the question; None if none does.

    Also None where a system prompt, tools or a format may dictate another answer. Raises StoreUnavailable.
    """
    unit, sampling = unit_of(state, runtime), state.get("sampling", GREEDY)
    dictated = sampling.tools or sampling.response_format is not None or prompt_of(state, runtime) is not None
    if unit is None or dictated or any(isinstance(m, SystemMessage) for m in state["messages"]):
        return None
    stated = await runtime.nights.statements(unit=unit, limit=MAX_STATEMENTS)
    statements = [each for each in stated if each.owner == runtime.owner]
    if not statements:
        return None
    recalled = await asyncio.to_thread(
        recall, state["standalone"], statements, embedder=runtime.embedder, now=runtime.clock()
    )
    if recalled is None:
        return None
    return {
        "interaction_id": state.get("interaction_id") if state.get("draft") else runtime.new_id(),
        "outcome": "answered_from_sources",
        "answer": recalled.text,
        "citations": (recalled.citation,),
        "reason": None,
        "finish_reason": "stop",
        "prompt_tokens": state.get("prompt_tokens", 0) if state.get("draft") else 0,
        "completion_tokens": state.get("completion_tokens", 0) if state.get("draft") else 0,
    }
