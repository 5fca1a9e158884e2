"""Asks models the held-out questions of lessons without sources; what was asked is not asked again."""

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from langchain_core.messages import HumanMessage
from pydantic import ValidationError

from agent.chat.thinking import without_thinking
from agent.concurrency import gather_limited
from agent.engines.base import Engine, Sampling
from agent.grading import admits_ignorance, is_correct
from agent.growth.records import ClosedBook
from agent.models.card import ModelCard
from memory.outbox.files import write_atomically
from memory.records.base import Record, digest_of
from memory.records.curricula import Curriculum, Form

MOST = 200
"""Most questions of a domain: the interval of a paired difference is then about ten points wide."""
ANSWER_TOKENS = 32
"""Most tokens of an answer, as when the gates measure: a longer one contains more by chance."""
CONCURRENCY = 64


class Question(Record):
    """A held-out question with its accepted answers."""

    text: str
    references: tuple[str, ...]


def held_out_questions(lessons: Sequence[Curriculum], most: int = MOST) -> tuple[Question, ...]:
    """The held-out questions of the lessons, each once; a sample of `most` if there are more.

    References include all answers that a lesson teaches for the same fact and form, except for yes or no.
    """
    questions: dict[str, Question] = {}
    for lesson in lessons:
        taught: dict[tuple[str, Form], set[str]] = {}
        for pair in lesson.pairs:
            taught.setdefault((pair.fact_id, pair.form), set()).add(pair.answer)
        for pair in lesson.held_out:
            others = set() if pair.form == "yes_no" else taught.get((pair.fact_id, pair.form), set())
            references = tuple(sorted({pair.answer} | others))
            questions.setdefault(pair.question, Question(text=pair.question, references=references))
    found = list(questions.values())
    if len(found) <= most:
        return tuple(found)
    return tuple(random.Random(digest_of([each.text for each in found])).sample(found, most))


async def closed_book(
    questions: Sequence[Question],
    card: ModelCard,
    adapter: str | None,
    open_engine: Callable[[], Awaitable[Engine]],
    folder: Path,
    *,
    on_answer: Callable[[], None] = lambda: None,
    monotonic: Callable[[], float] = time.monotonic,
) -> ClosedBook:
    """Asks the base model or an adapter all questions, or reads from `folder` what it answered before.

    `open_engine` opens the model with the adapter loaded. Raises EngineError.
    """
    asked = [question.model_dump(mode="json") for question in questions]
    path = folder / f"{digest_of([card.digest, adapter, asked])}.json"
    try:
        return ClosedBook.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):  # not asked yet, or by another version
        pass
    engine, started = await open_engine(), monotonic()
    sampling = Sampling(max_tokens=min(card.answer_tokens, ANSWER_TOKENS))

    async def is_right(question: Question) -> bool:
        reply = await engine.chat([HumanMessage(question.text)], adapter=adapter, sampling=sampling)
        on_answer()
        text = without_thinking(reply, card.template.thinking).text
        return not admits_ignorance(text, card.declines) and is_correct(text, question.references)

    right = await gather_limited((partial(is_right, question) for question in questions), CONCURRENCY)
    result = ClosedBook(right=tuple(right), seconds=monotonic() - started)
    write_atomically(path, result.model_dump_json())
    return result
