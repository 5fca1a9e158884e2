"""The verdict of a study: whether a model can be taught, used for retrieval only, or not at all."""

from agent.models.card import Verdict
from memory.records.base import Record, Share

MIN_READING = 0.25
"""Minimum share of right answers about a given passage: SmolLM2-135M answers 35% of SQuAD."""
MIN_KNOWN = 50
"""Minimum number of known questions: with fewer, a lesson's harm cannot be told from chance."""
MIN_AUROC = 0.65
"""Minimum AUROC of the gate: entropy alone reaches .70 on the smallest model that was worth serving."""
MIN_CONTEXT = 1024
"""Minimum context: room for three passages, a question and an answer."""


class StudyFigures(Record):
    """The figures that the verdict depends on."""

    reads: Share
    known: int
    auroc: float | None
    context: int


def decide_verdict(figures: StudyFigures) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict and its reasons.

    `no-go`: the model cannot answer from a passage, so neither sources nor lessons help. `retrieval only`: it
    can, but knows too few questions to measure a lesson's harm, its uncertainty does not separate right from
    wrong, or its context is too short. Otherwise `go`.
    """
    reads = f"it answers {figures.reads:.0%} of questions about a passage in front of it"
    if figures.reads < MIN_READING:
        return "no-go", (f"{reads}; {MIN_READING:.0%} are needed",)
    missing = []
    if figures.known < MIN_KNOWN:
        missing.append(
            f"it knows {figures.known} questions of the bank steadily; with fewer than {MIN_KNOWN} nothing"
            " shows whether a lesson harms"
        )
    if figures.auroc is None or figures.auroc < MIN_AUROC:
        figure = "unknown" if figures.auroc is None else f"{figures.auroc:.2f}"
        missing.append(
            f"how sure it is does not tell right from wrong: AUROC {figure}, {MIN_AUROC} is needed"
        )
    if figures.context < MIN_CONTEXT:
        missing.append(f"its context of {figures.context} tokens is below {MIN_CONTEXT}")
    if missing:
        return "retrieval only", (reads, *missing)
    return "go", (
        reads,
        f"it knows {figures.known} questions of the bank steadily",
        f"how sure it is tells right from wrong: AUROC {figures.auroc:.2f}",
    )
