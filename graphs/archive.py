"""Questions whose answers a night has improved are answered as it did, whatever the model would say now."""

from functools import wraps

from langchain_core.messages import SystemMessage
from langgraph.runtime import Runtime as Injected

from agent.chat.archived_answers import archived_answer, without_politeness
from agent.chat.routing import AUTO
from agent.engines.base import GREEDY
from agent.learning.exploration import look_up
from graphs.state import ChatState, Runtime, Update
from graphs.variants import Step, prompt_of
from memory.records.knowledge import Findings


def or_archived(step: Step) -> Step:
    """The step, unless the same question was answered better by a night and the sources still say so.

    The model's confidence says nothing here: it may have been as confident of what the night found wrong. A
    caller who names the base model or a version gets that model's answer. Raises StoreUnavailable.
    """

    @wraps(step)
    async def stepped(state: ChatState, runtime: Injected[Runtime]) -> Update:
        context, question = runtime.context, state["standalone"]
        if _leaves_the_choice(state, context) and await context.answers.holds(
            without_politeness(question), access=context.access
        ):
            findings = await look_up(
                question, episodic=context.episodic, semantic=context.semantic, access=context.access
            )
            if (update := await archived_update(state, context, findings)) is not None:
                unasked: Update = {"prompt_tokens": 0, "completion_tokens": 0}
                return unasked | {"interaction_id": context.new_id()} | update
        return await step(state, runtime)

    return stepped


async def archived_update(state: ChatState, runtime: Runtime, findings: Findings) -> Update | None:
    """The update with an archived answer to the question that `findings` support; None if there is none.

    Also None where a system prompt may dictate another form or another content. Raises StoreUnavailable.
    """
    messages = state["messages"]
    if prompt_of(state, runtime) is not None or any(isinstance(m, SystemMessage) for m in messages):
        return None
    archived = await archived_answer(state["standalone"], messages, findings, runtime.answers, runtime.access)
    if archived is None:
        return None
    return {
        "outcome": "answered_from_sources",
        "answer": archived.answer,
        "citations": archived.citations,
        "finish_reason": "stop",
    }


def _leaves_the_choice(state: ChatState, runtime: Runtime) -> bool:
    """Whether the caller asks the service or a domain for an answer: no certain model, and no tool calls."""
    requested = state.get("requested")
    return not state.get("sampling", GREEDY).tools and (
        requested in (None, AUTO) or requested in runtime.routes.live
    )
