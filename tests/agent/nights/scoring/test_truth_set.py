"""The truth set tells good answers from bad ones, and shows when the scorer no longer does."""

from collections import Counter
from dataclasses import replace

import pytest

from agent.grading import DECLINE_PHRASES
from agent.nights.scoring.calibrate import CASES
from agent.nights.scoring.scorer import CRITERIA, Scorer, standard_scorer
from agent.nights.scoring.truth_set import DRIFT, truth_items, truth_set_report
from memory.embedding.embedder import SentenceEmbedder


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return standard_scorer(SentenceEmbedder(), DECLINE_PHRASES)


def test_the_truth_set_is_large_and_spread_over_the_criteria() -> None:
    items = truth_items()
    kinds = Counter((item.criterion, item.good) for item in items)
    assert len(items) >= 60
    assert all(kinds[criterion, good] for criterion in CRITERIA for good in (True, False))


def test_nothing_of_the_truth_set_is_calibrated_on() -> None:
    cases = {item.evidence.question for item in truth_items(CASES)}
    assert not cases & {item.evidence.question for item in truth_items()}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_shipped_scorer_tells_good_from_bad(scorer: Scorer) -> None:
    report = truth_set_report(scorer)
    assert report.auroc >= 0.9
    assert report.mean_good - report.mean_bad >= 3
    assert not report.drifted
    assert report.figures["truth_auroc"] == report.auroc


@pytest.mark.timeout(600)
def test_a_scorer_that_looks_at_nothing_has_drifted(scorer: Scorer) -> None:
    blind = scorer.calibration.model_copy(update={"weights": dict.fromkeys(CRITERIA, 0.0), "intercept": -3.0})
    report = truth_set_report(replace(scorer, calibration=blind))
    assert report.recorded_auroc is not None
    assert report.auroc < report.recorded_auroc - DRIFT
    assert report.drifted
