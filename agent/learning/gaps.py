"""Knowledge gaps: when an answer shows one, and the keywords to search for."""

from collections.abc import Sequence
from datetime import datetime

from agent.engines.base import Reply, Token
from memory.language.content_words import content_words
from memory.records.interactions import Gap, Uncertainty

DOUBTFUL_ENTROPY = 1.1
"""Entropy in nats above which a token is doubtful: a fair choice between three words."""
MAX_KEYWORDS = 12
"""Enough for a search; more keywords dilute it."""


def is_gap(uncertainty: Uncertainty) -> bool:
    """Whether the answer needs sources; `undecided` counts too, because searching is cheap."""
    return uncertainty.decision != "confident"


def gap_keywords(question: str, reply: Reply | None) -> tuple[str, ...]:
    """Content words of the question, then words of the answer that the model was unsure of.

    A token is doubtful if even the lower bound of its entropy exceeds DOUBTFUL_ENTROPY.
    """
    doubtful = () if reply is None else _doubtful_words(reply.tokens)
    words = [*content_words(question), *content_words(" ".join(doubtful))]
    return tuple(dict.fromkeys(words))[:MAX_KEYWORDS]


def open_gap(
    question: str,
    *,
    domain: str,
    keywords: tuple[str, ...],
    uncertainty: Uncertainty | None,
    owner: str | None,
    id: str,
    now: datetime,
) -> Gap:
    """An open gap for an unanswered question."""
    return Gap(
        id=id,
        question=question,
        domain=domain,
        owner=owner,
        keywords=keywords,
        uncertainty=uncertainty,
        opened_at=now,
    )


def _doubtful_words(tokens: Sequence[Token]) -> tuple[str, ...]:
    """Words with a doubtful token; a new word starts at white space."""
    groups: list[tuple[str, bool]] = []
    for token in tokens:
        unsure = token.entropy.lower > DOUBTFUL_ENTROPY
        if groups and not token.text[:1].isspace():
            text, was_unsure = groups[-1]
            groups[-1] = (text + token.text, was_unsure or unsure)
        else:
            groups.append((token.text, unsure))
    return tuple(text.strip() for text, unsure in groups if unsure)
