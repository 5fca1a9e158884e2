"""Cuts generated tokens at stop strings, and aligns token texts with the text of the answer."""

from collections.abc import Sequence

from agent.engines.base import Token


def cut_at_stop(tokens: Sequence[Token], stop: Sequence[str]) -> tuple[Token, ...] | None:
    """The tokens before the first stop string; None if no stop string occurs."""
    text = "".join(token.text for token in tokens)
    positions = [position for position in (text.find(word) for word in stop if word) if position >= 0]
    return cut_to_length(tokens, min(positions)) if positions else None


def cut_to_length(tokens: Sequence[Token], characters: int) -> tuple[Token, ...]:
    """The tokens of the first `characters` characters, the last one shortened if necessary."""
    retained: list[Token] = []
    for token in tokens:
        if characters <= 0:
            break
        retained.append(token.model_copy(update={"text": token.text[:characters]}))
        characters -= len(token.text)
    return tuple(retained)


def fit_to_text(tokens: Sequence[Token], text: str) -> tuple[Token, ...]:
    """Relabels tokens so that they join to exactly `text`, and drops tokens after its end.

    Servers also report tokens after the end of the text (end-of-turn, stop strings), and decode each token
    separately, which loses leading spaces with some tokenizers. `text` has no leading whitespace.
    """
    labelled: list[Token] = []
    position = 0
    for token in tokens:
        if position >= len(text):
            break
        plain = token.text if position else token.text.lstrip()
        spaced = " " + plain
        label = (
            spaced if not text.startswith(plain, position) and text.startswith(spaced, position) else plain
        )
        labelled.append(token.model_copy(update={"text": text[position : position + len(label)]}))
        position += len(label)
    if labelled and position < len(text):
        labelled[-1] = labelled[-1].model_copy(update={"text": labelled[-1].text + text[position:]})
    return tuple(labelled)
