"""How a learn run is written down at its end: the report, the run's outcome and its gap's status.

Decides nothing; every figure in the report was measured by a step or by the trainer.
"""

from contextlib import suppress
from typing import Any

from agent.gaps import is_gap
from graphs.state import Attempt, LearnState, Runtime
from memory.errors import UnknownGap
from memory.records import GapStatus
from memory.runs import Outcome


def report_of(state: LearnState) -> dict[str, Any]:
    """The whole run as plain JSON values; parts that the run did not reach are None."""
    curriculum, adapter = state.get("curriculum"), state.get("adapter")
    findings = state.get("findings")
    return {
        "run_id": state["run_id"],
        "subject": state["subject"],
        "domain": state.get("domain"),
        "forget": state.get("forget"),
        "outcome": _plain(state.get("outcome")),
        "attempts": [_plain(a) for a in state.get("attempts", ())],
        "asked_again": _plain(state.get("asked_again")),
        "keywords": list(state.get("keywords", ())),
        "refinements": state.get("refinements", 0),
        "findings": findings
        and {
            "query": findings.query,
            "passages": len(findings.evidence),
            "facts": len(findings.facts),
            "sources": sorted({hit.passage.source for hit in findings.evidence}),
        },
        "critique": _plain(state.get("critique")),
        "curriculum": curriculum
        and {
            "digest": curriculum.digest,
            "teacher": curriculum.teacher,
            "facts": len(curriculum.facts),
            "pairs_kept": state.get("kept", 0),
            "pairs_dropped": sum(state.get("dropped", {}).values()),
            "dropped": state.get("dropped", {}),
            "facts_left_out": state.get("left_out", {}),
            "held_out": len(curriculum.held_out),
        },
        "approval": _plain(state.get("approval")),
        "training": adapter
        and {
            "seconds": adapter.training_seconds,
            "tokens": adapter.training_tokens,
            "recipe": adapter.recipe,
            "base_model": adapter.base_model,
        },
        "evaluation": adapter and {"before": _plain(adapter.before), "after": _plain(adapter.after)},
        "gates": _plain(adapter.verdict) if adapter else None,
        "adapter": adapter.name if adapter else None,
        "gate": _plain(adapter.gate) if adapter else None,
        "let_through": _plain(adapter.let_through) if adapter else None,
        "canary": _plain(adapter.canary) if adapter else None,
        "events": [_plain(e) for e in state.get("events", [])],
    }


def as_told(state: LearnState) -> Outcome:
    """The outcome, with what an operator must know: that a lesson was not forgotten, or that what was learned
    does not answer the question yet."""
    outcome = state["outcome"]
    again = state.get("asked_again")
    if again is not None and not answers(again):
        reason = f"{outcome.reason}; but {again.question!r} is not answered surely and rightly yet"
        return outcome.model_copy(update={"reason": reason})
    if "forget" not in state or outcome.status == "forgotten":
        return outcome
    still = (
        f"the adapter that learned {state['forget'][:12]} is still live: "
        f"`nightschool adapters rollback {state['domain']}` takes it off"
    )
    return outcome.model_copy(update={"reason": f"{outcome.reason}; {still}"})


async def conclude(state: LearnState, runtime: Runtime) -> None:
    """Stores outcome and report, then moves the gap on; doing it twice changes nothing.

    A gap closes only when the model can now answer, or could all along.
    """
    outcome = state["outcome"]
    await runtime.database.finish_run(state["run_id"], outcome, report_of(state))
    if (gap_id := state.get("gap_id")) is not None:
        status = gap_status(outcome, known=state.get("known", False), again=state.get("asked_again"))
        with suppress(UnknownGap):  # deleted meanwhile
            await runtime.database.set_gap(gap_id, status, state["run_id"])


def gap_status(outcome: Outcome, *, known: bool, again: Attempt | None) -> GapStatus:
    """What becomes of the gap that the run was to close: learning closes it only with a right answer."""
    answered = again is None or answers(again)
    return "closed" if known or (outcome.status == "learned" and answered) else "open"


def answers(again: Attempt) -> bool:
    """Whether the question was answered rightly, and confidently."""
    return again.right is True and not is_gap(again.uncertainty)


def _plain(value: Any) -> Any:
    return None if value is None else value.model_dump(mode="json")
