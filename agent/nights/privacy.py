"""Keeps what users said about themselves with them: it is never archived, taught or shown to anybody else."""

import re
from collections.abc import Collection, Iterable

from agent.feedback.pair_sources import Evidence
from agent.nights.reported import ReportedTurns
from agent.nights.scoring.evidence import STATEMENT, is_statement, standalone_question
from agent.nights.statements.recall import asks_about_speaker
from memory.language.text import sentences
from memory.records.interactions import Interaction
from memory.records.knowledge import Findings

_FIRST_PERSON = re.compile(r"\b(?:i|me|my|mine|myself|we|us|our|ours|ourselves)\b", re.IGNORECASE)


def private_turns(turns: Iterable[Interaction], reported: ReportedTurns) -> frozenset[str]:
    """Ids of the turns that no annotator sees and no preference set is made from.

    These are those that were reported as private or quote such a turn, and those about their user.
    """
    return frozenset(turn.id for turn in turns if reported.cover(turn) or is_personal(turn))


def without_private(evidence: Evidence, private: Collection[str]) -> Evidence:
    """The evidence without the `private` turns, what is about them, and corrections in the first person."""
    return Evidence(
        interactions=[turn for turn in evidence.interactions if turn.id not in private],
        feedback=[
            each
            for each in evidence.feedback
            if each.interaction_id not in private
            and not (each.kind == "correction" and speaks_of_user(each.text or ""))
        ],
        items=[item for item in evidence.items if item.interaction_id not in private],
        judgements=evidence.judgements,
    )


def is_personal(turn: Interaction) -> bool:
    """Whether the turn asks about the user, or was answered from what a user stated."""
    if any(map(is_statement, turn.citations)):
        return True
    return is_about_user(turn.question) or is_about_user(standalone_question(turn))


def is_about_user(question: str) -> bool:
    """Whether one of the sentences asks about whoever asks, such as `Where do I live?`."""
    text = question.strip()
    return any(asks_about_speaker(text[start:end]) for start, end in sentences(text))


def speaks_of_user(text: str) -> bool:
    """Whether a user's text is in the first person."""
    return _FIRST_PERSON.search(text) is not None


def without_statements(findings: Findings) -> Findings:
    """The findings without what users stated, whatever the search was for."""
    return findings.model_copy(
        update={
            "evidence": tuple(
                hit for hit in findings.evidence if not hit.passage.source.startswith(STATEMENT)
            ),
            "facts": tuple(fact for fact in findings.facts if fact.said_by is None),
        }
    )
