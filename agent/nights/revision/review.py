"""Asks another model whether a revised answer is faithful to its sources; it may refuse, never approve."""

from collections.abc import Sequence

from agent.chat.sentence_candidates import SentenceCandidate
from agent.learning.critique import MIN_FAITHFULNESS, Judge
from agent.nights.revision.verification import Verified
from memory.records.base import digest_of
from memory.records.knowledge import Evidence, Fact, Findings


async def refusal(
    question: str, verified: Verified, sources: Sequence[SentenceCandidate], judge: Judge
) -> str | None:
    """Why the model refuses the answer; None if it accepts. Raises what the judge raises."""
    cited = {(citation.source, citation.start) for citation in verified.citations}
    supporting = [c for c in sources if (c.passage.source, c.citation.start) in cited] or list(sources[:1])
    evidence = {c.passage.id: Evidence(passage=c.passage, score=c.chance, found_by=()) for c in sources}
    facts = [_as_fact(question, verified.text, candidate) for candidate in supporting]
    findings = Findings(query=question, evidence=tuple(evidence.values()), facts=tuple(facts))
    faithfulness, reason = await judge(question, findings)
    return (reason or "no reason given") if faithfulness < MIN_FAITHFULNESS else None


def _as_fact(question: str, answer: str, candidate: SentenceCandidate) -> Fact:
    """The answer in the form in which a judge reads facts."""
    return Fact(
        id=digest_of([question, answer, candidate.passage.id])[:32],
        subject=question,
        relation="is answered by",
        object=answer,
        domain=candidate.passage.domain,
        passage_id=candidate.passage.id,
        source=candidate.passage.source,
        sentence=candidate.text,
        start=candidate.citation.start,
        end=candidate.citation.end,
        rule="revision",
    )
