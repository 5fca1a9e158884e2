"""More than one view: what perspectives hold differently is taught as what each holds, never as one truth."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from agent.grading import normalise
from agent.learning.candidate_pairs import CandidatePair
from agent.learning.contradictions import conflicts
from memory.records.curricula import View
from memory.records.knowledge import Fact, Passage
from memory.records.perspectives import Viewpoints

MAX_JOINT_WORDS = 18
"""Of an answer that tells several views: evaluation lets a model say no more than 32 tokens. Views that are
longer together are taught one by one alone."""
UNTAUGHT = "of a perspective that weighs nothing"
NOBODYS = "what perspectives see differently, said by a document of none"
ANSWERED_BY_VIEWS = "perspectives answer it differently"
_BLANK = "____"
_HOLDS = re.compile(r"(?:^|; )(?P<name>\w[\w .,'&/()-]{0,59}?) holds: ")


class Contested(NamedTuple):
    """What the sources of a topic do not agree about."""

    disputed: frozenset[str]
    """Sentences that other sources contradict: one of them is wrong."""
    views: frozenset[str]
    """Sentences that another perspective sees differently: each may be taught as what somebody holds."""

    def is_disputed(self, quote: str) -> bool:
        """Whether the quote says what is disputed."""
        return _says(quote, self.disputed)

    def is_view(self, quote: str) -> bool:
        """Whether the quote says what another perspective sees differently."""
        return _says(quote, self.views)


def contested(facts: Sequence[Fact], viewpoints: Viewpoints) -> Contested:
    """The sentences that the facts' conflicts are about. What is both disputed and a view is disputed."""
    found = conflicts(facts, viewpoints)
    said = {
        is_view: frozenset(
            fact.sentence
            for each in found
            if (each.kind == "view") == is_view
            for fact in (each.current, each.other)
        )
        for is_view in (True, False)
    }
    return Contested(disputed=said[False], views=said[True] - said[False])


def taught(
    candidates: Sequence[CandidatePair],
    passages: Mapping[str, Passage],
    found: Contested,
    viewpoints: Viewpoints,
) -> tuple[tuple[CandidatePair, ...], dict[str, int]]:
    """The candidates that may be taught, those of views with who holds them, and the number of others by
    reason.

    Who holds what comes from `viewpoints` alone: what a teacher or a client wrote there is dropped.
    """
    kept: list[CandidatePair] = []
    left_out: Counter[str] = Counter()
    for candidate in candidates:
        passage = passages.get(candidate.passage_id)
        speaker = viewpoints.of(passage) if passage is not None else ""
        is_view = found.is_view(candidate.quote)
        if passage is not None and speaker and viewpoints.weight(passage) == 0:
            left_out[UNTAUGHT] += 1
        elif is_view and not speaker:
            left_out[NOBODYS] += 1
        else:
            holder = speaker if is_view else ""
            kept.append(candidate.model_copy(update={"held_by": holder, "views": ()}))
    return tuple(kept), dict(left_out)


def beside_views(
    candidates: Sequence[CandidatePair], passages: Mapping[str, Passage], viewpoints: Viewpoints
) -> tuple[CandidatePair, ...]:
    """The candidates; one that is no view and answers otherwise what views answer becomes its speaker's view,
    or is left out if it has none."""
    answers: dict[str, set[str]] = {}
    for candidate in candidates:
        if candidate.held_by:
            answers.setdefault(normalise(candidate.question), set()).add(normalise(candidate.answer))
    kept: list[CandidatePair] = []
    for candidate in candidates:
        others = answers.get(normalise(candidate.question), set()) - {normalise(candidate.answer)}
        speaker = viewpoints.of(passages[candidate.passage_id])
        if candidate.held_by or not others:
            kept.append(candidate)
        elif speaker:
            kept.append(candidate.model_copy(update={"held_by": speaker}))
    return tuple(kept)


def by_holder(candidates: Sequence[CandidatePair]) -> dict[str, list[CandidatePair]]:
    """The candidates of each perspective, in order; under an empty name those that are no views."""
    found: dict[str, list[CandidatePair]] = {}
    for candidate in candidates:
        found.setdefault(candidate.held_by, []).append(candidate)
    return found


def without_others(passages: Collection[Passage], holder: str, viewpoints: Viewpoints) -> list[Passage]:
    """The passages that may speak against what the perspective holds: not those of other perspectives."""
    return [each for each in passages if not holder or viewpoints.of(each) in ("", holder)]


def joint(
    candidates: Sequence[CandidatePair], passages: Mapping[str, Passage], viewpoints: Viewpoints
) -> tuple[CandidatePair, ...]:
    """One candidate for each question that several perspectives answer: `X holds: ...; Y holds: ...`.

    The heaviest perspective comes first. All parts are verified already.
    """
    questions: dict[str, dict[str, CandidatePair]] = {}
    for candidate in candidates:
        if candidate.held_by and _BLANK not in candidate.question:
            questions.setdefault(normalise(candidate.question), {}).setdefault(candidate.held_by, candidate)
    told = [
        _together(list(held.values()), passages, viewpoints)
        for held in questions.values()
        if len({normalise(each.answer) for each in held.values()}) > 1
    ]
    return tuple(each for each in told if len(each.answer.split()) <= MAX_JOINT_WORDS)


def told_views(answer: str) -> tuple[tuple[str, str], ...]:
    """Who holds what, of an answer as `joint` makes it; nothing of any other."""
    starts = list(_HOLDS.finditer(answer))
    if not starts or starts[0].start():
        return ()
    ends = [*(each.start() for each in starts[1:]), len(answer)]
    return tuple(
        (each["name"], answer[each.end() : end].strip(" .;")) for each, end in zip(starts, ends, strict=True)
    )


def _together(
    held: Sequence[CandidatePair], passages: Mapping[str, Passage], viewpoints: Viewpoints
) -> CandidatePair:
    weights = {each.held_by: viewpoints.weight(passages[each.passage_id]) for each in held}
    named = sorted(held, key=lambda each: (-weights[each.held_by], each.held_by))
    views = tuple(
        View(
            held_by=each.held_by,
            source=passages[each.passage_id].source,
            owner=passages[each.passage_id].owner,
            quote=each.quote,
        )
        for each in named
    )
    answer = "; ".join(f"{each.held_by} holds: {each.answer}" for each in named)
    return named[0].model_copy(update={"answer": answer, "held_by": "", "views": views})


def _says(quote: str, sentences: Collection[str]) -> bool:
    return any(quote in sentence or sentence in quote for sentence in sentences)
