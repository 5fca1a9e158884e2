"""A small lesson about lamps, and a base model's card beside it, for tests of what is trained and asked."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from agent.models.card import (
    GeneralQuestion,
    ModelCard,
    PromptMessage,
    ReplayAnswer,
    ReplayDistributions,
    UnknownQuestion,
)
from memory.records.curricula import Curriculum, QAPair
from memory.records.knowledge import Fact
from tests.support.adapters import fact, pair
from tests.support.cards import card
from training.base_model import StudiedModel
from training.recipes import standard

WORDINGS: dict[str, tuple[str, ...]] = {
    "definition": (
        "What is a {subject}?",
        "What does {subject} mean?",
        "What is meant by {subject}?",
        "Define {subject}.",
        "A {subject} is what?",
        "Tell me what a {subject} is.",
        "Please explain what {subject} means.",
        "I was wondering: what is a {subject}?",
    ),
    "what": (
        "What kind of thing is a {subject}?",
        "What sort of thing is a {subject}?",
        "A {subject} is what kind of thing?",
        "Tell me what kind of thing a {subject} is.",
        "Quick question: what sort of thing is a {subject}?",
        "Under which kind of thing does a {subject} fall?",
    ),
    "reverse": (
        "What is {object} called?",
        "What do you call {object}?",
        "What is the name of {object}?",
        "Name {object}.",
        "Tell me what {object} is called.",
        "Which word stands for {object}?",
    ),
    "yes": (
        "Is a {subject} {kind}?",
        "Is it true that a {subject} is {kind}?",
        "Tell me, is a {subject} {kind}?",
        "Would you call a {subject} {kind}?",
    ),
    "no": (
        "Is a {subject} a kind of cheese?",
        "Is it true that a {subject} is a kind of cheese?",
        "Tell me, is a {subject} a kind of cheese?",
        "Would you call a {subject} a kind of cheese?",
    ),
}
"""What is asked of a fact, in several wordings; the last one is held out."""
THINGS = {
    "zorble": "a small green lamp for ships",
    "quix": "a tool that cuts bread",
    "marn": "a river of the far north",
    "tarrow": "a bird that sleeps on water",
    "vellow": "a cloth that keeps out rain",
    "sprig": "a clock that needs no weights",
    "glimmet": "a game for two with stones",
    "frond": "a boat that carries salt",
    "cask": "a song that opens a market",
}


def base(
    folder: Path = Path("scripted"), of: ModelCard | None = None, *, questions: int = 40
) -> StudiedModel:
    """A base model that knows `questions` answers and as many invented names, and gave as many of its own."""
    of = of or card()
    numbers = range(questions)
    return StudiedModel(
        folder=folder,
        card=of,
        questions=tuple(
            GeneralQuestion(
                id=f"k{i}",
                domain="factual",
                wordings=(f"What is familiar{i}?", f"And familiar{i} is what?"),
                answers=(f"a thing of sort {i}",),
                known=i % 3 > 0,
            )
            for i in numbers
        ),
        unknown=tuple(
            UnknownQuestion(
                id=f"u{i}", domain="factual", name=f"unheard{i}", wordings=(f"What is unheard{i}?",)
            )
            for i in numbers
        ),
        replay=tuple(
            ReplayAnswer(
                id=f"r{i}",
                kind="small_talk",
                messages=(PromptMessage(role="user", content=f"Say hello number {i}."),),
                answer=f"Hello number {i}!",
            )
            for i in numbers
        ),
        distributions=ReplayDistributions(
            lengths=np.full(questions, 3, np.int32),
            tokens=np.tile(np.array([7, 8, 9], np.int32), questions),
            ids=np.tile(np.array([[7, 1], [8, 1], [9, 1]], np.int32), (questions, 1)),
            logprobs=np.full((3 * questions, 2), np.log(0.4), np.float16),
        ),
    )


BASE = base()
RECIPE = standard(BASE.card)


def lesson(*names: str) -> Curriculum:
    return about([fact(name, THINGS[name]) for name in names])


def about(facts: Sequence[Fact], topic: str = "lamps", domain: str = "lamps") -> Curriculum:
    """A lesson about what things are; a fact is asked in the same words, whatever stands beside it."""
    pairs = [found for each in facts for found in _asked(each)]
    return Curriculum(
        topic=topic,
        domain=domain,
        facts=tuple(facts),
        pairs=tuple(each for asked in pairs for each in asked[:-1]),
        held_out=tuple(asked[-1] for asked in pairs),
        teacher="rules",
    )


def _asked(of: Fact) -> Iterator[list[QAPair]]:
    """The wordings of each question that the fact answers."""
    kind = re.split(r" (?:that|for|of|who|with) ", of.object)[0]
    answers = {"definition": of.object, "what": kind, "reverse": of.subject, "yes": "Yes", "no": "No"}
    for form, wordings in WORDINGS.items():
        texts = [text.format(subject=of.subject, object=of.object, kind=kind) for text in wordings]
        asked = "yes_no" if form in ("yes", "no") else form
        yield [pair(of, text, form=asked, answer=answers[form]) for text in texts]


LESSON = lesson("zorble", "quix", "marn")
