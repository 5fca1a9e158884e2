"""The lesson of a night: verified golden pairs, and what users stated where that may be taught."""

import asyncio
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from agent.chat.support import supports
from agent.concurrency import gather_limited
from agent.engines.base import EndingScorer
from agent.grading import normalise
from agent.learning.candidate_pairs import CandidatePair
from agent.learning.corpus_index import CorpusIndex
from agent.learning.curriculum import Group, attributed, compose_curriculum, fact_id, group_wordings
from agent.learning.fair_share import fair_share
from agent.learning.forgetting import with_unused_digest
from agent.learning.gap_wording import names_all
from agent.learning.taught_facts import TaughtFacts, facts_taught
from agent.learning.teachers.base import Teacher
from agent.learning.verification import unsupported_reason, verify
from agent.nights.statements.contradictions import disputes
from agent.nights.statements.facts import as_said, statement_passage
from memory.adapters.base import AdapterRegistry
from memory.episodic.base import EpisodicMemory
from memory.language.counting import counted
from memory.language.text import words
from memory.outbox.base import Outbox
from memory.records.access import Access
from memory.records.base import Digest, Domain
from memory.records.curricula import Curriculum, Form, QAPair, item_digest
from memory.records.knowledge import Citation, Passage
from memory.records.nights import GoldenPair, Statement
from memory.records.perspectives import NO_VIEWPOINTS, Viewpoints

SURPRISING = 1.5
"""Weight from which a fact is taught again although the live adapter was taught it: half as surprising again
as the average. Chosen; weights lie between .25 and 4."""
TEACHER = "night"
DISPUTED = "another user states otherwise, see `nightschool statements disputed`"
GIVEN_AWAY = "the question about a statement names its answer"
ONE_SIDED = "questions about statements that are nearly all answered alike with yes or no"
CONCURRENCY = 8
FOUND = 5
"""Passages that are looked through for a citation's quote."""
_LONGEST_QUESTION, _LONGEST_ANSWER, _LONGEST_QUOTE = 500, 300, 2000  # limits of CandidatePair
_NOT_IN_QUOTE = "the answer is not in the quote"


class LessonDeps(NamedTuple):
    """What a night's lesson is made with."""

    episodic: EpisodicMemory
    access: Access
    """What the night may read."""
    teacher: Teacher
    """Writes further wordings of the golden questions, and the questions about statements."""
    registry: AdapterRegistry
    outbox: Outbox
    scorer: EndingScorer | None = None
    """Checks the endings of the teacher's questions, if there is one."""
    viewpoints: Viewpoints = NO_VIEWPOINTS


class NightLesson(NamedTuple):
    """The lesson of a night, and what was left out of it."""

    curriculum: Curriculum | None
    """None if there is too little to teach."""
    left_out: dict[str, int]
    """Number of facts or pairs by reason."""
    reason: str
    """What the lesson consists of, or why there is none, in words."""


async def night_curriculum(
    golden: Sequence[GoldenPair],
    statements: Sequence[Statement],
    weights: Mapping[Digest, float],
    *,
    domain: Domain,
    topic: str,
    minimum: int,
    deps: LessonDeps,
    evaluated: Collection[str] = frozenset(),
    most: int = 240,
    attacked: tuple[QAPair, ...] = (),
) -> NightLesson:
    """The lesson of the approved golden pairs, and of the `statements`, with a held-out wording of each fact.

    `statements` are what users said: pass none unless the night may teach them. Those that still hold are
    taught with who said them, never as true in general, and those that other users contradict are not.
    `weights` are the surprises of taught items, by which earlier lessons are rehearsed; a fact that the live
    adapter was taught is left out, unless its surprise is high. `evaluated` are the normalised questions of
    evaluations, which are never taught (see `evaluated_prompts`). A lesson has at least `minimum` and at most
    `most` facts, of which each document gets a fair share; what users said counts as one. `attacked` are
    asked by its evaluation, and not taught.
    Raises TeacherError, EngineUnavailable, StoreUnavailable.
    """
    left_out: Counter[str] = Counter()
    usable = list(_usable(golden, domain, evaluated, left_out))
    cited = await _cited_passages([c for pair in usable for c in pair.citations], deps)
    current = [statement for statement in statements if statement.status == "current"]
    disputed = {each.id for group in await asyncio.to_thread(disputes, current) for each in group}
    left_out[DISPUTED] += len(disputed)
    said = {statement.id: statement for statement in current if statement.id not in disputed}
    passages = {p.id: p for p in (*cited.values(), *map(statement_passage, said.values()))}
    written = await deps.teacher.write(list(passages.values())) if passages else None
    corpus = await asyncio.to_thread(CorpusIndex, list(passages.values()))
    candidates = [
        c for c in (written.candidates if written else ()) if normalise(c.question) not in evaluated
    ]
    verified = await verify(candidates, passages, corpus=corpus, scorer=deps.scorer)
    left_out.update(verified.dropped)
    groups = group_wordings(verified.kept)
    asked = await asyncio.to_thread(_golden_groups, usable, cited, groups, corpus, left_out, deps.viewpoints)
    attributed_groups = [
        _attributed(group, said[group[0].passage_id].speaker)
        for group in groups
        if group[0].passage_id in said
    ]
    stated = list(_telling(attributed_groups, left_out))
    taught = await facts_taught(domain, deps.registry, deps.outbox)
    chosen = [g for g in (*asked, *stated) if _is_wanted(g, passages, taught, weights, left_out)]
    if len(chosen) > most:
        left_out["more than one lesson holds"] += len(chosen) - most
    counts = dict(left_out + Counter())  # without zeros
    if len(chosen) < minimum:
        return NightLesson(None, counts, _too_few(len(chosen), minimum, counts))

    def document(group: Group) -> str:
        passage = passages[group[0].passage_id]
        return "what users said" if passage.id in said else passage.source

    shared = fair_share(chosen, document, most)
    wordings = [candidate for group in shared for candidate in group]
    composed = await asyncio.to_thread(compose_curriculum, topic, domain, wordings, passages, teacher=TEACHER)
    if composed is None:
        return NightLesson(None, counts, _too_few(0, minimum, counts))
    rounded = {item: round(weight, 3) for item, weight in weights.items() if round(weight, 3) != 1}
    facts = tuple(as_said(f, said[f.passage_id]) if f.passage_id in said else f for f in composed.facts)
    curriculum = composed.model_copy(
        update={"facts": facts, "early_stop": True, "weights": rounded, "attacked": attacked}
    )
    return await asyncio.to_thread(_unless_quarantined, curriculum, counts, deps.registry)


def _usable(
    golden: Sequence[GoldenPair], domain: Domain, evaluated: Collection[str], left_out: Counter[str]
) -> Iterator[GoldenPair]:
    """The approved pairs of the domain that a lesson can hold, those with the highest score first."""
    for pair in sorted(golden, key=lambda pair: (-pair.score, pair.id)):
        if pair.domain != domain:
            continue
        if pair.status == "withdrawn":
            left_out["another golden pair contradicts it"] += 1
        elif pair.status != "approved":
            left_out["a person has not approved it"] += 1
        elif not pair.citations:
            left_out["nothing is cited for it"] += 1
        elif normalise(pair.question) in evaluated:
            left_out["its question is in an evaluation set"] += 1
        elif len(pair.question) > _LONGEST_QUESTION or len(pair.answer) > _LONGEST_ANSWER:
            left_out["it is too long for a lesson"] += 1
        else:
            yield pair


async def _cited_passages(citations: Sequence[Citation], deps: LessonDeps) -> dict[tuple[str, str], Passage]:
    """The stored passage of each citation, by its source and quote; only those whose quote still stands."""
    distinct = {(citation.source, citation.quote.strip()) for citation in citations}
    wanted = sorted(each for each in distinct if 0 < len(each[1]) <= _LONGEST_QUOTE)

    async def find(source: str, quote: str) -> Passage | None:
        found = await deps.episodic.search(quote, by="text", limit=FOUND, access=deps.access)
        hits = (hit.passage for hit in found)
        return next((hit for hit in hits if hit.source == source and quote in hit.text), None)

    passages = await gather_limited((partial(find, *each) for each in wanted), CONCURRENCY)
    return {each: passage for each, passage in zip(wanted, passages, strict=True) if passage is not None}


def _golden_groups(
    golden: Sequence[GoldenPair],
    cited: Mapping[tuple[str, str], Passage],
    written: Sequence[Group],
    corpus: CorpusIndex,
    left_out: Counter[str],
    viewpoints: Viewpoints,
) -> list[Group]:
    """Each golden question that its citation supports, with the teacher's wordings of the same question.

    What perspectives hold is left to learn runs, which teach it as such.
    """
    candidates: list[CandidatePair] = []
    for pair in golden:
        reason: str | None = "its source is gone, or was changed"
        for citation in pair.citations:
            passage = cited.get((citation.source, citation.quote.strip()))
            if passage is None:
                continue
            if viewpoints.of(passage):
                reason = "its source speaks from a perspective"
                continue
            candidate = CandidatePair(
                question=pair.question,
                answer=pair.answer,
                form=question_form(pair.question),
                quote=citation.quote.strip(),
                passage_id=passage.id,
            )
            reason = _unsupported(candidate, passage, corpus)
            if reason is None:
                candidates += _with_wordings(candidate, written)
                break
        if reason is not None:
            left_out[reason] += 1
    return list(group_wordings(candidates))


def _unsupported(candidate: CandidatePair, passage: Passage, corpus: CorpusIndex) -> str | None:
    """Why the candidate does not follow from its passage.

    People word their questions freely, so that all they ask about has to be in the passage. An answer in
    words of its own has to say what the quote says.
    """
    if not names_all(candidate.question, passage):
        return "the passage does not name all that the question is about"
    reason = unsupported_reason(candidate, passage, corpus)
    if reason != _NOT_IN_QUOTE:
        return reason
    nearby = f"{passage.title} {passage.section}"
    if supports(candidate.quote, candidate.answer, question=candidate.question, nearby=nearby):
        return None
    return reason


def _with_wordings(candidate: CandidatePair, written: Sequence[Group]) -> tuple[CandidatePair, ...]:
    """The candidate, followed by the teacher's wordings of the same sentence and answer, if it wrote some."""
    for group in written:
        first = group[0]
        same_sentence = first.quote in candidate.quote or candidate.quote in first.quote
        if (
            first.passage_id == candidate.passage_id
            and same_sentence
            and normalise(first.answer) == normalise(candidate.answer)
            and first.form != "yes_no"
        ):
            as_written = {
                "form": first.form,
                "quote": first.quote,
                "subject": first.subject,
                "relation": first.relation,
            }
            return (candidate.model_copy(update=as_written), *group)
    return (candidate,)


def _attributed(group: Group, speaker: str) -> Group:
    """The wordings about a statement, asked `According to` its speaker, also where they name somebody who is
    called alike."""
    return tuple(each.model_copy(update={"held_by": speaker}) for each in group)


def _telling(groups: Sequence[Group], left_out: Counter[str]) -> Iterator[Group]:
    """The groups about statements whose answers show that the statement is known.

    Half of the questions about what somebody says of themselves would be answered by their name, which
    `According to` gives away, or by `Yes`: a model taught those answers everything so.
    """
    answers = Counter(normalise(group[0].answer) for group in groups if group[0].form == "yes_no")
    most = min(answers["yes"], answers["no"])
    kept: Counter[str] = Counter()
    for group in groups:
        answer = normalise(group[0].answer)
        if group[0].form == "yes_no":
            if kept[answer] == most:
                left_out[ONE_SIDED] += 1
                continue
            kept[answer] += 1
            yield group
            continue
        asking = tuple(each for each in group if not set(words(answer)) <= set(words(attributed(each))))
        if asking:
            yield asking
        else:
            left_out[GIVEN_AWAY] += 1


def _is_wanted(
    group: Group,
    passages: Mapping[str, Passage],
    taught: TaughtFacts,
    weights: Mapping[Digest, float],
    left_out: Counter[str],
) -> bool:
    """Whether the fact is new, or taught before and surprising again."""
    fact = fact_id(group[0], passages[group[0].passage_id])
    if fact in taught.quarantined:
        left_out["in a lesson that is in quarantine"] += 1
        return False
    surprise = max(weights.get(item_digest(attributed(each), each.answer), 0.0) for each in group)
    if fact in taught.live and surprise < SURPRISING:
        left_out["taught in earlier lessons"] += 1
        return False
    return True


def _unless_quarantined(
    curriculum: Curriculum, left_out: dict[str, int], registry: AdapterRegistry
) -> NightLesson:
    """The lesson under a digest that can be handed over, unless it is in quarantine."""
    unused = with_unused_digest(curriculum, registry)
    quarantined = registry.quarantined(curriculum.digest) or registry.quarantined(unused.digest)
    if quarantined is not None:
        return NightLesson(None, left_out, f"this lesson is in quarantine: {quarantined}")
    text = f"{counted(len(unused.facts), 'fact')} in {counted(len(unused.pairs), 'wording')}"
    return NightLesson(unused, left_out, f"{text}, and {len(unused.held_out)} held out")


def _too_few(count: int, minimum: int, left_out: Mapping[str, int]) -> str:
    why = "; ".join(f"{number}: {reason}" for reason, number in sorted(left_out.items()))
    needed = f"{minimum} {'is' if minimum == 1 else 'are'} needed"
    left = f". Left out: {why}" if why else ""
    return f"{counted(count, 'fact')} to teach, and {needed}{left}"


def question_form(question: str) -> Form:
    """The form of a question by its English question word; `statement` for a request without one."""
    text = question.strip().lower()
    for pattern, form in _FORMS:
        if pattern.search(text):
            return form
    return "what" if text.endswith("?") else "statement"


_PATTERNS: Sequence[tuple[str, Form]] = (
    (r"\bhow many\b", "how_many"),
    (r"\bhow (?:much|long|far|high|old|big|deep|wide|often)\b", "how_much"),
    (r"\b(?:who|whom|whose)\b", "who"),
    (r"\bwhen\b|\bwhat (?:year|date|day|time)\b", "when"),
    (r"\bwhere\b", "where"),
    (r"\bwhy\b", "why"),
    (r"\bwhich\b", "which"),
    (r"\bhow\b", "how"),
    (r"\bwhat\b", "what"),
    (r"^(?:is|are|was|were|do|does|did|can|could|will|would|should|must|may|has|have|had)\b", "yes_no"),
)
_FORMS: Sequence[tuple[re.Pattern[str], Form]] = tuple((re.compile(text), form) for text, form in _PATTERNS)
