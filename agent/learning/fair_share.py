"""Shares a limited lesson out over the documents, so that the longest or first one does not fill it."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def in_turns(
    items: Sequence[Item], source: Callable[[Item], str], weight: Callable[[Item], float] = lambda _: 1.0
) -> tuple[Item, ...]:
    """All items, one of each source in turn; of one source in their order, sources as they first occur.

    A source of twice the weight has twice the turns. Weights are positive.
    """
    turns: dict[str, float] = {}
    sources = {name: place for place, name in enumerate(dict.fromkeys(map(source, items)))}

    def place(item: Item) -> tuple[float, int]:
        name = source(item)
        turns[name] = turns.get(name, 0.0) + 1 / weight(item)
        return turns[name], sources[name]

    places = [place(item) for item in items]
    return tuple(items[index] for index in sorted(range(len(items)), key=places.__getitem__))


def fair_share(
    items: Sequence[Item],
    source: Callable[[Item], str],
    most: int,
    *,
    voice: Callable[[Item], tuple[str, float]] | None = None,
) -> tuple[Item, ...]:
    """At most `most` items, taken from the sources in turn; those that are taken keep their order.

    This is max-min fairness: a source with few items gives all of them, and the others share the rest alike.
    `voice` names who speaks in an item and with what weight: then it is voices that share alike by weight,
    however many sources each has, and the sources of one voice share what it gets.
    """
    if len(items) <= most:
        return tuple(items)
    turns = in_turns(range(len(items)), lambda index: source(items[index]))
    if voice is not None:
        voices = [voice(item) for item in items]
        turns = in_turns(turns, lambda index: voices[index][0], lambda index: voices[index][1])
    taken = set(turns[:most])
    return tuple(item for index, item in enumerate(items) if index in taken)
