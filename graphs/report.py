"""The end of a learn run: its report, its outcome as stored, and the status of its gap."""

from contextlib import suppress
from typing import Any

from agent.learning.gaps import is_gap
from graphs.lessons import OVER_LIMIT, count_promoted
from graphs.state import Attempt, LearnState, Runtime
from memory.errors import UnknownGap
from memory.records.interactions import GapStatus
from memory.records.runs import Outcome


def report_of(state: LearnState) -> dict[str, Any]:
    """The report as JSON values; None for what the run did not reach."""
    curriculum, adapter = state.get("curriculum"), state.get("adapter")
    lessons = state.get("lessons", ())
    return {
        "run_id": state["run_id"],
        "subject": state["subject"],
        "domain": state.get("domain"),
        "forget": state.get("forget"),
        "outcome": _json(state.get("outcome")),
        "attempts": [_json(a) for a in state.get("attempts", ())],
        "asked_again": _json(state.get("asked_again")),
        "keywords": list(state.get("keywords", ())),
        "refinements": state.get("refinements", 0),
        "findings": _json(state.get("found")),
        "web": _json(state.get("explored")),
        "critique": _json(state.get("judgement", state.get("critique"))),
        "curriculum": curriculum
        and {
            "digest": curriculum.digest,
            "teacher": curriculum.teacher,
            "facts": sum(lesson.facts for lesson in lessons) if lessons else len(curriculum.facts),
            "pairs_kept": state.get("kept", 0),
            "pairs_dropped": sum(state.get("dropped", {}).values()),
            "dropped": state.get("dropped", {}),
            "facts_left_out": state.get("left_out", {}),
            "held_out": sum(lesson.held_out for lesson in lessons) if lessons else len(curriculum.held_out),
        },
        "lessons": [_json(lesson) for lesson in lessons],
        "approval": _json(state.get("approval")),
        "training": adapter
        and {
            "seconds": adapter.training_seconds,
            "tokens": adapter.training_tokens,
            "recipe": adapter.recipe,
            "base_model": adapter.base_model,
        },
        "evaluation": adapter and {"before": _json(adapter.before), "after": _json(adapter.after)},
        "gates": _json(adapter.verdict) if adapter else None,
        "adapter": adapter.name if adapter else None,
        "gate": _json(adapter.gate) if adapter else None,
        "let_through": _json(adapter.let_through) if adapter else None,
        "canary": _json(adapter.canary) if adapter else None,
        "events": [_json(e) for e in state.get("events", [])],
    }


def explained_outcome(state: LearnState) -> Outcome:
    """The outcome with what an operator must know in its reason.

    That is how many lessons were promoted, that a lesson was not forgotten, or that the question is still not
    answered.
    """
    outcome = _with_lesson_count(state)
    again = state.get("asked_again")
    if again is not None and not is_answered(again):
        reason = f"{outcome.reason}; but {again.question!r} is still not answered confidently and correctly"
        return outcome.model_copy(update={"reason": reason})
    if "forget" not in state or outcome.status == "forgotten":
        return outcome
    warning = (
        f"the adapter that learned {state['forget'][:12]} is still live: "
        f"`nightschool adapters rollback {state['domain']}` replaces it"
    )
    return outcome.model_copy(update={"reason": f"{outcome.reason}; {warning}"})


def _with_lesson_count(state: LearnState) -> Outcome:
    """The outcome with the number of promoted lessons and, if facts are left, how to continue."""
    outcome, count = state["outcome"], count_promoted(state)
    if count is None:
        return outcome
    reason, left = outcome.reason, 0
    if outcome.status == "learned":
        left = sum(n for why, n in state.get("left_out", {}).items() if why.startswith(OVER_LIMIT))
        if count.total > 1:
            reason = f"{count.done} of {count.total} lessons promoted: {reason}"
    elif 1 < count.total > count.done and "job" in state:
        ending = _ENDINGS.get(outcome.status, outcome.status)
        reason = f"{count.done} of {count.total} lessons promoted; {_ordinal(count.done)} {ending}: {reason}"
        rejected = outcome.status == "rejected"  # a rejected lesson is not taught again
        left = sum(lesson.facts for lesson in state["lessons"][count.done + rejected :])
        if rejected and state["training"].full:
            left = 0
    if left:
        facts, them = ("1 fact is", "it") if left == 1 else (f"{left} facts are", "them")
        reason = f"{reason}; {facts} left: learn the topic again to continue with {them}"
    return outcome.model_copy(update={"reason": reason, "lessons": count})


_ENDINGS = {"rejected": "was rejected", "failed": "failed", "stopped": "was stopped"}
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def _ordinal(index: int) -> str:
    return f"the {_ORDINALS[index]}" if index < len(_ORDINALS) else f"lesson {index + 1}"


async def store_outcome(state: LearnState, runtime: Runtime) -> None:
    """Stores the run's outcome and report, then updates its gap; safe to repeat."""
    outcome = state["outcome"]
    await runtime.database.finish_run(state["run_id"], outcome, report_of(state))
    if (gap_id := state.get("gap_id")) is not None:
        status = gap_status(outcome, known=state.get("known", False), again=state.get("asked_again"))
        with suppress(UnknownGap):  # deleted meanwhile
            await runtime.database.set_gap(gap_id, status, state["run_id"])


def gap_status(outcome: Outcome, *, known: bool, again: Attempt | None) -> GapStatus:
    """The status of the run's gap: closed if the model knew the answer before, or learned it."""
    answered = again is None or is_answered(again)
    return "closed" if known or (outcome.status == "learned" and answered) else "open"


def is_answered(attempt: Attempt) -> bool:
    """Whether the question was answered correctly and confidently."""
    return attempt.right is True and not is_gap(attempt.uncertainty)


def _json(value: Any) -> Any:
    return None if value is None else value.model_dump(mode="json")
