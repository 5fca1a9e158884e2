"""The teacher that needs no model: questions answer-first, from structure and from a parse of the prose."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from agent.grading import normalise
from agent.learning.candidates import Candidate, Written
from agent.learning.questions.clause_questions import of_apposition, predicate, questions
from agent.learning.questions.items import Item
from agent.learning.questions.nested_questions import nested
from agent.learning.questions.structured_questions import structured_questions
from agent.learning.teachers.base import Progress
from memory.ingest.propositions.grammar import Apposition
from memory.ingest.propositions.reading import Sentence, sentences
from memory.ingest.propositions.structure import structured
from memory.records import Form, Passage

SLICE = 32
"""Passages read at once, between two reports of progress."""
LONGEST_QUOTE = 2000
"""Characters; a longer sentence is no sentence."""
LONGEST_QUESTION = 500
LONGEST_ANSWER = 300


class RulesTeacher:
    """Writes every question that the text supports, in several wordings each."""

    name = "rules"

    async def write(
        self,
        passages: Sequence[Passage],
        *,
        question: str | None = None,
        on_progress: Progress | None = None,
    ) -> Written:
        """See `Teacher`; a passage without a question is counted, and nothing raised."""
        found: list[Candidate] = []
        for start in range(0, len(passages), SLICE):
            part = passages[start : start + SLICE]
            # Off the event loop: parsing takes a second, and chats must not wait for it.
            found += await asyncio.to_thread(_all, part)
            if on_progress is not None:
                on_progress(min(start + SLICE, len(passages)), len(passages))
        silent = len(passages) - len({candidate.passage_id for candidate in found})
        failed = {"state nothing that can be asked": silent} if silent else {}
        return Written(candidates=tuple(found), failed=failed)


def _all(passages: Sequence[Passage]) -> tuple[Candidate, ...]:
    return tuple(candidates(passages))


def candidates(passages: Sequence[Passage]) -> Iterator[Candidate]:
    """Questions of the passages, still to be verified; the wordings of one item follow each other."""
    for passage in passages:
        for statement in structured(passage):
            quote = passage.text[statement.start : statement.end]
            for form, question, answer in structured_questions(statement, passage):
                yield from _candidate(
                    passage, quote, form, question, answer, statement.subject, statement.relation
                )
    for sentence in sentences(passages):
        yield from _of_sentence(sentence)


def _of_sentence(sentence: Sentence) -> Iterator[Candidate]:
    quote = sentence.quote
    asked: set[str] = set()
    for clause in sentence.clauses:
        if isinstance(clause, Apposition):
            items, subject, relation = of_apposition(clause), clause.name.text, "is"
        else:
            items, relation = questions(clause), predicate(clause)
            subject = clause.subject.text if clause.subject else ""
        for item in items:
            if item.wordings and item.form != "yes_no":
                asked.add(normalise(item.answer))
            yield from _of_item(item, sentence.passage, quote, subject, relation)
    for item in nested(sentence.span, asked, sentence.referents):
        yield from _of_item(item, sentence.passage, quote, "", "")


def _of_item(item: Item, passage: Passage, quote: str, subject: str, relation: str) -> Iterator[Candidate]:
    for wording in item.wordings:
        yield from _candidate(passage, quote, item.form, wording.text, item.answer, subject, relation)


def _candidate(
    passage: Passage, quote: str, form: Form, question: str, answer: str, subject: str, relation: str
) -> Iterator[Candidate]:
    if (
        len(quote) <= LONGEST_QUOTE
        and len(question) <= LONGEST_QUESTION
        and 0 < len(answer) <= LONGEST_ANSWER
    ):
        yield Candidate(
            question=question,
            answer=answer,
            form=form,
            quote=quote,
            passage_id=passage.id,
            subject=subject,
            relation=relation,
        )
