"""The truth set: answers known to be good or bad, by which the scorer is watched for drift.

It ships with the product and is never fitted on; `calibration_cases.jsonl`, in the same format, is.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from pydantic import Field

from agent.chat.calibration import auroc, calibration_error
from agent.nights.scoring.evidence import ScoringEvidence, TurnEvidence
from agent.nights.scoring.score import score_turns
from agent.nights.scoring.scorer import Scorer
from memory.records.base import Record
from memory.records.feedback import Feedback, FeedbackKind
from memory.records.interactions import Interaction
from memory.records.knowledge import Citation, Evidence, Findings, Passage
from memory.records.nights import Criterion

TRUTH_SET = Path(__file__).with_name("truth_set.jsonl")
DRIFT = 0.05
"""Fall of the AUROC below the recorded one from which on the scorer has drifted."""
TYPICAL_SCORE = 0.6
"""What the search gives a passage about the question: the median of the best passages for people's questions
about two manuals."""
WRITTEN = datetime(2026, 1, 1, tzinfo=UTC)


class GradedAnswer(Record):
    """An answer that a person graded."""

    text: str
    good: bool
    criterion: Criterion
    """The criterion that it is good or bad by."""
    quote: str | None = None
    """The sentence that it cites, which the source may not hold."""
    feedback: dict[FeedbackKind, float] = {}


class TruthCase(Record):
    """A question with a source, and graded answers to it."""

    id: str
    question: str
    title: str
    source: str
    """Text of the only passage about it."""
    answers: tuple[GradedAnswer, ...] = Field(min_length=1)


class TruthItem(Record):
    """A graded answer as a logged turn with its evidence."""

    case: str
    turn: Interaction
    evidence: TurnEvidence
    good: bool
    criterion: Criterion


class TruthReport(Record):
    """How well a scorer tells good answers from bad ones on the truth set."""

    scorer: str
    items: int
    auroc: float
    error: float
    """Expected calibration error of the chance of being good."""
    auroc_by_criterion: dict[Criterion, float]
    """Of the answers that are good or bad by it, against all of the other kind."""
    mean_good: float
    """Mean score of the good answers."""
    mean_bad: float
    recorded_auroc: float | None
    """At the time of the calibration."""
    drifted: bool

    @property
    def figures(self) -> dict[str, float]:
        """The figures that a night logs."""
        return {
            "truth_items": self.items,
            "truth_auroc": self.auroc,
            "truth_error": self.error,
            "truth_mean_good": self.mean_good,
            "truth_mean_bad": self.mean_bad,
            "drifted": float(self.drifted),
        }


def truth_set_report(scorer: Scorer, items: Sequence[TruthItem] | None = None) -> TruthReport:
    """Scores the truth set, and compares with the figure at the time of the calibration. Blocks."""
    items = truth_items() if items is None else items
    good = np.asarray([item.good for item in items], bool)
    values = np.asarray(score_items(scorer, items))
    overall = auroc(values, good)
    assert overall is not None, "the truth set has good and bad answers"
    by_criterion: dict[Criterion, float] = {}
    for criterion in dict.fromkeys(item.criterion for item in items):
        own = np.asarray([item.criterion == criterion for item in items], bool)
        bad_of_it = own & ~good
        chosen = good | bad_of_it
        measured = auroc(values[chosen], good[chosen]) if bad_of_it.any() else None
        if measured is not None:
            by_criterion[criterion] = measured
    recorded = scorer.calibration.truth_auroc
    return TruthReport(
        scorer=scorer.label,
        items=len(items),
        auroc=overall,
        error=calibration_error((values - 1) / 9, good),
        auroc_by_criterion=by_criterion,
        mean_good=float(values[good].mean()),
        mean_bad=float(values[~good].mean()),
        recorded_auroc=recorded,
        drifted=recorded is not None and overall < recorded - DRIFT,
    )


def score_items(scorer: Scorer, items: Sequence[TruthItem]) -> list[float]:
    """The score of each item, judged alone: the items are no conversation."""
    scores = []
    for item in items:
        evidence = ScoringEvidence(turns={item.turn.id: item.evidence})
        scores.append(score_turns([item.turn], evidence, scorer, now=WRITTEN)[0].value)
    return scores


def truth_items(path: Path = TRUTH_SET) -> tuple[TruthItem, ...]:
    """The items of a file of cases. Raises OSError or ValueError if it cannot be read."""
    lines = path.read_text(encoding="utf-8").splitlines()
    cases = [TruthCase.model_validate_json(line) for line in lines]
    return tuple(
        truth_item(case, answer, f"{case.id}-{number}")
        for case in cases
        for number, answer in enumerate(case.answers)
    )


def truth_item(case: TruthCase, answer: GradedAnswer, id: str) -> TruthItem:
    """The answer as a turn that was answered from the case's source."""
    digest = hashlib.sha256(case.source.encode()).hexdigest()
    passage = Passage(
        id=case.id,
        source=f"{case.id}.md",
        title=case.title,
        domain="truth",
        text=case.source,
        start=0,
        end=len(case.source),
        digest=digest,
    )
    citations: tuple[Citation, ...] = ()
    if answer.quote is not None:
        start = max(0, case.source.find(answer.quote))
        end = start + len(answer.quote)
        citations = (
            Citation(source=passage.source, title=case.title, start=start, end=end, quote=answer.quote),
        )
    return TruthItem(
        case=case.id,
        turn=Interaction(
            id=id,
            question=case.question,
            answer=answer.text,
            domain="truth",
            adapter=None,
            uncertainty=None,
            outcome="answered_from_sources",
            citations=citations,
            created_at=WRITTEN,
        ),
        evidence=TurnEvidence(
            question=case.question,
            findings=Findings(
                query=case.question,
                evidence=(Evidence(passage=passage, score=TYPICAL_SCORE, found_by=("vector",)),),
            ),
            feedback=tuple(
                Feedback(
                    id=f"{id}-{kind}",
                    interaction_id=id,
                    kind=kind,
                    value=value,
                    owner=None,
                    created_at=WRITTEN,
                )
                for kind, value in answer.feedback.items()
            ),
        ),
        good=answer.good,
        criterion=answer.criterion,
    )
