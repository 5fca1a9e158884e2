"""The route that searches the library: passages with the reasons why they were found, and no answer."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api.auth import AccessDep
from api.compose import ServiceDep
from api.errors import openai_errors
from api.nightschool.weighed_facts import WeighedFact, weighed
from memory.records.base import Domain
from memory.records.knowledge import Evidence
from memory.records.moments import ZonedMoment
from memory.retrieval.as_of import retrieve_as_of
from memory.retrieval.candidates import SearchMethod
from memory.retrieval.hybrid import retrieve

MOST_HITS = 100
router = APIRouter(tags=["documents"])


class SearchRequest(BaseModel):
    """What to search for, and where."""

    model_config = ConfigDict(extra="forbid")

    query: Annotated[str, Field(min_length=1, max_length=2000)]
    limit: Annotated[int, Field(ge=1, le=MOST_HITS)] = 8
    domain: Domain | None = None
    as_of: ZonedMoment | None = None
    """A past time, with time zone: searches what the library held then, without the graph."""


class Hit(BaseModel):
    """A passage that was found, and why."""

    source: str
    title: str
    section: str
    domain: Domain
    text: str
    start: int
    end: int
    """The passage's span in the document's extracted text, in characters."""
    score: float
    found_by: tuple[SearchMethod, ...]
    scores: dict[str, float]
    """The signals that the score is the weighted sum of."""
    path: str
    """How the graph leads to the passage; empty if it does not."""


MOST_RELATED = 1000
"""Facts that are read to count the support of those found: a search is asked often, by any key."""


class SearchReply(BaseModel):
    """The passages, best first, and the facts about what the query names."""

    query: str
    hits: list[Hit]
    facts: list[WeighedFact]
    """Those that the library held at the time, if the request names one, with the support they have now."""


@router.post("/v1/search", responses=openai_errors(400, 403, 422, 503))
async def search(service: ServiceDep, access: AccessDep, request: SearchRequest) -> SearchReply:
    """Searches the documents that the caller may read, by meaning, by words and through the graph."""
    runtime = service.runtime
    find = retrieve if request.as_of is None else partial(retrieve_as_of, as_of=request.as_of)
    found = await find(
        request.query,
        episodic=runtime.episodic,
        semantic=runtime.semantic,
        access=access,
        domain=request.domain,
        limit=request.limit,
    )
    hits = [_hit(each) for each in found.evidence]
    facts = await weighed(found.facts, runtime.semantic, access=access, most=MOST_RELATED)
    return SearchReply(query=request.query, hits=hits, facts=facts)


def _hit(evidence: Evidence) -> Hit:
    passage = evidence.passage
    return Hit(
        **passage.model_dump(include={"source", "title", "section", "domain", "text", "start", "end"}),
        **evidence.model_dump(include={"score", "found_by", "scores", "path"}),
    )
