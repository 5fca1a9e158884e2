"""Graded answers to people's questions: the model's own, with sources and without, the right and wrong ones.

The scorer and the revisions are measured on them.
"""

import asyncio
import random
import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from agent.chat.abstention import abstention_text
from agent.grading import admits_ignorance
from benchmarks.answers.data import Question, documents, manuals, squad
from benchmarks.night.bench import Bench
from benchmarks.night.library import Library, open_library
from benchmarks.night.lines import Lines
from memory.ingest.documents import RawDocument
from memory.records.base import Record
from memory.records.interactions import ChatOutcome, Interaction
from memory.records.knowledge import Citation

ANSWERED, UNANSWERED = 60, 20
"""Questions about passages in the library, and about others, of SQuAD."""
QUICK_ANSWERED, QUICK_UNANSWERED = 6, 2
SEED = 18
AT_ONCE = 16
"""Questions that are answered together."""
DOMAIN = "people"
WHEN = datetime(2026, 1, 1, tzinfo=UTC)
Kind = Literal["with sources", "closed-book", "gold", "another question's"]
_QUESTION_WORD = re.compile(r"\b(how many|how much|how long|who|whom|when|where|why|which|how|what)\b", re.I)


class GradedTurn(Record):
    """An answer as a logged turn, and whether it is right."""

    question: Question
    kind: Kind
    turn: Interaction
    right: bool
    """It holds the gold answer, or declines a question that the library does not answer."""


class PeopleQuestions(Record):
    """Questions that people wrote, and the documents of the library."""

    questions: tuple[Question, ...]
    documents: tuple[RawDocument, ...]


def people_questions(bench: Bench) -> PeopleQuestions:
    """SQuAD's questions and the manuals'. Those of SQuAD's last passages are unanswerable, because these are
    left out of the library. Raises OSError if a file is missing.
    """
    asked = squad(bench.data)
    answered = bench.most(ANSWERED, QUICK_ANSWERED)
    unanswered = min(bench.most(UNANSWERED, QUICK_UNANSWERED), len(asked) // 4)
    known, unknown = asked[:-unanswered], asked[-unanswered:]
    chosen = random.Random(SEED).sample(known, min(answered, len(known)))
    without = {question.sources[0] for question in unknown}
    library = [doc for doc in documents(bench.data, "squad") if doc.source not in without]
    about_manuals = manuals(bench.data)
    if bench.quick:
        about_manuals = [q for q in about_manuals if q.answerable][:3] + [
            q for q in about_manuals if not q.answerable
        ][:1]
        needed = {source for q in chosen for source in q.sources}
        library = [doc for doc in library if doc.source in needed]
    pages = documents(bench.data, "manuals")
    if bench.quick:
        wanted = {source for q in about_manuals for source in q.sources}
        pages = [page for page in pages if page.source in wanted]
    questions = [*chosen, *(q.without_passage() for q in unknown), *about_manuals]
    return PeopleQuestions(questions=tuple(questions), documents=(*library, *pages))


async def open_people(bench: Bench) -> tuple[Library, PeopleQuestions]:
    """The library with the questions about it."""
    people = people_questions(bench)
    library = await open_library(bench, bench.home / "people", people.documents, DOMAIN)
    return library, people


async def graded_turns(bench: Bench, library: Library, people: PeopleQuestions) -> list[GradedTurn]:
    """All graded answers; those that an earlier run made are not made again."""
    lines = Lines(bench.home / "graded.jsonl", GradedTurn)
    done = {(each.question.text, each.kind) for each in lines.all}
    others = _other_answers(people.questions)
    progress = bench.progress("answers", len(people.questions))
    for start in range(0, len(people.questions), AT_ONCE):
        part = people.questions[start : start + AT_ONCE]
        made = await asyncio.gather(
            *(
                _graded(question, kind, library, others.get(question.text, ""))
                for question in part
                for kind in _kinds(question)
                if (question.text, kind) not in done
            )
        )
        for graded in made:
            lines.add(graded)
        progress.step(len(part))
    chosen = {question.text for question in people.questions}
    return [each for each in lines.all if each.question.text in chosen]


def is_right(question: Question, answer: str, quotes: str, *, declined: bool) -> bool:
    """Whether the answer or its quotes hold the gold answer; declining is right for unanswerable ones."""
    if not question.answerable:
        return declined
    return not declined and (question.is_answered_by(answer) or question.is_answered_by(quotes))


def _kinds(question: Question) -> tuple[Kind, ...]:
    return (
        ("with sources", "closed-book", "gold", "another question's")
        if question.answerable
        else ("with sources", "closed-book", "another question's")
    )


async def _graded(question: Question, kind: Kind, library: Library, other: str) -> GradedTurn:
    citations: tuple[Citation, ...] = ()
    outcome: ChatOutcome = "answered"
    if kind == "with sources":
        found = await library.from_sources(question.text)
        outcome = "abstained" if found is None else "answered_from_sources"
        answer = abstention_text("sources_silent", "en") if found is None else found.text
        citations = () if found is None else found.citations
    elif kind == "closed-book":
        answer = (await library.closed_book(question.text)).text.strip() or "..."
    else:
        answer = question.answers[0] if kind == "gold" else other
    declined = outcome == "abstained" or admits_ignorance(answer, library.card.declines)
    quotes = " ".join(citation.quote for citation in citations)
    right = kind == "gold" or is_right(question, answer, quotes, declined=declined)
    turn = Interaction(
        id=f"{kind}-{question.text}".replace(" ", "-"),
        question=question.text,
        answer=answer,
        domain=DOMAIN,
        adapter=None,
        uncertainty=None,
        outcome=outcome,
        citations=citations,
        created_at=WHEN,
    )
    return GradedTurn(question=question, kind=kind, turn=turn, right=right)


def _other_answers(questions: Sequence[Question]) -> dict[str, str]:
    """For each question the gold answer to another one that begins with the same question word."""
    by_word: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        if question.answers:
            by_word[_word(question)].append(question)
    every = [question for group in by_word.values() for question in group]
    found: dict[str, str] = {}
    rng = random.Random(SEED)
    for question in questions:
        same = [q for q in by_word.get(_word(question), ()) if _is_another(q, question)]
        pool = same or [q for q in every if _is_another(q, question)]
        if pool:
            found[question.text] = rng.choice(pool).answers[0]
    return found


def _word(question: Question) -> str:
    match = _QUESTION_WORD.search(question.text)
    return match[1].lower() if match else ""


def _is_another(other: Question, question: Question) -> bool:
    return other.text != question.text and not question.is_answered_by(other.answers[0])
