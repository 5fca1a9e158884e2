"""The constitution: principles with an id, a sentence and a deterministic check, from `principles.toml`.

Bai et al. (2022, arXiv 2212.08073) had a model criticise itself by a constitution; here rules check it.
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import Literal, NamedTuple

from agent.chat.sentence_candidates import form_match
from agent.chat.support import quantities, supports
from agent.feedback.safety import is_toxic
from agent.grading import DECLINE_PHRASES, admits_ignorance, repeats_itself
from agent.nights.injections import dictates_an_answer
from agent.principles.generalisation import generalisations
from memory.language.text import sentences, words
from memory.records.base import Record

Stopped = Literal["lesson", "answer"]
LONG_ANSWER = 80
"""Words from which an answer is called long: about three sentences have 60."""
_OPINION = re.compile(
    r"\b(?:i (?:(?:personally|really|strongly|do) )?(?:think|believe|feel that|prefer|love|hate|like)"
    r"|in my (?:humble )?(?:opinion|view)|my favou?rite|personally,)",
    re.IGNORECASE,
)


class Principle(Record):
    """A rule for what is taught and said."""

    id: str
    sentence: str
    stops: tuple[Stopped, ...]
    """What a breach stops; nothing if it is only criticised."""


class Statement(NamedTuple):
    """What is to be taught or said, and what is known about it."""

    text: str
    question: str = ""
    """The question that it answers; empty if it answers none."""
    sources: Sequence[str] | None = None
    """Sentences that it may rest on; None if they are not known, empty if there are none."""
    declines: Sequence[str] = ()
    """The model's own phrases for not knowing."""


@lru_cache(maxsize=1)
def principles() -> tuple[Principle, ...]:
    """The shipped principles, in order."""
    text = resources.files(__package__).joinpath("principles.toml").read_text(encoding="utf-8")
    return tuple(Principle.model_validate(each) for each in tomllib.loads(text)["principles"])


def broken_principles(statement: Statement, *, stopping: Stopped | None = None) -> tuple[Principle, ...]:
    """The principles that the statement breaks; with `stopping`, only those whose breach stops that.

    A check that needs a question or sources passes without them.
    """
    return tuple(
        each
        for each in principles()
        if (stopping is None or stopping in each.stops) and CHECKS[each.id](statement)
    )


def _beyond_sources(statement: Statement) -> bool:
    if not statement.sources or _declines(statement):
        return False
    claims = [statement.text[start:end] for start, end in sentences(statement.text)]
    return not all(
        any(supports(source, claim, question=statement.question) for source in statement.sources)
        for claim in claims
    )


def _misses_question(statement: Statement) -> bool:
    asked = bool(statement.question) and not _declines(statement)
    return asked and form_match(statement.question, statement.text) == 0


def _other_figures(statement: Statement) -> bool:
    if not statement.sources:
        return False
    known = [q for text in (*statement.sources, statement.question) for q in quantities(text)]
    return not all(quantity in known for quantity in quantities(statement.text))


def _invents(statement: Statement) -> bool:
    unsupported = statement.sources is not None and not statement.sources
    return unsupported and bool(statement.question) and not _declines(statement)


def _declines(statement: Statement) -> bool:
    return admits_ignorance(statement.text, (*DECLINE_PHRASES, *statement.declines))


def _insults(statement: Statement) -> bool:
    """A word of the toxicity list that no source has: `Malaria is caused by parasites` quotes one."""
    return is_toxic(statement.text) and not any(map(is_toxic, statement.sources or ()))


def _generalises(statement: Statement) -> bool:
    return bool(generalisations(statement.text))


def _has_opinion(statement: Statement) -> bool:
    return _OPINION.search(statement.text) is not None


CHECKS: Mapping[str, Callable[[Statement], bool]] = {
    "only-the-sources": _beyond_sources,
    "answer-the-question": _misses_question,
    "exact-figures": _other_figures,
    "admit-ignorance": _invents,
    "no-orders": lambda statement: dictates_an_answer(statement.text),
    "no-group-generalisation": _generalises,
    "no-insults": _insults,
    "no-own-opinion": _has_opinion,
    "no-repetition": lambda statement: repeats_itself(statement.text),
    "keep-it-short": lambda statement: len(words(statement.text)) > LONG_ANSWER,
}
"""Whether a statement breaks the principle of that id."""
