"""A small lesson about lamps, and a base model's card beside it, for tests of what is trained and asked."""

from pathlib import Path

import numpy as np

from agent.curriculum import compose, write
from agent.models.card import (
    GeneralQuestion,
    ModelCard,
    PromptMessage,
    ReplayAnswer,
    ReplayDistributions,
    UnknownQuestion,
)
from memory.records import Curriculum, Fact
from tests.adapters import fact
from tests.support.cards import card
from training.base import Base
from training.recipes import standard

OBJECTS = ("a small green lamp for ships", "a tool that cuts bread", "a river of the far north")


def base(folder: Path = Path("scripted"), of: ModelCard | None = None, *, questions: int = 40) -> Base:
    """A base model that knows `questions` answers and as many invented names, and gave as many of its own."""
    of = of or card()
    numbers = range(questions)
    return Base(
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
    facts: list[Fact] = [fact(name, thing) for name, thing in zip(names, OBJECTS, strict=False)]
    draft = write(facts, per_form=4)
    made = compose("lamps", "lamps", draft, draft.pairs, teacher="rules")
    assert made is not None
    return made


LESSON = lesson("zorble", "quix", "marn")
