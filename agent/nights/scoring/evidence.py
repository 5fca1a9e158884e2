"""Gathers what answers are judged by: passages and facts about the question, cited passages, and feedback."""

import asyncio
from collections.abc import Mapping, Sequence

from agent.chat.followup import make_standalone
from agent.feedback.corrections import MESSAGE_TYPES
from agent.learning.exploration import look_up
from memory.episodic.base import EpisodicMemory
from memory.feedback.feedback import FeedbackStore, by_interaction, latest
from memory.records.access import Access
from memory.records.base import Record
from memory.records.feedback import Feedback
from memory.records.interactions import Interaction
from memory.records.knowledge import Citation, Findings, Passage
from memory.semantic.base import SemanticMemory

QUOTE_PASSAGES = 8
"""Passages that are searched for a cited sentence."""
LONGEST_QUERY = 1000
"""Characters of a question or quote that are searched for."""
AT_ONCE = 8
"""Questions that are looked up at the same time."""
STATEMENT = "statement:"
"""Beginning of the source of a citation of what the user said, which stands in no passage."""


class TurnEvidence(Record):
    """What one answer is judged by."""

    question: str
    """Self-contained."""
    findings: Findings
    cited: tuple[Passage, ...] = ()
    """Stored passages that may hold the cited sentences, besides those that were found."""
    feedback: tuple[Feedback, ...] = ()
    """Of each kind and owner the latest."""

    @property
    def passages(self) -> tuple[Passage, ...]:
        """All passages, each once."""
        found = [hit.passage for hit in self.findings.evidence]
        return tuple({passage.id: passage for passage in (*found, *self.cited)}.values())


class ScoringEvidence(Record):
    """The evidence of several turns, by interaction id."""

    turns: Mapping[str, TurnEvidence]


async def gather_evidence(
    turns: Sequence[Interaction],
    *,
    episodic: EpisodicMemory,
    semantic: SemanticMemory,
    access: Access,
    feedback: FeedbackStore,
) -> ScoringEvidence:
    """Looks every question up, and reads the feedback on its answer. Raises StoreUnavailable."""
    given = by_interaction(latest(await feedback.of(turn.id for turn in turns)))
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(turn: Interaction) -> TurnEvidence:
        async with gate:
            question = await asyncio.to_thread(standalone_question, turn)
            query = question[:LONGEST_QUERY]
            findings = (
                await look_up(query, episodic=episodic, semantic=semantic, access=access)
                if query.strip()
                else Findings(query=query)
            )
            known = [hit.passage for hit in findings.evidence]
            missing = [each for each in turn.citations if each.quote and not stands(each, known)]
            found = [await _passages_with(each, episodic, access) for each in missing]
            return TurnEvidence(
                question=question,
                findings=findings,
                cited=tuple(passage for passages in found for passage in passages),
                feedback=given.get(turn.id, ()),
            )

    gathered = await asyncio.gather(*map(one, turns))
    return ScoringEvidence(turns={turn.id: each for turn, each in zip(turns, gathered, strict=True)})


def standalone_question(turn: Interaction) -> str:
    """The turn's question without references to earlier messages."""
    messages = [MESSAGE_TYPES[message.role](message.content) for message in turn.messages]
    if not any(message.role == "user" and message.content.strip() for message in turn.messages):
        return turn.question
    return make_standalone(messages).text


def stands(citation: Citation, passages: Sequence[Passage]) -> bool:
    """Whether a stored passage holds the cited sentence at the cited place, character for character."""
    return any(
        passage.source == citation.source
        and passage.start <= citation.start
        and citation.end <= passage.end
        and passage.text[citation.start - passage.start : citation.end - passage.start] == citation.quote
        for passage in passages
    )


def is_statement(citation: Citation) -> bool:
    """Whether the citation is of something that the user said."""
    return citation.source.startswith(STATEMENT)


async def _passages_with(citation: Citation, episodic: EpisodicMemory, access: Access) -> tuple[Passage, ...]:
    """The passages of the cited document that are likely to hold the quote."""
    if is_statement(citation):
        return ()
    hits = await episodic.search(
        citation.quote[:LONGEST_QUERY], by="text", limit=QUOTE_PASSAGES, access=access
    )
    return tuple(hit.passage for hit in hits if hit.passage.source == citation.source)
