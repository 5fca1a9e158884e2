"""Owns the figures of one evaluation of the base model, as `evaluation.json` holds them.

How they are measured is in `evaluate`, how they read in `card`.
"""

from agent.cores import Split
from memory.records import Form, Record


class Rate(Record):
    """A share of `count`, with its 95% Wilson interval."""

    share: float
    low: float
    high: float
    count: int


class Known(Record):
    """Questions about facts that were taught."""

    taught: Rate
    held_out: Rate
    """In wordings that were never trained."""
    abstained: Rate
    """Of both: answered with NEED_INFO."""
    forms: dict[Form, dict[Split, Rate]]


class Reading(Record):
    """Questions about reserved words with a context of several statements that holds the answer."""

    taught: Rate
    held_out: Rate
    """Neither the question's wording nor the sentences of the context are of a kind that was trained."""
    statements: dict[int, Rate]
    """By the number of statements in the context."""


class Reserved(Record):
    """Questions without a context about words that no training saw."""

    abstained: Rate
    wrong: Rate
    right: Rate


class Gate(Record):
    """The entropy threshold in nats, fitted on half of the questions, and what it does to the other half."""

    threshold: float
    fitted_on: str
    right_let_through: Rate
    wrong_caught: Rate
    """Of wrong answers that are no abstentions."""
    reserved_caught: Rate
    """By the threshold or by the model's own NEED_INFO."""


class Figures(Record):
    """Everything that one evaluation measures."""

    known: Known
    reading: Reading
    reserved: Reserved
    auroc: float
    """Of the largest answer-token entropy, known questions against reserved ones."""
    auroc_gate: float
    """The same where an abstention counts as more uncertain than any entropy, as the gate sees it."""
    auroc_claims: float
    """The same without abstentions."""
    gate: Gate
    answer_tokens_per_second: float
    seconds: float
