"""The rule by which a study decides what a model is good for."""

from agent.models.card import Verdict
from memory.records.base import Record, Share

READS = 0.25
"""Least share of questions about a given passage that it has to answer: SmolLM2-135M reads 35% of SQuAD."""
KNOWN = 50
"""Fewest known questions: with fewer, what a lesson costs cannot be told from chance."""
SEPARATES = 0.65
"""Least AUROC of the gate: entropy alone reaches .70 on the smallest model that was worth serving."""
CONTEXT = 1024
"""Fewest tokens: three passages, a question and an answer."""


class StudyFigures(Record):
    """What the rule looks at."""

    reads: Share
    known: int
    auroc: float | None
    context: int


def decide(found: StudyFigures) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict with its reasons in words.

    `no-go`: it cannot answer from a passage, so neither sources nor lessons help. `retrieval only`: it reads,
    but what it knows is too little to tell a lesson that harms from one that does not, its certainty does not
    tell right from wrong, or its context holds too few passages. Otherwise `go`.
    """
    reads = f"it answers {found.reads:.0%} of questions about a passage in front of it"
    if found.reads < READS:
        return "no-go", (f"{reads}; {READS:.0%} are needed",)
    missing = []
    if found.known < KNOWN:
        missing.append(
            f"it knows {found.known} questions of the bank steadily; with fewer than {KNOWN} nothing shows"
            " whether a lesson harms"
        )
    if found.auroc is None or found.auroc < SEPARATES:
        figure = "unknown" if found.auroc is None else f"{found.auroc:.2f}"
        missing.append(
            f"how sure it is does not tell right from wrong: AUROC {figure}, {SEPARATES} is needed"
        )
    if found.context < CONTEXT:
        missing.append(f"its context of {found.context} tokens is below {CONTEXT}")
    if missing:
        return "retrieval only", (reads, *missing)
    return "go", (
        reads,
        f"it knows {found.known} questions of the bank steadily",
        f"how sure it is tells right from wrong: AUROC {found.auroc:.2f}",
    )
