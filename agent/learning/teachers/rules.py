"""The teacher that needs no model: questions answer-first, from structure and from a parse of the prose."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from agent.grading import normalise
from agent.learning.candidate_pairs import CandidatePair, WrittenPairs
from agent.learning.questions.clause_questions import apposition_questions, clause_questions, predicate
from agent.learning.questions.further_clauses import further_clauses
from agent.learning.questions.lead_ins import lead_in, with_lead_in
from agent.learning.questions.mentions import MentionReferents, Mentions
from agent.learning.questions.nested_questions import sentence_span_questions
from agent.learning.questions.question_items import QuestionItem
from agent.learning.questions.structured_questions import structured_questions
from agent.learning.teachers.base import PassageProgress
from memory.ingest.propositions.reading import Sentence, sentences
from memory.ingest.propositions.structure import structured
from memory.language.clauses import Apposition, Clause
from memory.records.curricula import Form
from memory.records.knowledge import Passage

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
        on_progress: PassageProgress | None = None,
    ) -> WrittenPairs:
        """See `Teacher`; a passage without a question is counted, and nothing raised."""
        found: list[CandidatePair] = []
        for start in range(0, len(passages), SLICE):
            part = passages[start : start + SLICE]
            # Off the event loop: parsing takes a second, and chats must not wait for it.
            found += await asyncio.to_thread(_all, part)
            if on_progress is not None:
                on_progress(min(start + SLICE, len(passages)), len(passages))
        silent = len(passages) - len({candidate.passage_id for candidate in found})
        failed = {"state nothing that can be asked": silent} if silent else {}
        return WrittenPairs(candidates=tuple(found), failed=failed)


def _all(passages: Sequence[Passage]) -> tuple[CandidatePair, ...]:
    return tuple(write_pairs(passages))


def write_pairs(passages: Sequence[Passage]) -> Iterator[CandidatePair]:
    """Questions of the passages, still to be verified; the wordings of one item follow each other."""
    for passage in passages:
        for statement in structured(passage):
            quote = passage.text[statement.start : statement.end]
            for form, question, answer in structured_questions(statement, passage):
                yield from _candidate(
                    passage, quote, form, question, answer, statement.subject, statement.relation
                )
    mentions, current = Mentions(""), ""
    for sentence in sentences(passages):
        if sentence.passage.id != current:
            mentions, current = Mentions(sentence.passage.title), sentence.passage.id
        yield from _of_sentence(sentence, mentions)
        mentions.read(sentence.span)


def _of_sentence(sentence: Sentence, mentions: Mentions) -> Iterator[CandidatePair]:
    quote = sentence.quote
    asked: set[str] = set()
    for items, subject, relation in _items(sentence, mentions):
        for item in items:
            if item.wordings and item.form != "yes_no":
                asked.add(normalise(item.answer))
            yield from _of_item(item, sentence.passage, quote, subject, relation)
    for item in sentence_span_questions(sentence.span, asked, MentionReferents(sentence.referents, mentions)):
        yield from _of_item(item, sentence.passage, quote, "", "")


def _items(sentence: Sentence, mentions: Mentions) -> Iterator[tuple[list[QuestionItem], str, str]]:
    """The items of each clause, with what it is about and what it says of that."""
    topic = lead_in(sentence.passage)
    known: set[int] = set()
    for clause in sentence.clauses:
        if isinstance(clause, Apposition):
            yield list(apposition_questions(clause)), clause.name.text, "is"
        else:
            known.add(clause.verb.i)
            yield _of_clause(clause, topic, mentions)
    for clause, source in further_clauses(
        sentence.span, known, MentionReferents(sentence.referents, mentions)
    ):
        items, subject, relation = _of_clause(clause, topic, mentions, source)
        yield [item for item in items if item.form != "yes_no"], subject, relation


def _of_clause(
    clause: Clause, topic: str, mentions: Mentions, source: str = ""
) -> tuple[list[QuestionItem], str, str]:
    """The items of one clause; what could be meant by it without the text, or who says it, is said first."""
    told = mentions.clarified(clause)
    vague = mentions.vague(told)
    opening = f"according to {source}" if source else topic if vague else ""
    items = [] if vague and not opening else list(clause_questions(told))
    parts = [told.subject, *(a.phrase for a in told.arguments)]
    unnamed = {part.text for part in parts if part is not None and mentions.is_vague(part)}
    items = [item for item in items if item.answer not in unnamed]
    if opening:
        items = [with_lead_in(item, opening, told) for item in items]
    return items, told.subject.text if told.subject else "", predicate(told)


def _of_item(
    item: QuestionItem, passage: Passage, quote: str, subject: str, relation: str
) -> Iterator[CandidatePair]:
    for wording in item.wordings:
        yield from _candidate(passage, quote, item.form, wording.text, item.answer, subject, relation)


def _candidate(
    passage: Passage, quote: str, form: Form, question: str, answer: str, subject: str, relation: str
) -> Iterator[CandidatePair]:
    if (
        len(quote) <= LONGEST_QUOTE
        and len(question) <= LONGEST_QUESTION
        and 0 < len(answer) <= LONGEST_ANSWER
    ):
        yield CandidatePair(
            question=question,
            answer=answer,
            form=form,
            quote=quote,
            passage_id=passage.id,
            subject=subject,
            relation=relation,
        )
