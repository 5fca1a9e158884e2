"""How unsure the model was of each token of its answer, shaded in four steps that a legend names in words."""

import math
from collections.abc import Sequence

from api.console.markup import Shade, block, heading, paragraph, shaded, table
from api.console.service import Json

STEPS: Sequence[tuple[float, str]] = ((0.5, "sure"), (1.5, "some doubt"), (3.0, "much doubt"))
"""Nats below which a token counts as that; with n equally likely continuations the entropy is ln n, so that
these are fewer than 2, 5 and 20 of them."""
MOST = "guessing"
SHOWN = 10
ALTERNATIVES = 3
"""Alternatives of each token that the page asks for."""


def heat(tokens: Sequence[Json]) -> str:
    """The tokens shaded by their entropy, and the least sure ones with what it might have said instead."""
    if not tokens:
        words = "The model did not write this answer, so there is nothing to shade."
        return block(paragraph(words, "quiet"))
    shades = [Shade(token["token"], step(_nats(token)), _described(token)) for token in tokens]
    names = [name for _, name in STEPS] + [MOST]
    legend = [Shade(name, number, _meaning(number)) for number, name in enumerate(names)]
    doubtful = sorted((each for each in tokens if step(_nats(each))), key=_nats, reverse=True)[:SHOWN]
    rows = [
        (
            f"“{token['token']}”",
            names[step(_nats(token))],
            f"{_nats(token):.2f}",
            f"{math.exp(token['logprob']):.0%}",
            ", ".join(
                f"“{other['token']}” {math.exp(other['logprob']):.0%}"
                for other in token["top_logprobs"]
                if other["token"] != token["token"]
            ),
        )
        for token in doubtful
    ]
    columns = ("token", "", "entropy in nats", "its chance", "it might have said")
    return block(
        heading("How unsure it was of each token"),
        shaded(legend, label="Legend", apart=True),
        shaded(shades, label="Answer"),
        table("Least sure tokens", columns, rows),
    )


def step(nats: float) -> int:
    """The shade of an entropy: 0 for the surest."""
    return sum(nats >= least for least, _ in STEPS)


def _nats(token: Json) -> float:
    """The middle of the bounds of a token's entropy."""
    bounds = token["entropy"]
    return float(bounds["lower"] + bounds["upper"]) / 2


def _described(token: Json) -> str:
    return f"{_nats(token):.2f} nats, {math.exp(token['logprob']):.0%} likely"


def _meaning(number: int) -> str:
    if number == len(STEPS):
        return f"{STEPS[-1][0]:g} nats or more"
    return f"below {STEPS[number][0]:g} nats"
