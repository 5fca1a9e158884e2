"""Shares a limited lesson out over the documents, so that the longest or first one does not fill it."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def in_turns(items: Sequence[Item], source: Callable[[Item], str]) -> tuple[Item, ...]:
    """All items, one of each source in turn; of one source in their order, sources as they first occur."""
    turns: dict[str, int] = {}
    sources = {name: place for place, name in enumerate(dict.fromkeys(map(source, items)))}

    def place(item: Item) -> tuple[int, int]:
        name = source(item)
        turns[name] = turns.get(name, -1) + 1
        return turns[name], sources[name]

    places = [place(item) for item in items]
    return tuple(items[index] for index in sorted(range(len(items)), key=places.__getitem__))


def fair_share(items: Sequence[Item], source: Callable[[Item], str], most: int) -> tuple[Item, ...]:
    """At most `most` items, taken from the sources in turn; those that are taken keep their order.

    This is max-min fairness: a source with few items gives all of them, and the others share the rest alike.
    """
    if len(items) <= most:
        return tuple(items)
    taken = set(in_turns(range(len(items)), lambda index: source(items[index]))[:most])
    return tuple(item for index, item in enumerate(items) if index in taken)
