"""What a model, or the rules, find of a question's gold passages, and what it costs."""

import time
from collections.abc import Sequence
from functools import partial
from statistics import mean
from typing import NamedTuple

from agent.chat.conversation import ChatFormat
from agent.concurrency import gather_limited
from agent.engines.base import Engine
from agent.learning.exploration import look_up
from agent.tool_use.calls import next_call
from agent.tool_use.explorer import Library, ToolFindings, explore_by_tools
from benchmarks.retrieval.data import Question, Set
from memory.episodic.base import EpisodicMemory
from memory.records.access import EVERYTHING
from memory.semantic.base import SemanticMemory

TOGETHER = 8
"""Explorations at a time."""
FOUND = 300
"""Documents of an exploration that count: more than six calls can find."""


class Explored(NamedTuple):
    """One question's exploration."""

    recall: float
    """Share of the gold documents among those found."""
    passages: int
    calls: int
    tokens: int
    seconds: float
    finished: bool
    """Whether the model ended it, in place of its budget."""


def sample(whole: Set, count: int, passages: int) -> Set:
    """The first `count` held-out questions, and a pool of all their gold documents and the first others."""
    questions = tuple(question for question in whole.questions if question.held_out)[:count]
    gold = {source for question in questions for source in question.documents}
    needed = [passage for passage in whole.passages if passage.source in gold]
    others = [passage for passage in whole.passages if passage.source not in gold]
    return Set(whole.name, tuple(needed + others[: max(0, passages - len(needed))]), questions)


async def by_rules(
    questions: Sequence[Question], episodic: EpisodicMemory, semantic: SemanticMemory
) -> list[Explored]:
    """The one search that the rules begin with."""
    return [await _by_rules(question, episodic, semantic) for question in questions]


async def _by_rules(question: Question, episodic: EpisodicMemory, semantic: SemanticMemory) -> Explored:
    began = time.perf_counter()
    found = await look_up(question.text, episodic=episodic, semantic=semantic, access=EVERYTHING)
    passages = [hit.passage for hit in found.evidence]
    seconds = time.perf_counter() - began
    return Explored(question.recall(passages, FOUND), len(passages), 1, 0, seconds, finished=True)


async def by_model(
    questions: Sequence[Question],
    episodic: EpisodicMemory,
    semantic: SemanticMemory,
    engine: Engine,
    chat: ChatFormat,
) -> list[Explored]:
    """What the model finds within its calls; TOGETHER at a time, as a service would."""
    library = Library(episodic, semantic, EVERYTHING, None, chat.context)
    ask = partial(next_call, engine=engine, chat=chat)

    async def explore(question: Question) -> Explored:
        began = time.perf_counter()
        found: ToolFindings = await explore_by_tools(question.text, library, ask)
        passages = [hit.passage for hit in found.findings.evidence]
        calls = len(found.uses) + (found.stopped == "finished")
        recall = question.recall(passages, FOUND)
        seconds = time.perf_counter() - began
        return Explored(
            recall, len(passages), calls, found.tokens, seconds, finished=found.stopped == "finished"
        )

    return await gather_limited((partial(explore, question) for question in questions), TOGETHER)


def figures(name: str, explored: Sequence[Explored]) -> dict[str, float]:
    """The means, by the name of what explored."""
    recall, calls = mean(each.recall for each in explored), mean(each.calls for each in explored)
    return {
        f"{name}, gold documents found": recall,
        f"{name}, gold documents found per call": recall / calls if calls else 0.0,
        f"{name}, passages": mean(each.passages for each in explored),
        f"{name}, calls": calls,
        f"{name}, tokens": mean(each.tokens for each in explored),
        f"{name}, seconds": mean(each.seconds for each in explored),
        f"{name}, ended by itself": mean(each.finished for each in explored),
    }
