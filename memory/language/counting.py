"""Counts in words: `1 fact`, `2 facts`."""


def counted(count: float, noun: str, plural: str | None = None) -> str:
    """The count with its noun; `plural` is for nouns that do not only get an s."""
    number = f"{count:,}" if isinstance(count, int) else f"{count:g}"
    return f"{number} {noun if count == 1 else plural or f'{noun}s'}"
