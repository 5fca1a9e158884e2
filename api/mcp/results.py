"""Results of the MCP tools: what a model needs of the api's replies, and no more."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field


class Cited(BaseModel):
    """A passage that an answer rests on."""

    source: str
    title: str
    quote: str


class Answer(BaseModel):
    """An answer, with where it comes from and whether the service stands by it."""

    answer: str
    outcome: Literal["answered", "answered_unsure", "answered_from_sources", "abstained"] = Field(
        description="`answered`: the model was sure. `answered_from_sources`: see the citations."
        " `answered_unsure`: do not rely on it. `abstained`: the service does not know."
    )
    citations: list[Cited]
    domain: str
    adapter: str | None = Field(description="The adapter that answered; null for the base model.")
    gap_id: str | None = Field(description="The gap that was opened because the answer is unknown, if any.")
    interaction_id: str


class Hit(BaseModel):
    """A passage of a document."""

    source: str
    title: str
    section: str
    domain: str
    text: str
    score: float


class KnownFact(BaseModel):
    """What a sentence of a document says of a thing."""

    subject: str
    relation: str
    object: str
    condition: str = Field(description="When it holds, in the document's words; empty if it always does.")
    negated: bool = Field(description="Whether the sentence denies it.")
    sentence: str
    source: str
    domain: str
    support: int = Field(description="Documents that state it.")
    confidence: float = Field(description="How far the rule that read it is trusted, from 0 to 1.")
    dated: datetime | None = Field(description="The date that the document gives; null if there is none.")


class Hits(BaseModel):
    """Passages, best first, and the facts about what the query names."""

    hits: list[Hit]
    facts: list[KnownFact]


class Documents(BaseModel):
    """Names of documents, in order."""

    sources: list[str]


class Reason(BaseModel):
    """Why a document, or a part of it, was not read."""

    source: str
    reason: str


class Ingested(BaseModel):
    """What became of a document."""

    documents: int = Field(description="1 if it was stored; 0 if it was stored before, unchanged.")
    passages: int
    facts: int
    unchanged: int
    failed: list[Reason]


class Gap(BaseModel):
    """A question that the service could not answer."""

    id: str
    question: str
    domain: str
    status: str
    opened_at: datetime
    run_id: str | None = Field(description="The learn run that is or was about it.")


class Gaps(BaseModel):
    """Gaps, oldest first."""

    gaps: list[Gap]


class Started(BaseModel):
    """A learn run that goes on by itself."""

    run_id: str = Field(description="Pass it to `run` for the status.")


class Outcome(BaseModel):
    """How a run ended."""

    status: str
    reason: str
    adapter: str | None


class Run(BaseModel):
    """A learn run in a list."""

    id: str
    subject: str
    domain: str | None
    asked_by: str | None
    started_at: datetime
    outcome: Outcome | None = Field(description="Null while it runs or waits.")


class Runs(BaseModel):
    """Learn runs, newest first."""

    runs: list[Run]


class RunStatus(BaseModel):
    """Where a learn run stands."""

    run: Run
    status: Literal["running", "waiting", "ended"] = Field(description="`waiting`: for a person's approval.")
    next: list[str] = Field(description="Steps that come next.")
    asks: dict[str, Any] | None = Field(
        description="The lessons to decide on, while the run waits: critique, sample of pairs, and digests."
    )


class Decided(BaseModel):
    """A decision was taken, and the run goes on."""

    run_id: str


class Adapter(BaseModel):
    """A version of what a domain learned."""

    name: str
    domain: str
    status: Literal["candidate", "live", "retired", "rejected"]
    accuracy_before: float = Field(description="On questions about what was taught, before training.")
    accuracy_after: float
    created_at: datetime


class Adapters(BaseModel):
    """Adapter versions, by domain and version."""

    adapters: list[Adapter]
