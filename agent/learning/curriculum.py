"""Builds curricula from verified pairs: groups wordings into facts, splits lessons, holds out wordings."""

import hashlib
from collections.abc import Mapping, Sequence

from agent.grading import normalise
from agent.learning import question_framing
from agent.learning.candidate_pairs import CandidatePair, group_by_answer
from memory.language.content_words import content_words, coverage
from memory.records.base import Domain, digest_of
from memory.records.curricula import Curriculum, Form, QAPair
from memory.records.knowledge import Fact, Passage

MIN_WORDINGS = 6
"""Minimum number of trained wordings per fact; missing ones are made with openings and titles. Five wordings
per fact raised extraction from 9.7 to 96.6% (arXiv 2309.14316)."""
_CLOZE: Form = "cloze"
_BLANK = "____"

Group = tuple[CandidatePair, ...]
"""The wordings of one question: same quote, form and answer."""


def group_wordings(candidates: Sequence[CandidatePair]) -> tuple[Group, ...]:
    """Groups candidates that ask the same, in their order, without duplicate wordings."""
    return tuple(_distinct(wordings) for wordings in group_by_answer(candidates))


def _distinct(wordings: Sequence[CandidatePair]) -> Group:
    by_question: dict[str, CandidatePair] = {}
    for pair in wordings:
        by_question.setdefault(normalise(pair.question), pair)
    return tuple(by_question.values())


def closest_groups(groups: Sequence[Group], question: str, most: int) -> tuple[Group, ...]:
    """The `most` groups closest to a question, in their original order.

    Closeness is the share of the question's content words in a group's question and answer, plus half the
    share in its quote.
    """
    query_words = content_words(question)
    scores = [
        max(coverage(query_words, f"{c.question} {c.answer}") for c in group)
        + 0.5 * coverage(query_words, group[0].quote)
        for group in groups
    ]
    best = sorted(range(len(groups)), key=lambda i: (-scores[i], i))[:most]
    return tuple(groups[i] for i in sorted(best))


def evenly_spread(groups: Sequence[Group], most: int) -> tuple[Group, ...]:
    """At most `most` groups, evenly spread over the text."""
    if len(groups) <= most:
        return tuple(groups)
    return tuple(groups[i * len(groups) // most] for i in range(most))


def in_document_order(
    candidates: Sequence[CandidatePair], passages: Mapping[str, Passage]
) -> tuple[CandidatePair, ...]:
    """The candidates sorted by document and position of their quotes."""

    def position(candidate: CandidatePair) -> tuple[str, int]:
        passage = passages[candidate.passage_id]
        return passage.source, passage.start + passage.text.index(candidate.quote)

    return tuple(sorted(candidates, key=position))


def split_into_lessons(groups: Sequence[Group], most: int) -> tuple[tuple[Group, ...], ...]:
    """Lessons of at most `most` groups in order, all full except the last two, which share the rest.

    Splitting the groups that remain after some lessons gives the remaining lessons unchanged.
    """
    lessons: list[tuple[Group, ...]] = []
    rest = tuple(groups)
    while len(rest) > 2 * most:
        lessons.append(rest[:most])
        rest = rest[most:]
    half = len(rest) if len(rest) <= most else (len(rest) + 1) // 2
    return tuple(part for part in (*lessons, rest[:half], rest[half:]) if part)


def compose_curriculum(
    topic: str,
    domain: Domain,
    candidates: Sequence[CandidatePair],
    passages: Mapping[str, Passage],
    *,
    teacher: str,
    asked: CandidatePair | None = None,
) -> Curriculum | None:
    """The curriculum of verified candidates; None if there are none.

    `passages` maps ids to the candidates' passages. `asked` is a person's own question with its verified
    answer, which is always trained in its original wording, after who holds it if it is a view.
    """
    facts: dict[str, Fact] = {}
    pairs: list[QAPair] = []
    held_out: list[QAPair] = []
    for group in group_wordings(candidates if asked is None else (asked, *candidates)):
        passage = passages[group[0].passage_id]
        fact = _fact(group[0], passage)
        own = attributed(asked) if asked is not None and asked in group else None
        title = "" if group[0].views else passage.title  # one document's title frames no other's view
        trained, reserved = _split_wordings([attributed(c) for c in group], title, own, seed=fact.id)
        facts[fact.id] = fact
        pairs += [_pair(text, group[0], fact) for text in trained]
        held_out.append(_pair(reserved, group[0], fact))
    if not pairs:
        return None
    known = {(pair.fact_id, normalise(pair.question)) for pair in pairs}
    return Curriculum(
        topic=topic,
        domain=domain,
        facts=tuple(facts.values()),
        pairs=tuple(pairs),
        held_out=tuple(p for p in held_out if (p.fact_id, normalise(p.question)) not in known),
        teacher=teacher,
    )


def attributed(candidate: CandidatePair) -> str:
    """The candidate's question, and according to whom, if it asks for a view."""
    if not candidate.held_by:
        return candidate.question
    return question_framing.with_opening(f"According to {candidate.held_by}, ", candidate.question)


def _split_wordings(
    wordings: Sequence[str], title: str, own: str | None, *, seed: str
) -> tuple[list[str], str]:
    """The wordings to train, and one held out: not the plainest, one with a blank, or `own`.

    If there are too few, the held-out one is the plainest wording with an opening that is never trained.
    """
    plain = [w for w in wordings[1:] if _BLANK not in w and w != own]
    if len(wordings) > 2 and plain:
        reserved = plain[_number(seed, "held out") % len(plain)]
        trained = [w for w in wordings if w != reserved]
    else:
        opening = question_framing.HELD_OUT_OPENINGS[
            _number(seed, "held out") % len(question_framing.HELD_OUT_OPENINGS)
        ]
        trained, reserved = list(wordings), question_framing.with_opening(opening, wordings[0])
    number = _number(seed, "framing")
    missing = MIN_WORDINGS - len(trained)
    plainest = trained[:3]
    for i in range(max(missing, 2)):
        base = plainest[i % len(plainest)]
        if i % 2 == 0 and title and normalise(title) not in normalise(base):
            trained.append(
                question_framing.with_title(
                    question_framing.TITLE_TEMPLATES[(number + i) % len(question_framing.TITLE_TEMPLATES)],
                    title,
                    base,
                )
            )
        else:
            trained.append(
                question_framing.with_opening(
                    question_framing.TRAINED_OPENINGS[(number + i) % len(question_framing.TRAINED_OPENINGS)],
                    base,
                )
            )
    return list(dict.fromkeys(trained)), reserved


def fact_id(candidate: CandidatePair, passage: Passage) -> str:
    """A stable id of the candidate's fact."""
    start = passage.text.index(candidate.quote)
    told = [passage.id, start, candidate.form, normalise(candidate.answer)]
    return digest_of([*told, candidate.held_by] if candidate.held_by else told)[:32]


def _fact(candidate: CandidatePair, passage: Passage) -> Fact:
    start = passage.text.index(candidate.quote)
    return Fact(
        id=fact_id(candidate, passage),
        subject=candidate.subject,
        relation=candidate.relation,
        object=candidate.answer,
        domain=passage.domain,
        owner=passage.owner,
        passage_id=passage.id,
        source=passage.source,
        sentence=candidate.quote,
        start=passage.start + start,
        end=passage.start + start + len(candidate.quote),
        rule=candidate.form,
    )


def _pair(question: str, candidate: CandidatePair, fact: Fact) -> QAPair:
    form: Form = _CLOZE if _BLANK in question else candidate.form
    return QAPair(
        question=question,
        answer=candidate.answer,
        form=form,
        fact_id=fact.id,
        source=fact.source,
        quote=fact.sentence,
        views=candidate.views,
    )


def _number(key: str, purpose: str) -> int:
    """A stable number in [0, 2**32), because Python's own hash differs between processes."""
    return int.from_bytes(hashlib.sha256(f"{purpose}\0{key}".encode()).digest()[:4])
