"""How a learn run is written down at its end: the report, the run's outcome and its gap's status.

Decides nothing; every figure in the report was measured by a step or by the trainer.
"""

from contextlib import suppress
from typing import Any

from agent.learning.gaps import is_gap
from graphs.lessons import OVER, done
from graphs.state import Attempt, LearnState, Runtime
from memory.errors import UnknownGap
from memory.records.interactions import GapStatus
from memory.records.runs import Outcome


def report_of(state: LearnState) -> dict[str, Any]:
    """The whole run as plain JSON values; parts that the run did not reach are None."""
    curriculum, adapter = state.get("curriculum"), state.get("adapter")
    lessons = state.get("lessons", ())
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
        "findings": _plain(state.get("found")),
        "critique": _plain(state.get("critique")),
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
        "lessons": [_plain(lesson) for lesson in lessons],
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
    """The outcome, with what an operator must know: which lessons stand, that a lesson was not forgotten, or
    that what was learned does not answer the question yet."""
    outcome = _counted(state)
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


def _counted(state: LearnState) -> Outcome:
    """The outcome with the lessons that stand and, where facts are left, what to do about them."""
    outcome, count = state["outcome"], done(state)
    if count is None:
        return outcome
    reason, left = outcome.reason, 0
    if outcome.status == "learned":
        left = sum(n for why, n in state.get("left_out", {}).items() if why.startswith(OVER))
        if count.total > 1:
            reason = f"{count.done} of {count.total} lessons promoted: {reason}"
    elif 1 < count.total > count.done and "handed_over_at" in state:
        how = _ENDED.get(outcome.status, outcome.status)
        reason = f"{count.done} of {count.total} lessons promoted; {_place(count.done)} {how}: {reason}"
        rejected = outcome.status == "rejected"  # what it taught is not taught another time
        left = sum(lesson.facts for lesson in state["lessons"][count.done + rejected :])
        if rejected and state["training"].full:
            left = 0
    if left:
        facts, them = ("1 fact is", "it") if left == 1 else (f"{left} facts are", "them")
        reason = f"{reason}; {facts} left: learn the topic again to go on with {them}"
    return outcome.model_copy(update={"reason": reason, "lessons": count})


_ENDED = {"rejected": "was rejected", "failed": "failed", "stopped": "was stopped"}
_PLACES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def _place(number: int) -> str:
    return f"the {_PLACES[number]}" if number < len(_PLACES) else f"lesson {number + 1}"


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
