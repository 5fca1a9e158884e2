"""Candidates for golden pairs: answers with a high score, and improved revisions."""

import re
from collections.abc import Iterator, Mapping, Sequence

from agent.chat.abstention import quotation_text
from agent.nights.scoring.evidence import ScoringEvidence, TurnEvidence, standalone_question
from memory.language.lexicon import AUXILIARIES, INTERROGATIVES, LANGUAGES, words_of
from memory.language.text import sentences
from memory.records.base import Record
from memory.records.interactions import Interaction
from memory.records.knowledge import Citation, Findings
from memory.records.nights import AnswerScore, GoldenForm, Revision

_QUESTION_MARKS = ("?", "\uff1f")
_OPEN_END = re.compile(r"(?:\.\.\.|\u2026|_{2,}|:)\s*$")


class GoldenCandidate(Record):
    """A question and answer that may become a golden pair."""

    turn: Interaction
    question: str
    """Self-contained, or as near to it as the rules come."""
    answer: str
    citations: tuple[Citation, ...]
    source: str
    """Id of the interaction or revision."""
    score: float
    evidence: TurnEvidence

    @property
    def form(self) -> GoldenForm:
        """What the question asks for: an answer, a task, or the rest of a text."""
        if _OPEN_END.search(self.question):
            return "completion"
        first = words_of(self.question)[:1]
        asks = any(word in words for words in _ASKING for word in first)
        return "qa" if asks or self.question.endswith(_QUESTION_MARKS) else "instruction"


def golden_candidates(
    turns: Sequence[Interaction],
    scores: Mapping[str, AnswerScore],
    revisions: Sequence[Revision],
    evidence: ScoringEvidence,
) -> Iterator[GoldenCandidate]:
    """The improved revision of a turn if there is one, else its own answer if its score is high."""
    revised = {each.interaction_id: each for each in revisions if each.status == "improved"}
    for turn in turns:
        score = scores.get(turn.id)
        question = bare_question(standalone_question(turn))
        found = evidence.turns.get(turn.id) or TurnEvidence(
            question=question, findings=Findings(query=question)
        )
        if revision := revised.get(turn.id):
            yield GoldenCandidate(
                turn=turn,
                question=bare_question(revision.question),
                answer=plain_answer(revision.answer, revision.citations),
                citations=revision.citations,
                source=revision.id,
                score=min(10.0, max(1.0, revision.score_after)),
                evidence=found,
            )
        elif score is not None and score.bracket == "high":
            yield GoldenCandidate(
                turn=turn,
                question=question,
                answer=plain_answer(turn.answer, turn.citations),
                citations=turn.citations,
                source=turn.id,
                score=score.value,
                evidence=found,
            )


def bare_question(text: str) -> str:
    """The last sentence, if it is a question: what users tell before it is theirs, and nobody verified it."""
    parts = [text[start:end] for start, end in sentences(text.strip())]
    return parts[-1] if parts and parts[-1].endswith(_QUESTION_MARKS) else text.strip()


def plain_answer(answer: str, citations: Sequence[Citation]) -> str:
    """The answer, with sentences that it quotes from a source given without quotation marks and title."""
    quoted = {
        quotation_text(citation.quote, citation.title, language): citation.quote
        for citation in citations
        for language in LANGUAGES
    }
    return "\n".join(quoted.get(line.strip(), line) for line in answer.strip().splitlines()).strip()


_ASKING = (*INTERROGATIVES.values(), *AUXILIARIES.values())
