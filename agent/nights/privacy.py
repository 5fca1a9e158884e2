"""Keeps what users said about themselves with them: it is never archived, taught or shown to anybody else."""

import re

from agent.nights.scoring.evidence import STATEMENT, is_statement, standalone_question
from agent.nights.statements.recall import asks_about_speaker
from memory.language.text import sentences
from memory.records.interactions import Interaction
from memory.records.knowledge import Findings

_FIRST_PERSON = re.compile(r"\b(?:i|me|my|mine|myself|we|us|our|ours|ourselves)\b", re.IGNORECASE)


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
