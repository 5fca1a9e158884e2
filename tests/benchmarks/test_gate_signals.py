"""The expensive signals of `make bench-gate`."""

import numpy as np
import pytest

from agent.chat.calibration import Label
from benchmarks.gate.signals import (
    ExpensiveSignals,
    agreement,
    coverage,
    rewordings_of,
    sample_indices,
    signal_figures,
)
from memory.embedding.embedder import HashingEmbedder
from memory.records.base import Interval
from memory.records.interactions import Signals


def signals_of(entropy: float) -> Signals:
    exact = Interval(lower=entropy, upper=entropy)
    return Signals(
        first=exact, mean=exact, maximum=exact, mean_logprob=-entropy, min_logprob=-entropy, tokens=5
    )


def expensive_signals(count: int = 400) -> ExpensiveSignals:
    """Features and coverage are noise, agreement tells a little, the hidden states nearly everything."""
    rng = np.random.default_rng(0)
    right = rng.uniform(size=count) < 0.4
    return ExpensiveSignals(
        labels=[
            Label(group=str(n), form="short", seen=signals_of(float(rng.uniform())), right=bool(ok))
            for n, ok in enumerate(right)
        ],
        parts=np.where(np.arange(count) % 2 == 0, "nq", "factual"),
        agreement=right + rng.normal(size=count),
        coverage=rng.uniform(size=count),
        states=(right[:, None] + 0.5 * rng.normal(size=(count, 20))).astype(np.float32),
    )


def test_signals_are_told_apart_by_what_they_tell() -> None:
    figures, table = signal_figures(expensive_signals())
    assert abs(figures["auroc_coverage"] - 0.5) < 0.1
    assert 0.65 < figures["auroc_agreement"] < 0.85
    assert figures["auroc_probe"] > 0.95
    assert figures["auroc_with_all_signals"] > figures["auroc_gate_on_sample"] + 0.3
    assert len(table.rows) == 8


def test_hidden_states_that_tell_nothing_are_not_found_to_tell_something() -> None:
    """A probe has more features than there are answers: it must be judged on answers that it did not see."""
    rng = np.random.default_rng(1)
    informative = expensive_signals(200)
    noise = ExpensiveSignals(
        informative.labels,
        informative.parts,
        informative.agreement,
        informative.coverage,
        rng.normal(size=(200, 1000)).astype(np.float32),
    )
    assert abs(signal_figures(noise)[0]["auroc_probe"] - 0.5) < 0.12


def test_agreement_is_of_an_answer_with_its_own_others() -> None:
    answers = ["Paris is the capital of France.", "An unknown thing.", "Blue."]
    others = [["The capital of France is Paris."], ["A whole other matter entirely!"], []]
    same, different, none = agreement(answers, others, HashingEmbedder())
    assert same > 0.8 > different
    assert none == 0


def test_coverage_is_that_of_the_closest_passage() -> None:
    passages = ["Bees make honey.", "The Nile flows through Egypt."]
    covered, bare = coverage(["Where does the Nile flow?", "Who wrote Emma?"], passages, HashingEmbedder())
    assert covered > bare


def test_a_sample_takes_of_every_part_but_the_few_of_the_manuals() -> None:
    parts = ["nq"] * 600 + ["code"] * 200 + ["invented"] * 10 + ["manuals"] * 10
    indices = sample_indices(parts)
    assert indices == sample_indices(parts)
    assert [sum(parts[index] == part for index in indices) for part in ("nq", "code", "invented")] == [
        500,
        125,
        10,
    ]
    assert len(indices) == 635


@pytest.mark.parametrize("question", ["Who wrote Emma?", "name the capital of Peru"])
def test_other_wordings_are_other_ones(question: str) -> None:
    assert question not in rewordings_of(question)
