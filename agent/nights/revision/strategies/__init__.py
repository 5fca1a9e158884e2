"""Revision strategies by name, and the order in which they are tried."""

from collections.abc import Mapping, Sequence

from agent.models.card import ModelCard
from agent.nights.revision.strategies.chain_of_thought import chain_of_thought
from agent.nights.revision.strategies.constitutional import constitutional
from agent.nights.revision.strategies.plain_critique import plain_critique
from agent.nights.revision.strategies.quote import quote
from agent.nights.revision.strategies.react import react
from agent.nights.revision.strategies.reflexion import reflexion
from agent.nights.revision.strategies.tree_of_thought import tree_of_thought
from agent.nights.revision.task import Strategy

STRATEGIES: Mapping[str, Strategy] = {
    "quote": quote,
    "plain_critique": plain_critique,
    "reflexion": reflexion,
    "chain_of_thought": chain_of_thought,
    "tree_of_thought": tree_of_thought,
    "react": react,
    "constitutional": constitutional,
}
JUDGES = 0.75
"""Share of answers that a model must judge rightly to improve its own: half is chance."""
MODEL_FIRST = (
    "plain_critique", "reflexion", "chain_of_thought", "quote", "react", "constitutional", "tree_of_thought",
)  # fmt: skip
QUOTE_FIRST = (
    "quote", "plain_critique", "chain_of_thought", "reflexion", "react", "constitutional", "tree_of_thought",
)  # fmt: skip
"""From cheap to expensive in tokens."""


def default_order(card: ModelCard) -> tuple[str, ...]:
    """Names of all strategies in the order for this model: a model that cannot judge answers quotes first."""
    return MODEL_FIRST if card.judging is not None and card.judging >= JUDGES else QUOTE_FIRST


def strategies_named(names: Sequence[str], card: ModelCard) -> tuple[tuple[str, Strategy], ...]:
    """The strategies with these names; without names, all in the default order.

    Raises ValueError for an unknown name.
    """
    unknown = [name for name in names if name not in STRATEGIES]
    if unknown:
        raise ValueError(f"unknown strategy {unknown[0]!r}: use {', '.join(STRATEGIES)}")
    return tuple((name, STRATEGIES[name]) for name in (names or default_order(card)))
