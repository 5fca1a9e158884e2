"""Experiments in a chat turn: which variant answers, and the control in its place if it cannot."""

import logging
from collections.abc import Awaitable
from functools import wraps
from typing import Protocol

from langgraph.runtime import Runtime as Injected

from agent.chat.routing import Route, resolve_route
from agent.errors import PromptTooLong
from agent.experiments.active import UNUSABLE
from graphs.state import ChatState, Runtime, Update
from graphs.turn_log import user_of

log = logging.getLogger(__name__)


class Step(Protocol):
    """A step of the chat graph."""

    def __call__(self, state: ChatState, runtime: Injected[Runtime]) -> Awaitable[Update]:
        """The step's update of the state."""
        ...


async def route_turn(state: ChatState, runtime: Runtime) -> Update:
    """The turn's route, by its unit's variant if an experiment runs on the domain.

    A turn takes part if it has a unit, may be logged, and its caller named no certain model. Raises
    UnknownAdapter and AdapterNotServable.
    """
    control = await _control(state, runtime)
    experiments = runtime.experiments
    takes_part = (
        experiments is not None
        and experiments.takes_part(state.get("requested"), runtime.base_name)
        and state.get("store", True)
    )
    if experiments is None or not takes_part:
        return {"route": control, "assignment": None}
    assignment = experiments.assign(control.domain, user_of(state, runtime))
    route = control if assignment is None else experiments.route(assignment, control)
    return {"route": route, "assignment": assignment}


def prompt_of(state: ChatState, runtime: Runtime) -> str | None:
    """The system prompt of the turn's variant, if it has one. It is never stored with the conversation."""
    assignment, experiments = state.get("assignment"), runtime.experiments
    return None if assignment is None or experiments is None else experiments.system_prompt(assignment)


def or_control(step: Step) -> Step:
    """The step, repeated with the control's route if the variant's adapter turns out to be unusable.

    Also if only the variant's system prompt makes the conversation too long.
    """

    @wraps(step)
    async def stepped(state: ChatState, runtime: Injected[Runtime]) -> Update:
        try:
            return await step(state, runtime)
        except (*UNUSABLE, PromptTooLong) as error:
            assignment, control = state.get("assignment"), await _control(state, runtime.context)
            same = control == state["route"] and prompt_of(state, runtime.context) is None
            if assignment is None or same:
                raise
            log.error("the control answers in place of variant %s: %s", assignment.variant, error)
            fallback: ChatState = {
                "route": control,
                "assignment": assignment.model_copy(update={"fallback": True}),
            }
            return {**fallback, **await step({**state, **fallback}, runtime)}

    return stepped


async def _control(state: ChatState, runtime: Runtime) -> Route:
    """The route without experiments; conversation has no question to route by."""
    return await resolve_route(
        state["standalone"] if state["intent"] == "question" else "",
        state.get("requested"),
        routes=runtime.routes,
        base=runtime.base,
        base_name=runtime.base_name,
        access=runtime.access,
    )
