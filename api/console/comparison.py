"""A conversation with its two possible answers side by side."""

from api.console.markup import block, side_by_side, speeches
from api.console.service import Json

SPEAKERS = {"system": "Instructions", "user": "User", "assistant": "Service"}


def comparison(item: Json) -> str:
    """The conversation of an annotation item, and its two possible answers."""
    return block(
        f'<div class="talk">{speeches(item["messages"], SPEAKERS)}</div>',
        side_by_side({"Answer A": item["a"], "Answer B": item["b"]}),
    )
