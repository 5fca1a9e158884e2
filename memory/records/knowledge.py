"""Knowledge from documents: passages, facts, search results, citations, and their critique."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

from pydantic import AwareDatetime

from memory.records.base import Digest, Domain, Record, Share

Verdict = Literal["accept", "refine", "flag", "discard"]
CONFIDENCE: Mapping[str, float] = {
    "clause": 0.85, "apposition": 0.9, "lifespan": 0.95, "abbreviation": 0.95, "triple": 1.0,
}  # fmt: skip
"""How far each rule is trusted where facts contradict each other. Chosen, not measured: the labels of `make
bench-facts` have too few facts of each rule. Triples are taken as given."""
STRUCTURE_CONFIDENCE = 0.95
"""Of the rules for tables, lists and signatures, which read no sentence."""


class WebOrigin(Record):
    """Where a passage comes from that exploration fetched from the web."""

    url: str
    """Where the page was found, after redirects."""
    fetched_at: datetime
    licence: str = ""
    """As the page states it; empty if it states none."""
    trust: Share
    """The trust in its domain when it was fetched."""


class Passage(Record):
    """A part of a document; `text` is exactly `document[start:end]` of the extracted text."""

    id: str
    source: str
    """URL of the document, or its path below the folder that was ingested."""
    title: str
    section: str = ""
    """Headings above the passage, outermost first, joined by ` > `."""
    domain: Domain
    owner: str | None = None
    """Owner of the key that added the document; None if it is shared."""
    language: str = ""
    """ISO 639-1 code of the document's language; empty if it is unknown."""
    text: str
    start: int
    end: int
    digest: Digest
    """SHA-256 of `text`."""
    web: WebOrigin | None = None
    """None for what people put into the library. What has an origin is taught only if sources agree."""
    added_at: datetime | None = None
    """When it was stored; None before that."""


ZONES_APART = timedelta(days=1)
"""By how much a day may begin earlier elsewhere."""


class Fact(Record):
    """A subject-relation-object assertion, with the sentence that states it and the rule that found it."""

    id: str
    subject: str
    relation: str
    """The verb phrase or attribute as written in the text, such as `was built in` or `maximum load`."""
    object: str
    domain: Domain
    owner: str | None = None
    """Owner of its document; None if that is shared."""
    passage_id: str
    source: str
    sentence: str
    start: int
    end: int
    """The sentence's span in the document's extracted text, in characters."""
    rule: str
    """Name of the extraction rule, such as `definition.copula`."""
    condition: str = ""
    """When the fact holds, as written, such as `if the lamp blinks`; empty if it always holds."""
    negated: bool = False
    """Whether the text denies the fact."""
    said_by: str | None = None
    """Pseudonym of the user or conversation that said it: true of them only, and found by their searches
    alone. None for facts from documents."""
    observed_at: datetime | None = None
    """When the document was first read, or the user said it."""
    dated: AwareDatetime | None = None
    """The date that its sentence or else its document gives; None if there is none."""
    valid_until: datetime | None = None
    """The end of what was announced, such as a deadline; None if it does not end."""

    def is_to_come(self, now: datetime) -> bool:
        """Whether it is dated in the future, everywhere on earth."""
        return self.dated is not None and self.dated - ZONES_APART > now

    def as_of(self, now: datetime) -> datetime | None:
        """When it was so, as far as is known: its date or, without one or before it, when it was observed."""
        return self.observed_at if self.dated is None or self.is_to_come(now) else self.dated

    @property
    def confidence(self) -> float:
        """How far the rule that read it is trusted, see `CONFIDENCE`."""
        return CONFIDENCE.get(self.rule, STRUCTURE_CONFIDENCE)


class WithdrawnSentence(Record):
    """A sentence of a document that a person found wrong: it is neither found nor quoted nor taught."""

    id: str
    """Made of the document's place and the sentence, so that withdrawing it again changes nothing."""
    source: str
    domain: Domain
    owner: str | None = None
    """Owner of its document; None if that is shared."""
    sentence: str
    reason: str = ""
    by: str
    at: datetime


class Evidence(Record):
    """A retrieved passage, its fused score, and why it was found."""

    passage: Passage
    score: float
    found_by: tuple[Literal["vector", "text", "graph"], ...]
    """The searches that found it."""
    scores: dict[str, float] = {}
    """The signals that its score is the weighted sum of, see `memory.retrieval.signals`."""
    path: str = ""
    """How the graph leads to it: `A -[relation]-> B` by a fact, `A - name - B` by a name, A and B titles."""


class Findings(Record):
    """The passages and facts that a search found for a question."""

    query: str
    evidence: tuple[Evidence, ...] = ()
    facts: tuple[Fact, ...] = ()


class Citation(Record):
    """The source of a statement in a reply."""

    source: str
    title: str
    start: int
    end: int
    quote: str
    domain: Domain | None = None
    """Domain of the document; None for what the user said."""
    owner: str | None = None
    """Owner of the document; None if it is shared."""


class Critique(Record):
    """Scores for what exploration found, with reasons, and a verdict on what to do next."""

    relevance: Share
    faithfulness: Share
    quality: Share
    verdict: Verdict
    reasons: tuple[str, ...]
