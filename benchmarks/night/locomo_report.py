"""Figures and tables of the LoCoMo part, over all conversations that were measured."""

from collections.abc import Sequence

from benchmarks.night import figures as compute
from benchmarks.night.locomo_arms import AFTER_LAST, Arm, Evaluated
from benchmarks.night.locomo_data import CATEGORIES
from memory.records.base import Record
from memory.results import Table, rows

BEST: tuple[Arm, ...] = ("retrieval", "full conversation")
"""The better of these is the ceiling."""
LEARNED: tuple[Arm, ...] = ("nights", "last trained adapter")
ARMS_TEXT = """Share of the answers that hold the gold answer, in any notation of dates; of category \
`unanswerable`, the share declined. `nothing`: the base model without anything. `recent context`: the last \
session's turns that fit into the prompt, its latest. `compacted context`: an extractive summary of all \
sessions in the prompt, with an equal share of the room for each, its sentences chosen by how rare their \
words are. `full conversation`: the latest turns of all that fit; the model's context is too small for all. \
`retrieval`: from sources, each session a document. `statements`: from what the nights' consolidation found, \
each statement a document, without training. `nights`: the base model with the adapter that the nights \
deployed, closed-book; the base model if they deployed none. `last trained adapter`: with the last that was \
trained, whether or not its gates passed. `both`: chat, with that adapter, the statements and the sessions. \
Closed-book and prompt arms count as declined by the answer gate, and are graded whatever the gate says."""


class ConversationResult(Record):
    """What came of one conversation."""

    id: str
    lines: int
    statements: int
    nights: int
    deployed: int
    """Different adapters that went live."""
    first_sessions: tuple[int, ...]
    """Sessions before the first night."""
    notes: tuple[str, ...]
    """What each night's training came to."""
    night_seconds: float
    evaluated: tuple[Evaluated, ...]
    known_before: tuple[bool, ...]
    known_after: tuple[bool, ...]
    general: tuple[float, float] | None = None
    """Shares of the gate's general questions that the base model and the deployed adapter answer rightly,
    whether or not the base model knew them; None without an adapter."""


def locomo_figures(results: Sequence[ConversationResult]) -> dict[str, float]:
    """Figures over the questions of all conversations."""
    last = [each for result in results for each in result.evaluated if each.moment == "last"]
    answerable = {arm: _contained(last, arm) for arm in AFTER_LAST}
    figures: dict[str, float | None] = {
        "locomo, conversations": len(results),
        "locomo, questions": len({(e.question.text, e.question.answer) for e in last}),
        "locomo, nights": sum(result.nights for result in results),
        "locomo, adapters deployed": sum(result.deployed for result in results),
        "locomo, statements per line": _per(
            sum(result.statements for result in results), sum(result.lines for result in results)
        ),
        "locomo, minutes per night": _per(
            sum(result.night_seconds for result in results) / 60, sum(result.nights for result in results)
        ),
    }
    for arm in AFTER_LAST:
        figures[f"locomo, {arm}, contained"] = answerable[arm]
        figures[f"locomo, {arm}, unanswerable declined"] = _declined(last, arm)
    ceilings = [value for arm in BEST if (value := answerable[arm]) is not None]
    floor, both, best = answerable["nothing"], answerable["both"], max(ceilings, default=None)
    if floor is not None and best is not None:
        for arm, name in (("nights", "closed-book"), ("last trained adapter", "by the last trained adapter")):
            reached = answerable[arm]
            if reached is not None:
                figures[f"locomo, gap closed {name}"] = compute.gap_closed(floor, reached, best)
        statements = answerable["statements"]
        if statements is not None:
            figures["locomo, gap closed by statements untrained"] = compute.gap_closed(
                floor, statements, best
            )
        if both is not None:
            key = "locomo, both over the best of retrieval and full conversation, points"
            figures[key] = 100 * (both - best)
    figures["locomo, first night's questions lost, points"] = first_night_lost(results, "nights")
    figures["locomo, first night's questions lost from statements, points"] = first_night_lost(
        results, "statements"
    )
    figures["locomo, known questions lost, points"] = compute.points_lost(
        [right for result in results for right in result.known_before],
        [right for result in results for right in result.known_after],
    )
    general = [result.general for result in results if result.general is not None]
    if general:
        lost = sum(before - after for before, after in general) / len(general)
        figures["locomo, general questions lost, points"] = 100 * lost
    return compute.present(figures)


def first_night_lost(results: Sequence[ConversationResult], arm: Arm) -> float | None:
    """Points lost until the last night by what was asked and answered after the first."""
    before: list[bool] = []
    after: list[bool] = []
    for result in results:
        first = {e.question.text: e for e in result.evaluated if e.moment == "first" and e.arm == arm}
        for each in result.evaluated:
            if not each.question.answerable or each.moment != "last" or each.arm != arm:
                continue
            if each.question.text in first:
                before.append(first[each.question.text].contained)
                after.append(each.contained)
    return compute.points_lost(before, after)


def locomo_tables(results: Sequence[ConversationResult]) -> tuple[Table, ...]:
    """Arms by category, and the conversations with their nights."""
    last = [each for result in results for each in result.evaluated if each.moment == "last"]
    arms = []
    for arm in AFTER_LAST:
        own = [each for each in last if each.arm == arm]
        by_category = [
            compute.share(each.right for each in own if each.question.category == category)
            for category in CATEGORIES
        ]
        arms.append(
            [arm, *("" if share is None else share for share in (*by_category, _contained(last, arm)))]
        )
    return (
        Table(
            title="LoCoMo, by kind of question",
            text=ARMS_TEXT,
            head=("answered from", *CATEGORIES.values(), "all answerable"),
            rows=rows(arms),
        ),
        Table(
            title="LoCoMo, conversations",
            text="The sessions of a conversation are grouped into nights, because each may train; those "
            "before the first night count as session 1. Known: the card's known questions that the base "
            "model and the deployed adapter answer rightly; they were chosen because it knew them, so that "
            "every change loses some. General: the share of the gate's general questions, known or not.",
            head=(
                "conversation",
                "lines",
                "statements",
                "nights",
                "first night",
                "deployed",
                "known",
                "general",
                "minutes",
            ),
            rows=rows([_conversation_row(result) for result in results]),
        ),
        Table(
            title="LoCoMo, what the nights' training came to",
            text="In the words of the nights' reports.",
            head=("conversation", "night", "training"),
            rows=rows(
                [
                    (result.id, number, " ".join(note.replace("|", "/").split()))
                    for result in results
                    for number, note in enumerate(result.notes, 1)
                ]
            ),
        ),
    )


def _conversation_row(result: ConversationResult) -> tuple[object, ...]:
    known = f"{sum(result.known_before)} > {sum(result.known_after)} of {len(result.known_before)}"
    return (
        result.id,
        result.lines,
        result.statements,
        result.nights,
        f"sessions {result.first_sessions[0]} to {result.first_sessions[-1]}",
        result.deployed,
        known,
        "" if result.general is None else "{:.1%} > {:.1%}".format(*result.general),
        f"{result.night_seconds / 60:.1f}",
    )


def _contained(evaluated: Sequence[Evaluated], arm: Arm) -> float | None:
    return compute.share(e.contained for e in evaluated if e.arm == arm and e.question.answerable)


def _declined(evaluated: Sequence[Evaluated], arm: Arm) -> float | None:
    return compute.share(e.right for e in evaluated if e.arm == arm and not e.question.answerable)


def _per(amount: float, count: int) -> float | None:
    return amount / count if count else None
