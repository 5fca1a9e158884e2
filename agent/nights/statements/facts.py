"""Statements as facts of semantic memory, and as passages that lessons can be verified against."""

from collections.abc import Sequence

from agent.nights.statements.dates import spelled_date
from memory.language.relations import base_relation
from memory.records.base import digest_of
from memory.records.interactions import speaker_id
from memory.records.knowledge import Fact, Passage
from memory.records.nights import Statement


def statement_source(id: str) -> str:
    """The source under which a statement is cited and forgotten."""
    return f"statement:{id}"


def statement_fact(statement: Statement) -> Fact:
    """The fact that only searches of the statement's unit and owner find."""
    return Fact(
        id=statement.id,
        subject=statement.subject,
        relation=statement.relation,
        object=statement.object,
        domain=statement.domain,
        passage_id=statement.id,
        source=statement_source(statement.id),
        sentence=statement.text,
        start=0,
        end=len(statement.text),
        rule="statement",
        negated=base_relation(statement.relation).denied,
        said_by=speaker_id(statement.unit, statement.owner),
        observed_at=statement.said_at,
        valid_until=statement.valid_until,
    )


def statement_passage(statement: Statement) -> Passage:
    """The statement as a document of its own."""
    return Passage(
        id=statement.id,
        source=statement_source(statement.id),
        title=f"what {statement.speaker} said on {spelled_date(statement.said_at.date())}",
        domain=statement.domain,
        text=statement.text,
        start=0,
        end=len(statement.text),
        digest=digest_of(statement.text),
    )


def as_said(fact: Fact, statement: Statement) -> Fact:
    """The fact of a lesson that was made from the statement, with who said it and until when it holds."""
    said_by = speaker_id(statement.unit, statement.owner)
    return fact.model_copy(update={"said_by": said_by, "valid_until": statement.valid_until})


def conversation_passages(statements: Sequence[Statement]) -> tuple[Passage, ...]:
    """The statements that still hold, a passage each, for domains that teach what their users state."""
    return tuple(statement_passage(s) for s in statements if s.status == "current")
