"""The rules teacher: writes questions from document structure and a parse of the prose, without a model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from agent.grading import normalise
from agent.learning.candidate_pairs import CandidatePair, WrittenPairs
from agent.learning.questions.clause_questions import apposition_questions, clause_questions, predicate_text
from agent.learning.questions.further_clauses import further_clauses
from agent.learning.questions.lead_ins import lead_in, with_lead_in
from agent.learning.questions.mentions import MentionReferents, Mentions
from agent.learning.questions.nested_questions import sentence_span_questions
from agent.learning.questions.question_items import QuestionItem
from agent.learning.questions.structured_questions import structured_questions
from agent.learning.teachers.base import PassageProgress
from memory.ingest.propositions.sentences import Sentence, sentences
from memory.ingest.propositions.structure import structured
from memory.language.clauses import Apposition, Clause
from memory.records.curricula import Form
from memory.records.knowledge import Passage

BATCH = 32
"""Passages per batch, after which progress is reported."""
LONGEST_QUOTE = 2000
"""Characters; a longer "sentence" is not a sentence."""
LONGEST_QUESTION = 500
LONGEST_ANSWER = 300


class RulesTeacher:
    """Writes all questions that its rules find, in several wordings each."""

    name = "rules"

    async def write(
        self,
        passages: Sequence[Passage],
        *,
        question: str | None = None,
        on_progress: PassageProgress | None = None,
    ) -> WrittenPairs:
        """See `Teacher`; passages without questions are counted in `failed`."""
        pairs: list[CandidatePair] = []
        for start in range(0, len(passages), BATCH):
            part = passages[start : start + BATCH]
            # In a thread: parsing takes a second, and chats must not wait.
            pairs += await asyncio.to_thread(_all_pairs, part)
            if on_progress is not None:
                on_progress(min(start + BATCH, len(passages)), len(passages))
        without = len(passages) - len({pair.passage_id for pair in pairs})
        failed = {"state nothing that can be asked": without} if without else {}
        return WrittenPairs(candidates=tuple(pairs), failed=failed)


def _all_pairs(passages: Sequence[Passage]) -> tuple[CandidatePair, ...]:
    return tuple(write_pairs(passages))


def write_pairs(passages: Sequence[Passage]) -> Iterator[CandidatePair]:
    """Unverified pairs about the passages; the wordings of one question are consecutive."""
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
        yield from _sentence_pairs(sentence, mentions)
        mentions.read(sentence.span)


def _sentence_pairs(sentence: Sentence, mentions: Mentions) -> Iterator[CandidatePair]:
    quote = sentence.quote
    answers: set[str] = set()
    for items, subject, relation in _items(sentence, mentions):
        for item in items:
            if item.wordings and item.form != "yes_no":
                answers.add(normalise(item.answer))
            yield from _item_pairs(item, sentence.passage, quote, subject, relation)
    for item in sentence_span_questions(
        sentence.span, answers, MentionReferents(sentence.resolver, mentions)
    ):
        yield from _item_pairs(item, sentence.passage, quote, "", "")


def _items(sentence: Sentence, mentions: Mentions) -> Iterator[tuple[list[QuestionItem], str, str]]:
    """The questions of each clause, with its subject and predicate."""
    topic = lead_in(sentence.passage)
    known: set[int] = set()
    for clause in sentence.clauses:
        if isinstance(clause, Apposition):
            yield list(apposition_questions(clause)), clause.name.text, "is"
        else:
            known.add(clause.verb.i)
            yield _clause_items(clause, topic, mentions)
    for clause, source in further_clauses(
        sentence.span, known, MentionReferents(sentence.resolver, mentions)
    ):
        items, subject, relation = _clause_items(clause, topic, mentions, source)
        yield [item for item in items if item.form != "yes_no"], subject, relation


def _clause_items(
    clause: Clause, topic: str, mentions: Mentions, source: str = ""
) -> tuple[list[QuestionItem], str, str]:
    """The questions of one clause; a vague one is introduced by its topic, a reported one by its source."""
    clarified = mentions.clarified(clause)
    vague = mentions.vague(clarified)
    opening = f"according to {source}" if source else topic if vague else ""
    items = [] if vague and not opening else list(clause_questions(clarified))
    parts = [clarified.subject, *(a.phrase for a in clarified.arguments)]
    unnamed = {part.text for part in parts if part is not None and mentions.is_vague(part)}
    items = [item for item in items if item.answer not in unnamed]
    if opening:
        items = [with_lead_in(item, opening, clarified) for item in items]
    return items, clarified.subject.text if clarified.subject else "", predicate_text(clarified)


def _item_pairs(
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
