"""The scorer is monotone in every criterion, and its version says what a score depends on."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from agent.nights.scoring.scorer import CRITERIA, standard_scorer
from memory.embedding.embedder import HashingEmbedder
from memory.records.nights import Criterion

SCORER = standard_scorer(HashingEmbedder(), ("i don't know",))
SHARES = st.floats(0, 1)
JUDGED = st.dictionaries(st.sampled_from(CRITERIA), SHARES)


@given(judged=JUDGED, name=st.sampled_from(CRITERIA), values=st.tuples(SHARES, SHARES))
def test_a_better_criterion_never_lowers_the_score(
    judged: dict[Criterion, float], name: Criterion, values: tuple[float, float]
) -> None:
    low, high = sorted(values)
    assert SCORER.score(judged | {name: low}) <= SCORER.score(judged | {name: high})


@given(judged=JUDGED)
def test_scores_are_between_1_and_10(judged: dict[Criterion, float]) -> None:
    assert 1 <= SCORER.score(judged) <= 10


def test_every_criterion_counts() -> None:
    good = dict.fromkeys(CRITERIA, 1.0)
    for name in CRITERIA:
        assert SCORER.score(good | {name: 0.2}) < SCORER.score(good)


def test_the_version_changes_with_weights_and_with_the_model_s_phrases() -> None:
    heavier = SCORER.calibration.model_copy(update={"intercept": 3.0})
    others = (replace(SCORER, calibration=heavier), replace(SCORER, declines=("no idea",)))
    assert len({SCORER.version, *(other.version for other in others)}) == 3
    assert standard_scorer(HashingEmbedder(), ("i don't know",)).label == SCORER.label
