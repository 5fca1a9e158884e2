"""Critique of findings: scores for relevance, faithfulness and quality, and the verdict they lead to.

Rules first, then agreement across sources, then an optional larger model.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import datetime

from agent.grading import word_f1
from agent.learning.contradictions import conflicts
from agent.learning.fact_standing import ALL_DATES
from agent.principles.lessons import skewed_sources
from memory.language.boilerplate import is_boilerplate
from memory.language.content_words import content_words, coverage, occurs, stems
from memory.language.text import sentences, words
from memory.records.knowledge import Critique, Evidence, Findings, Verdict
from memory.records.perspectives import NO_VIEWPOINTS, Viewpoints

MIN_RELEVANCE = 0.5
"""Minimum relevance; below it the best passage lacks half of the question's keywords: search again."""
MIN_FAITHFULNESS = 0.7
"""Minimum faithfulness; below it nearly a third of the facts is disputed or unsupported: ask a person."""
MIN_QUALITY = 0.4
"""Minimum quality; below it the text is mostly boilerplate or states nothing teachable: discard."""
AGREEMENT = 0.5
"""Word F1 at which two objects count as the same statement."""
CENTRAL_CONFLICT = 0.4
"""Highest faithfulness if sources disagree about the question's own subject."""
SKEWED = 0.4
"""Highest faithfulness if half of what was found is from sources that consist of generalisations."""
COVERAGE_WEIGHT = 0.7
"""Weight of keyword coverage against the retrieval score, which has no fixed zero."""
FULL_SENTENCE_WORDS = 5
FULL_PASSAGE_WORDS = 20

NEGATION = re.compile(r"\b(?:not|never|no longer|cannot|neither|nor|without)\b|n['\u2019]t\b", re.IGNORECASE)
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")

Judge = Callable[[str, Findings], Awaitable[tuple[float, str]]]
"""A larger model's opinion: question and findings in; faithfulness in [0, 1] and its reason out."""


async def critique(
    question: str,
    findings: Findings,
    *,
    viewpoints: Viewpoints = NO_VIEWPOINTS,
    judge: Judge | None = None,
    now: datetime = ALL_DATES,
) -> Critique:
    """Scores the findings; a `judge` is called only if the rules accept, and can only lower faithfulness.

    Verdicts, first that applies: relevance below 0.5 -> refine; faithfulness below 0.7 -> flag;
    quality below 0.4 -> discard; else accept. What declared perspectives see differently is no dispute; the
    findings of each are judged alone too, for the reasons.
    """
    relevance, why_relevant = _relevance(question, findings)
    faithfulness, why_faithful = _faithfulness(question, findings, viewpoints, now)
    quality, why_good = _quality(findings)
    # In a thread: the parser takes a second to load.
    skewed, why_skewed = await asyncio.to_thread(_skewed, findings)
    if skewed:
        faithfulness = min(faithfulness, SKEWED)
    reasons = [
        *why_relevant,
        *why_faithful,
        *why_good,
        *why_skewed,
        *_perspectives(question, findings, viewpoints),
    ]
    verdict = _verdict(relevance, faithfulness, quality)
    if judge is not None and verdict == "accept":
        opinion, reason = await judge(question, findings)
        faithfulness = min(faithfulness, opinion)
        reasons.append(f"larger model: {reason}")
        verdict = _verdict(relevance, faithfulness, quality)
    return Critique(
        relevance=relevance,
        faithfulness=faithfulness,
        quality=quality,
        verdict=verdict,
        reasons=tuple(reasons),
    )


def same_statement(first: str, second: str) -> bool:
    """Whether two texts say the same: equal numbers and negation, and similar words."""
    same_numbers = set(NUMBER.findall(first)) == set(NUMBER.findall(second))
    same_sign = bool(NEGATION.search(first)) == bool(NEGATION.search(second))
    return same_numbers and same_sign and word_f1(first, second) >= AGREEMENT


def _verdict(relevance: float, faithfulness: float, quality: float) -> Verdict:
    if relevance < MIN_RELEVANCE:
        return "refine"
    if faithfulness < MIN_FAITHFULNESS:
        return "flag"
    return "discard" if quality < MIN_QUALITY else "accept"


def _relevance(question: str, findings: Findings) -> tuple[float, list[str]]:
    keywords = content_words(question)
    if not findings.evidence:
        return 0.0, ["no passage was found"]
    if not keywords:
        return 0.0, ["the question has no keywords"]
    shares = {
        hit.passage.id: coverage(keywords, _heading(hit) + " " + hit.passage.text)
        for hit in findings.evidence
    }
    best = max(findings.evidence, key=lambda hit: (shares[hit.passage.id], hit.score))
    share = shares[best.passage.id]
    score = COVERAGE_WEIGHT * share + (1 - COVERAGE_WEIGHT) * min(1.0, max(0.0, best.score))
    missing = [w for w in keywords if w not in set(stems(_heading(best) + " " + best.passage.text))]
    reason = f"the best passage has {len(keywords) - len(missing)} of {len(keywords)} keywords"
    return score, [reason + (f", not {', '.join(missing)}" if missing else "")]


def _heading(hit: Evidence) -> str:
    """A passage's headings, domain, and the last two parts of its source path."""
    path = " ".join(hit.passage.source.rsplit("/", 2)[-2:])
    return f"{hit.passage.title} {hit.passage.section} {hit.passage.domain} {path}"


def _perspectives(question: str, findings: Findings, viewpoints: Viewpoints) -> list[str]:
    """What each perspective has to say about the question, and which are silent."""
    names = sorted({viewpoints.of(hit.passage) for hit in findings.evidence} - {""})
    reasons: list[str] = []
    for name in names:
        evidence = tuple(hit for hit in findings.evidence if viewpoints.of(hit.passage) == name)
        facts = tuple(fact for fact in findings.facts if viewpoints.of(fact) == name)
        own = findings.model_copy(update={"evidence": evidence, "facts": facts})
        scores = (_relevance(question, own), _faithfulness(question, own, viewpoints), _quality(own))
        judged = ", ".join(
            f"{word} {score:.2f}"
            for word, (score, _) in zip(("relevance", "faithfulness", "quality"), scores, strict=True)
        )
        reasons.append(f"from {name} alone: {judged}")
    domains = {hit.passage.domain for hit in findings.evidence}
    if names and (silent := sorted(viewpoints.among(domains) - {*names})):
        reasons.append(f"{', '.join(silent)}: nothing about this")
    return reasons


def _faithfulness(
    question: str, findings: Findings, viewpoints: Viewpoints, now: datetime = ALL_DATES
) -> tuple[float, list[str]]:
    """Share of facts that are in their source and that no other fact contradicts."""
    facts = findings.facts
    if not facts:
        return 1.0, []
    texts = {hit.passage.id: hit.passage.text for hit in findings.evidence}
    absent = {f.id for f in facts if f.passage_id in texts and f.sentence not in texts[f.passage_id]}
    found = conflicts(facts, viewpoints, now=now)
    disputes = [each for each in found if each.held_by is None]
    disputed = {f.id for each in disputes for f in (each.current, each.other)}
    score = 1 - len(absent | disputed) / len(facts)
    reasons = [f"{len(absent)} facts are not in their passage"] if absent else []
    for each in disputes:
        current, other = each.current, each.other
        reasons.append(
            f"{current.subject!r} is both {current.object!r} ({current.source}) and {other.object!r}"
            f" ({other.source}); the first is current: {each.reason}"
        )
    reasons += [
        f"{each.held_by[0]} holds that {each.current.subject} {each.current.relation} {each.current.object},"
        f" {each.held_by[1]} that it {each.other.relation} {each.other.object}: both are taught as views"
        for each in found
        if each.held_by is not None
    ]
    if any(occurs(each.current.subject, question) for each in disputes):
        score = min(score, CENTRAL_CONFLICT)
        reasons.append("the sources disagree about the question's own subject")
    return score, reasons or [f"{len(facts)} facts, none disputed"]


def _skewed(findings: Findings) -> tuple[bool, list[str]]:
    """Whether half of the passages are from sources that consist of generalisations, and who has any."""
    passages = [hit.passage for hit in findings.evidence]
    found = skewed_sources(passages)
    refused = {each.source for each in found if each.consists_of_them}
    count = sum(passage.source in refused for passage in passages)
    return bool(count) and 2 * count >= len(passages), [each.reason for each in found]


def _quality(findings: Findings) -> tuple[float, list[str]]:
    """A third each for whole sentences, length and facts stated; boilerplate scales all of it down."""
    passages = [hit.passage.text for hit in findings.evidence]
    if not passages:
        return 0.0, []
    if not findings.facts:
        return MIN_QUALITY / 2, ["the rules find no fact in the passages"]
    spans = [text[start:end] for text in passages for start, end in sentences(text)]
    whole = sum(
        s.rstrip("\"'`)").endswith((".", "!", "?")) and len(words(s)) >= FULL_SENTENCE_WORDS for s in spans
    )
    prose = whole / max(1, len(spans))
    length = sum(min(1.0, len(words(text)) / FULL_PASSAGE_WORDS) for text in passages) / len(passages)
    density = min(1.0, len(findings.facts) / len(passages))
    noise = sum(map(is_boilerplate, spans)) / max(1, len(spans))
    score = (prose + length + density) / 3 * (1 - noise)
    reasons = [f"{prose:.0%} whole sentences, {len(findings.facts)} facts in {len(passages)} passages"]
    if noise:
        reasons.append(f"{noise:.0%} of the sentences are boilerplate")
    return score, reasons
