"""The sentences of a text that bear on a question, for comparing a lesson with reading."""

from agent.terms import content, coverage, occurs
from memory.language import sentences
from memory.records import Findings

CONTEXT_WORDS = 110


def excerpts(question: str, findings: Findings) -> tuple[str, ...]:
    """The most telling sentences of the passages, in document order, one text per passage.

    A sentence ranks by the share of the question's content words it holds; one that states a fact about
    something the question names ranks above all others.
    """
    wanted = content(question)
    stated = {f.sentence for f in findings.facts if occurs(f.subject, question)}
    ranked = sorted(
        (
            (-coverage(wanted, text) - (text in stated), rank, start, text)
            for rank, hit in enumerate(findings.evidence)
            for start, end in sentences(hit.passage.text)
            for text in [hit.passage.text[start:end]]
            if not text.startswith("#")
        ),
    )
    chosen: list[tuple[int, int, str]] = []
    spent = 0
    for _, rank, start, text in ranked:
        size = len(text.split())
        if chosen and spent + size > CONTEXT_WORDS:
            continue
        chosen.append((rank, start, " ".join(text.split()[:CONTEXT_WORDS])))
        spent += size
    by_passage: dict[int, list[str]] = {}
    for rank, _, text in sorted(chosen):
        by_passage.setdefault(rank, []).append(text)
    return tuple(" ".join(texts) for texts in by_passage.values())
