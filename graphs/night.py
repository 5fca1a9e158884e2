"""The night graph: the order of the steps in which the service goes over its day.

The steps are in `night_waiting`, `night_steps` and `night_training`.
"""

from functools import partial
from typing import Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime as Injected
from langgraph.types import RetryPolicy

from agent.errors import EngineUnavailable
from agent.nights.report.gather import gather_report
from graphs import night_attacks, night_lessons, night_steps, night_training
from graphs.night_step import Step, run_step
from graphs.night_waiting import wait
from graphs.skew import domain_skew
from graphs.state import Limits, NightState, Runtime, Update, event
from graphs.traced import add_step
from memory.errors import StoreUnavailable
from memory.nights.attacks import Attacks
from memory.records.nights import Night, NightStatus, NightStep, StepReport


def build(limits: Limits) -> StateGraph[NightState, Runtime, NightState, NightState]:
    """The night graph, not compiled."""
    retry_policy = RetryPolicy(
        max_attempts=limits.step_attempts,
        initial_interval=1.0,
        retry_on=(EngineUnavailable, StoreUnavailable),
    )
    graph = StateGraph(NightState, context_schema=Runtime)
    graph.set_node_defaults(retry_policy=retry_policy)
    add_step(graph, "wait", wait)
    add_step(graph, "report", report)
    for node, (name, step) in STEPS.items():
        add_step(graph, node, partial(run_step, name=name, step=step))
    graph.add_edge(START, "wait")
    for node, next_node in NEXT.items():
        next_or = partial(next_or_report, next_node=next_node)
        graph.add_conditional_edges(node, next_or, [next_node, "report"])
    graph.add_conditional_edges("train", after_train, ["await_training", "report"])
    graph.add_conditional_edges("deploy", after_deploy, ["train", "await_training", "report"])
    graph.add_edge("report", END)
    return graph


async def report(state: NightState, runtime: Injected[Runtime]) -> Update:
    """Ends the night and keeps its morning report; a night that has ended already is left as it is."""
    context = runtime.context
    night = await context.nights.night(state["night_id"])
    if night.status not in ("waiting", "running"):
        return {}
    await context.nights.add_step(night.id, StepReport(step="report", status="done"))
    night = await context.nights.night(night.id)
    status, reason = how_it_ends(state, night)
    ended = night.model_copy(update={"status": status, "reason": reason, "ended_at": context.clock()})
    access = context.access.shared(night.domain)
    made = await gather_report(
        ended,
        store=context.nights,
        log=context.interactions,
        feedback=context.feedback,
        registry=context.registry,
        access=access,
        attacks=await Attacks(context.database).list(night_id=night.id),
        skew=await domain_skew(night.domain, context, until=night.until, access=access),
    )
    await context.nights.update(ended.model_copy(update={"summary": made.model_dump(mode="json")}))
    return {"events": [event(context, "report", f"{status}: {reason}" if reason else status)]}


def how_it_ends(state: NightState, night: Night) -> tuple[NightStatus, str]:
    """The night's end with its reason: `done` only if its last attempt at each step succeeded, whatever a
    client made of the state. Otherwise the next night goes over the same turns again."""
    if (ending := state.get("ending")) is not None:
        return ending, state.get("reason", "")
    reports = {each.step: each for each in night.steps}
    for each in reports.values():
        if each.status in ("failed", "stopped"):
            return "failed" if each.status == "failed" else "stopped", f"{each.step}: {each.reason}"
    if "collect" in reports and reports["collect"].status == "skipped":
        return "skipped", reports["collect"].reason
    left_out = [name for name, _ in STEPS.values() if name not in reports and name != "deploy"]
    return ("stopped", f"{left_out[0]} was left out") if left_out else ("done", "")


def next_or_report(state: NightState, next_node: str) -> str:
    """The next step, or the report if the night ends early."""
    return "report" if state.get("ending") else next_node


def after_train(state: NightState) -> Literal["await_training", "report"]:
    """Waits for the trainer if it was given something."""
    return "report" if state.get("ending") or state.get("training") is None else "await_training"


def after_deploy(state: NightState) -> Literal["train", "await_training", "report"]:
    """Trains what is left, or waits for a lesson that is taught again."""
    if state.get("ending"):
        return "report"
    return "train" if state.get("training") is None else "await_training"


STEPS: dict[str, tuple[NightStep, Step]] = {
    "collect": ("collect", night_steps.collect_turns),
    "score": ("score", night_steps.score),
    "revise": ("revise", night_steps.revise),
    "archive": ("archive", night_steps.archive),
    "consolidate": ("consolidate", night_steps.consolidate),
    "topics": ("topics", night_steps.topics),
    "golden": ("golden", night_steps.golden),
    "surprise": ("surprise", night_lessons.surprise),
    "attack": ("attack", night_attacks.attack),
    "train": ("train", night_training.train),
    "await_training": ("train", night_training.await_training),
    "deploy": ("deploy", night_training.deploy),
}
"""The steps by node; waiting for the trainer is reported as a part of training."""
NEXT = {
    "wait": "collect",
    "collect": "score",
    "score": "revise",
    "revise": "archive",
    "archive": "consolidate",
    "consolidate": "topics",
    "topics": "golden",
    "golden": "surprise",
    "surprise": "attack",
    "attack": "train",
    "await_training": "deploy",
}
"""The node after each one that has only one successor, unless it ends the night."""
