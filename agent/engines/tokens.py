"""Generated tokens as text: cutting them at a stop string, and fitting them to a text.

Nothing here knows a tokenizer or a model.
"""

from collections.abc import Sequence

from agent.engines.base import Token


def cut_at_stop(tokens: Sequence[Token], stop: Sequence[str]) -> tuple[Token, ...] | None:
    """The tokens up to the first stop string, which is left out; None where no stop string occurs."""
    text = "".join(token.text for token in tokens)
    places = [place for place in (text.find(word) for word in stop if word) if place >= 0]
    return cut_to_length(tokens, min(places)) if places else None


def cut_to_length(tokens: Sequence[Token], characters: int) -> tuple[Token, ...]:
    """The tokens that make up the first `characters` characters, the last one shortened where needed."""
    kept: list[Token] = []
    for token in tokens:
        if characters <= 0:
            break
        kept.append(token.model_copy(update={"text": token.text[:characters]}))
        characters -= len(token.text)
    return tuple(kept)


def fit_to_text(tokens: Sequence[Token], text: str) -> tuple[Token, ...]:
    """Relabels tokens so that they join to exactly `text`, and drops those beyond it.

    Servers report tokens after the end of the text (end-of-turn, stop strings), and decode each token
    alone, which loses the leading space with some tokenizers. The text itself begins with no space.
    """
    kept: list[Token] = []
    place = 0
    for token in tokens:
        if place >= len(text):
            break
        plain = token.text if place else token.text.lstrip()
        spaced = " " + plain
        label = spaced if not text.startswith(plain, place) and text.startswith(spaced, place) else plain
        kept.append(token.model_copy(update={"text": text[place : place + len(label)]}))
        place += len(label)
    if kept and place < len(text):
        kept[-1] = kept[-1].model_copy(update={"text": kept[-1].text + text[place:]})
    return tuple(kept)
