"""Everything a study asks: bank questions, invented names, general prompts, passages, judging, tool cases."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from agent.models.bank.records import (
    BankQuestion,
    GeneralPrompt,
    InventedQuestion,
    load_invented,
    load_prompts,
    load_questions,
)
from agent.models.card import QuestionDomain
from agent.models.study import exploration_ability, judging_ability, tool_use
from agent.models.study.exploration_ability import ExplorationCase
from agent.models.study.judging_ability import JudgeCase
from agent.models.study.reading_comprehension import ReadingQuestion, reading_questions
from agent.models.study.tool_use import ToolCase

BANK, INVENTED = 1200, 320
"""Number of questions of each kind: enough for 5 points of ECE, few enough for minutes on two cores."""
FURTHER_WORDINGS = 2
"""Further wordings in which a correctly answered question is asked again."""
LONG_ANSWERS = 40
"""General prompts answered at full length, to measure how long the model's answers are."""
DOMAINS: tuple[QuestionDomain, ...] = ("factual", "code", "creative", "specialised")

_Q = TypeVar("_Q", BankQuestion, InventedQuestion, GeneralPrompt)


@dataclass(frozen=True)
class StudyMaterial:
    """All questions and prompts of one study."""

    bank: tuple[BankQuestion, ...]
    invented: tuple[InventedQuestion, ...]
    prompts: tuple[GeneralPrompt, ...]
    reading: tuple[ReadingQuestion, ...]
    judging: tuple[JudgeCase, ...] = ()
    tools: tuple[ToolCase, ...] = ()
    exploration: tuple[ExplorationCase, ...] = ()


def shipped_material(seed: int = 0, *, bank: int = BANK, names: int = INVENTED) -> StudyMaterial:
    """A sample of the shipped bank, balanced over the domains; the same for every model."""
    made_up = evenly_by_domain(load_invented(), names, seed)
    return StudyMaterial(
        bank=evenly_by_domain(load_questions(), bank, seed),
        invented=made_up,
        prompts=load_prompts(),
        reading=reading_questions([question.name for question in made_up], seed),
        judging=judging_ability.read_cases(),
        tools=tool_use.read_cases(),
        exploration=exploration_ability.read_cases(),
    )


def evenly_by_domain(items: Sequence[_Q], count: int, seed: int) -> tuple[_Q, ...]:
    """At most `count` items, balanced over the domains as far as possible."""
    shuffled = list(items)
    random.Random(seed).shuffle(shuffled)
    counts: dict[str, int] = {}
    ranked = []
    for item in shuffled:
        domain = str(getattr(item, "domain", ""))
        counts[domain] = counts.get(domain, 0) + 1
        ranked.append((counts[domain], item))
    ranked.sort(key=lambda pair: pair[0])
    return tuple(item for _, item in ranked[:count])
