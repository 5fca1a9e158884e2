"""The gate judges an answer in three ways, and promises nothing where it was not fitted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.chat.gate import (
    FEATURES,
    JUDGED_TOKENS,
    SENTENCE,
    SHORT,
    answer_form,
    answer_signals,
    gate_features,
    measure_uncertainty,
    right_probability,
)
from agent.engines.base import Token
from memory.records.base import Interval
from memory.records.interactions import AnswerGate, LogisticModel
from tests.support.cards import gate


def tokens(
    *entropies: float | tuple[float, float], text: str = " word", logprob: float = -0.1
) -> list[Token]:
    bounds = [(e, e) if isinstance(e, float) else e for e in entropies]
    return [Token(text=text, logprob=-0.1, entropy=Interval(lower=low, upper=high)) for low, high in bounds]


@pytest.mark.parametrize(
    ("entropy", "decision"),
    [((0.1, 0.2), "confident"), ((1.1, 1.2), "unsure"), ((0.9, 1.1), "undecided"), ((1.0, 1.0), "confident")],
)
def test_bounds_that_straddle_the_threshold_stay_undecided(
    entropy: tuple[float, float], decision: str
) -> None:
    assert measure_uncertainty(tokens(entropy), gate(1.0)).decision == decision


def test_the_signals_are_those_of_all_tokens() -> None:
    seen = answer_signals(tokens((0.1, 0.2), (1.5, 1.8)))
    assert seen.first == Interval(lower=0.1, upper=0.2)
    assert seen.maximum == Interval(lower=1.5, upper=1.8)
    assert seen.mean.upper == pytest.approx(1.0)
    assert seen.tokens == 2


def test_an_answer_is_judged_by_its_beginning() -> None:
    rambling = [*tokens(*[0.1] * JUDGED_TOKENS), *tokens(*[9.0] * 100)]
    assert answer_signals(rambling) == answer_signals(rambling[:JUDGED_TOKENS])


def test_every_feature_has_a_value() -> None:
    assert set(gate_features(answer_signals(tokens(0.5)))) == set(FEATURES)


@pytest.mark.parametrize(
    ("count", "form"), [(1, "short"), (SHORT, "short"), (SHORT + 1, "sentence"), (SENTENCE + 1, "long")]
)
def test_the_form_of_an_answer_is_its_length(count: int, form: str) -> None:
    assert answer_form(answer_signals(tokens(*[0.1] * count))) == form


def test_an_admission_is_unsure_however_certain() -> None:
    seen = measure_uncertainty(tokens(0.0), gate(), abstained=True)
    assert (seen.decision, seen.confidence) == ("unsure", None)


@pytest.mark.parametrize("said", [[], tokens(0.0, text=" ")])
def test_saying_nothing_is_unsure(said: list[Token]) -> None:
    assert measure_uncertainty(said, gate()).decision == "unsure"


def test_a_form_that_was_never_calibrated_is_unsure_and_claims_no_confidence() -> None:
    short_only = gate().model_copy(update={"forms": {"short": gate().forms["short"]}})
    seen = measure_uncertainty(tokens(*[0.0] * 50), short_only)
    assert (seen.form, seen.decision, seen.confidence, seen.threshold) == ("long", "unsure", None, None)


def test_without_a_threshold_a_confidence_is_stated_and_nothing_is_confident() -> None:
    fitted = gate().forms["short"].model_copy(update={"threshold": None})
    seen = measure_uncertainty(tokens(0.0), gate().model_copy(update={"forms": {"short": fitted}}))
    assert seen.confidence is not None
    assert seen.decision == "unsure"


def test_the_chance_is_the_sigmoid_of_the_standardised_features() -> None:
    model = LogisticModel(
        features=("a", "b"), mean=(1.0, 0.0), scale=(2.0, 1.0), weights=(3.0, -1.0), intercept=0.5
    )
    assert right_probability(model, {"a": 3.0, "b": 3.5}) == pytest.approx(0.5)
    assert right_probability(model, {"a": 1e6, "b": 0.0}) == pytest.approx(1.0)


@given(st.lists(st.floats(min_value=0, max_value=5), min_size=1, max_size=60), st.floats(0, 3))
def test_wider_bounds_never_make_an_answer_more_confident(entropies: list[float], width: float) -> None:
    exact = measure_uncertainty(tokens(*entropies), gate())
    wide = measure_uncertainty(tokens(*[(max(0.0, e - width), e + width) for e in entropies]), gate())
    assert exact.confidence is not None
    assert wide.confidence is not None
    assert wide.confidence <= exact.confidence + 1e-12
    assert not (wide.decision == "confident" and exact.decision != "confident")


def test_a_gate_survives_being_written_down() -> None:
    assert AnswerGate.model_validate_json(gate().model_dump_json()) == gate()
