"""The learn graph: the order of the steps of a run that learns something, or forgets a lesson.

The steps are in `attempts`, `learn_steps`, `web_steps`, `lessons`, `handover` and `forget`.
"""

from functools import partial, wraps
from typing import Literal, Protocol

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime as Injected
from langgraph.types import RetryPolicy

from agent.errors import EngineUnavailable
from graphs import attempts, handover, lessons, web_steps
from graphs import learn_steps as steps
from graphs.forget import forget
from graphs.state import LearnState, Limits, Runtime, Update
from graphs.traced import add_step
from memory.errors import StoreUnavailable


class Step(Protocol):
    """A node: takes the state and returns an update."""

    async def __call__(self, state: LearnState, runtime: Injected[Runtime]) -> Update:
        """Carries the step out."""
        ...


def build(limits: Limits) -> StateGraph[LearnState, Runtime, LearnState, LearnState]:
    """The learn graph, not compiled. Steps are retried while a store or the engine is unavailable."""
    retry_policy = RetryPolicy(
        max_attempts=limits.step_attempts,
        initial_interval=1.0,
        retry_on=(EngineUnavailable, StoreUnavailable),
    )
    graph = StateGraph(LearnState, context_schema=Runtime)
    graph.set_node_defaults(retry_policy=retry_policy)
    for name, step in STEPS.items():
        add_step(graph, name, measured(step) if name in WORK else step)
    graph.add_conditional_edges(START, first_step, ["attempt", "forget"])
    for name, next_step in NEXT.items():
        before_web = name in BEFORE_WEB
        targets = [next_step, "report", *(["search_web"] if before_web else [])]
        choose = partial(next_or_report, next_step=next_step, before_web=before_web)
        graph.add_conditional_edges(name, choose, targets)
    graph.add_conditional_edges("critique", after_critique, ["refine", "curriculum", "search_web", "report"])
    targets = ["next_lesson", "hand_over", "ask_again", "report"]
    graph.add_conditional_edges("promote", after_promotion, targets)
    graph.add_edge("refine", "explore")
    graph.add_edge("ask_again", "report")
    graph.add_edge("report", END)
    return graph


def measured(step: Step) -> Step:
    """The step, which also counts its seconds towards the run's time limit."""

    @wraps(step)
    async def timed(state: LearnState, runtime: Injected[Runtime]) -> Update:
        began = runtime.context.monotonic()
        update = await step(state, runtime)
        return {**update, "worked_seconds": runtime.context.monotonic() - began}

    return timed


def first_step(state: LearnState) -> Literal["attempt", "forget"]:
    """The first step: a run that forgets a lesson needs no attempt."""
    return "forget" if "forget" in state else "attempt"


def next_or_report(state: LearnState, next_step: str, *, before_web: bool) -> str:
    """The next step, the web if that is due and may come `before_web`, or the report of an outcome.

    The web may be due at any step, because a client may jump to one.
    """
    if "outcome" in state:
        return "report"
    return "search_web" if before_web and state.get("web_due") else next_step


def after_critique(state: LearnState) -> Literal["refine", "curriculum", "search_web", "report"]:
    """Searches again, writes a curriculum, or ends the run, by the verdict."""
    if "outcome" in state:
        return "report"
    if state.get("web_due"):
        return "search_web"
    judgement = state.get("critique")  # None if a client wrote in its place: verification judges again
    return "refine" if judgement is not None and judgement.verdict == "refine" else "curriculum"


def after_promotion(state: LearnState) -> Literal["next_lesson", "hand_over", "ask_again", "report"]:
    """Continues with the next lesson, if any; asks a learned question again.

    If another run's lesson went live during the training, the current lesson goes back to the trainer.
    """
    if "outcome" not in state:
        index = lessons.current_lesson(state)
        same_lesson = index is None or state["lessons"][index].digest == state["curriculum"].digest
        return "hand_over" if same_lesson else "next_lesson"
    learned = state["outcome"].status == "learned" and not state.get("whole", True)
    return "ask_again" if learned else "report"


STEPS = {
    "forget": forget,
    "attempt": attempts.attempt,
    "detect": steps.detect,
    "explore": steps.explore,
    "search_web": web_steps.search_web,
    "critique": steps.judge_findings,
    "refine": steps.refine,
    "curriculum": steps.write_candidates,
    "verify": steps.verify_candidates,
    "approve": steps.approve,
    "hand_over": handover.hand_over,
    "train": handover.await_trainer,
    "promote": handover.promote_candidate,
    "next_lesson": lessons.next_lesson,
    "ask_again": attempts.ask_again,
    "report": steps.report,
}
WORK = frozenset({"attempt", "detect", "explore", "search_web", "critique", "refine", "curriculum", "verify"})
"""Steps that count towards the time limit; people and the trainer may take longer."""
NEXT = {
    "forget": "hand_over",
    "detect": "explore",
    "attempt": "detect",
    "explore": "critique",
    "search_web": "explore",
    "curriculum": "verify",
    "verify": "approve",
    "approve": "hand_over",
    "hand_over": "train",
    "train": "promote",
    "next_lesson": "hand_over",
}
"""The step after each one that has only one successor, unless it ends the run or needs the web."""
BEFORE_WEB = frozenset({"detect", "curriculum", "verify"})
"""Steps that may find that the web is to be searched, besides the critique."""
