"""What the criteria look at: one logged answer with its evidence, and what is computed from both once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from agent.chat.abstention import is_abstention
from agent.chat.answer_from_sources import MIN_CHANCE
from agent.chat.sentence_candidates import SentenceCandidate, rerank, shortlist
from agent.grading import admits_ignorance
from agent.nights.scoring.evidence import TurnEvidence, stands
from agent.nights.scoring.plain_text import LONGEST_ANSWER, statements
from agent.nights.scoring.source_support import Support, find_support
from memory.embedding.embedder import Embedder
from memory.records.base import Record, Share
from memory.records.interactions import Interaction
from memory.records.knowledge import Citation

MAX_STATEMENTS = 20
"""Statements of an answer that are compared with the sources."""
LONGEST_QUESTION = 2000
"""Characters of a question that are compared."""


class CriterionScore(Record):
    """A criterion's judgement of an answer, 0 (bad) to 1 (good)."""

    value: Share
    reason: str = ""
    """What is wrong, in a few words; empty if nothing is."""


@dataclass(frozen=True)
class AnswerContext:
    """One answer with everything that criteria need to judge it."""

    turn: Interaction
    evidence: TurnEvidence
    embedder: Embedder
    declines: Sequence[str]
    """The model's phrases for not knowing."""
    implicit: float = 0.0
    """The implicit score of the user's behaviour; 0 if nothing is known."""

    @cached_property
    def question(self) -> str:
        return self.evidence.question[:LONGEST_QUESTION]

    @cached_property
    def answer(self) -> str:
        """The answer, as far as it is judged."""
        return self.turn.answer[:LONGEST_ANSWER]

    @cached_property
    def statements(self) -> tuple[str, ...]:
        """What the answer states, sentence by sentence, without its style."""
        return statements(self.answer)

    @cached_property
    def plain(self) -> str:
        """The statements as one text."""
        return " ".join(self.statements)

    @cached_property
    def abstains(self) -> bool:
        """Whether the answer says that there is none, in the model's words or the service's."""
        return admits_ignorance(self.answer, self.declines) or is_abstention(self.answer)

    @cached_property
    def candidates(self) -> tuple[SentenceCandidate, ...]:
        """The sentences of the sources that are likeliest to answer the question, likeliest first."""
        return rerank(self.question, shortlist(self.question, self.evidence.findings), self.embedder)

    @cached_property
    def supports(self) -> tuple[Support, ...]:
        """How much of each of the first statements the sources support."""
        return tuple(
            find_support(
                self.question,
                statement,
                candidates=self.candidates,
                cited=self.cited,
                embedder=self.embedder,
            )
            for statement in self.statements[:MAX_STATEMENTS]
        )

    @cached_property
    def answerable(self) -> bool:
        """Whether a source answers the question."""
        return bool(self.candidates) and self.candidates[0].chance >= MIN_CHANCE

    @cached_property
    def standing_citations(self) -> tuple[Citation, ...]:
        """The citations whose sentence is still in the library, as it was cited."""
        return tuple(each for each in self.turn.citations if stands(each, self.evidence.passages))

    @cached_property
    def cited(self) -> tuple[SentenceCandidate, ...]:
        """The cited sentences that are still in the library."""
        return tuple(
            SentenceCandidate(
                passage=passage,
                start=citation.start - passage.start,
                end=citation.end - passage.start,
                reading=" ".join(citation.quote.split()),
                score=0.0,
            )
            for citation in self.standing_citations
            for passage in self.evidence.passages
            if stands(citation, [passage])
        )
