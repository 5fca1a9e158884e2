"""What was read: passages, facts, what a search found, citations, and the critique of it."""

from typing import Literal

from memory.records.base import Digest, Domain, Record, Share

Verdict = Literal["accept", "refine", "flag", "discard"]


class Passage(Record):
    """A stretch of a document: `text` is exactly `document[start:end]` of the extracted text."""

    id: str
    source: str
    """Path or URL of the document."""
    title: str
    section: str = ""
    """Headings above the passage, outermost first, joined by ` > `."""
    domain: Domain
    text: str
    start: int
    end: int
    digest: Digest
    """SHA-256 of `text`."""


class Fact(Record):
    """An assertion of the graph, with the sentence that states it and the rule that read it."""

    id: str
    subject: str
    relation: str
    """The verb phrase or attribute as the text says it, such as `was built in` or `maximum load`."""
    object: str
    domain: Domain
    passage_id: str
    source: str
    sentence: str
    start: int
    end: int
    """The sentence's span in the document's extracted text, in characters."""
    rule: str
    """Name of the extraction rule, such as `definition.copula`."""
    condition: str = ""
    """When it holds, as the text says it, such as `if the lamp blinks`; empty where it always does."""
    negated: bool = False
    """Whether the text denies it."""


class Evidence(Record):
    """One retrieved passage with its fused score and the searches that found it."""

    passage: Passage
    score: float
    found_by: tuple[Literal["vector", "text", "graph"], ...]


class Findings(Record):
    """What exploring a question brought back: passages count as evidence, facts as assertions."""

    query: str
    evidence: tuple[Evidence, ...] = ()
    facts: tuple[Fact, ...] = ()


class Citation(Record):
    """Where a statement of a reply comes from."""

    source: str
    title: str
    start: int
    end: int
    quote: str


class Critique(Record):
    """Marks for what exploration found, each in [0, 1] with its reasons, and what to do next."""

    relevance: Share
    faithfulness: Share
    quality: Share
    verdict: Verdict
    reasons: tuple[str, ...]
