"""The order of a learn run, from the attempt to the report, and of one that forgets a lesson instead.

What each step does is in `attempts`, `learn_steps`, `lessons`, `swap` and `forget`; durable running, resuming
and approving is in `runs`.
"""

from functools import partial
from typing import Literal

from langgraph.graph import END, START, StateGraph
from langgraph.types import RetryPolicy

from agent.errors import EngineUnavailable
from graphs import attempts, lessons
from graphs import handover as swap
from graphs import learn_steps as steps
from graphs.forget import forget
from graphs.state import LearnState, Limits, Runtime
from memory.errors import StoreUnavailable


def build(limits: Limits) -> StateGraph[LearnState, Runtime, LearnState, LearnState]:
    """The learn graph, not yet compiled; a step waits and tries again while a store or the engine is away."""
    away = RetryPolicy(
        max_attempts=limits.step_attempts,
        initial_interval=1.0,
        retry_on=(EngineUnavailable, StoreUnavailable),
    )
    graph = StateGraph(LearnState, context_schema=Runtime)
    graph.set_node_defaults(retry_policy=away)
    for name, step in STEPS.items():
        graph.add_node(name, step)
    graph.add_conditional_edges(START, entrance, ["attempt", "forget"])
    for name, following in NEXT.items():
        graph.add_conditional_edges(name, partial(onward, following=following), [following, "report"])
    graph.add_conditional_edges("critique", after_critique, ["refine", "curriculum", "report"])
    after = ["next_lesson", "hand_over", "ask_again", "report"]
    graph.add_conditional_edges("promote", after_promotion, after)
    graph.add_edge("refine", "explore")
    graph.add_edge("ask_again", "report")
    graph.add_edge("report", END)
    return graph


def entrance(state: LearnState) -> Literal["attempt", "forget"]:
    """Where a run begins: what is to be forgotten is known, and needs no attempt."""
    return "forget" if "forget" in state else "attempt"


def onward(state: LearnState, following: str) -> str:
    """The next step, or the report once the run has an outcome."""
    return "report" if "outcome" in state else following


def after_critique(state: LearnState) -> Literal["refine", "curriculum", "report"]:
    """Where the verdict leads."""
    if "outcome" in state:
        return "report"
    return "refine" if state["critique"].verdict == "refine" else "curriculum"


def after_promotion(state: LearnState) -> Literal["next_lesson", "hand_over", "ask_again", "report"]:
    """On to the next lesson; back to the trainer where another run's lesson went live meanwhile; a learned
    question is asked again."""
    if "outcome" not in state:
        place = lessons.upcoming(state)
        taken_up = place is None or state["lessons"][place].digest == state["curriculum"].digest
        return "hand_over" if taken_up else "next_lesson"
    learned = state["outcome"].status == "learned" and not state.get("whole", True)
    return "ask_again" if learned else "report"


STEPS = {
    "forget": forget,
    "attempt": attempts.attempt,
    "detect": steps.detect,
    "explore": steps.explore,
    "critique": steps.criticise,
    "refine": steps.refine,
    "curriculum": steps.teach,
    "verify": steps.check,
    "approve": steps.approve,
    "hand_over": swap.hand_over,
    "train": swap.await_trainer,
    "promote": swap.swap_in,
    "next_lesson": lessons.next_lesson,
    "ask_again": attempts.ask_again,
    "report": steps.report,
}
NEXT = {
    "forget": "hand_over",
    "detect": "explore",
    "attempt": "detect",
    "explore": "critique",
    "curriculum": "verify",
    "verify": "approve",
    "approve": "hand_over",
    "hand_over": "train",
    "train": "promote",
    "next_lesson": "hand_over",
}
"""What follows a step that did not end the run."""
