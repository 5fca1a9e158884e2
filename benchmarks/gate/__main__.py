"""Benchmark of the answer gate (`make bench-gate DATA=folder`): discrimination, calibration and promised
risk.

Asks NQ-open questions, the question bank, questions about invented names, and the manuals' unanswerable
questions. The gate is fitted once on the bank only (transfer), and once on labels of all sets. Answers are
stored in `.nightschool/bench-gate`, so an interrupted run can be resumed.
"""

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.chat.calibration import (
    DELTA,
    FORMS,
    Floats,
    Label,
    auroc,
    calibrate,
    calibration_error,
    cross_validated,
    fit_regression,
    predicted_chances,
)
from agent.chat.gate import FEATURES, answer_form, answer_signals, gate_features, right_probability
from agent.models.card import ModelCard
from agent.models.store import resolve_model
from agent.models.study.answer_log import LoggedAnswer
from agent.settings import read_settings
from benchmarks.gate.data import (
    Question,
    collect_answers,
    labels_of,
    library_passages,
    load_all_questions,
)
from benchmarks.gate.signals import measure_signals, signal_figures
from memory.errors import IngestError
from memory.records.interactions import AnswerGate
from memory.results import FOLDER, Goal, Result, Table, rows, write

SIMULATIONS, BOOTSTRAP_SAMPLES = 500, 500
FOLDS = 5
TIMED_ANSWERS = 200
OUTSIDE_BANK = ["nq", "manuals"]
"""Parts that the transferred gate was not fitted on."""
GOALS = {
    "auroc_all": Goal(at=">=", bound=0.88),
    "auroc_nq": Goal(at=">=", bound=0.80),
    "ece_all": Goal(at="<=", bound=0.05),
    "promise_broken": Goal(at="<=", bound=0.1),
    "invented_stopped": Goal(at=">=", bound=0.95),
    "added_cost": Goal(at="<=", bound=0.05),
}


@dataclass(frozen=True)
class Predictions:
    """The graded answers of all parts, with predicted chances from gates that were not fitted on them."""

    labels: list[Label]
    parts: NDArray[np.str_]
    right: NDArray[np.bool_]
    transfer: Floats
    """By a gate fitted on the bank and the invented names; cross-validated within these."""
    own: Floats
    """By a gate fitted on all parts, cross-validated."""

    @property
    def in_bank(self) -> NDArray[np.bool_]:
        """The answers to bank questions and invented names."""
        return ~np.isin(self.parts, OUTSIDE_BANK)

    @property
    def bank_labels(self) -> list[Label]:
        """The labels of bank questions and invented names."""
        return [label for label, inside in zip(self.labels, self.in_bank, strict=True) if inside]


def predict(questions: Sequence[Question], labels: Sequence[Label | None]) -> Predictions:
    """Predicts every graded answer, with a separate regression per form as in the product."""
    pairs = [
        (question, label) for question, label in zip(questions, labels, strict=True) if label is not None
    ]
    graded = [label for _, label in pairs]
    parts = np.asarray([question.part for question, _ in pairs])
    in_bank = ~np.isin(parts, OUTSIDE_BANK)
    forms = np.asarray([label.form for label in graded])
    transfer, own = np.full(len(graded), np.nan), np.full(len(graded), np.nan)
    for form in FORMS:
        bank, others, both = (
            np.flatnonzero((forms == form) & mask) for mask in (in_bank, ~in_bank, np.ones_like(in_bank))
        )
        bank_labels = [graded[i] for i in bank]
        if len({label.right for label in bank_labels}) < 2:
            continue
        transfer[bank] = cross_validated(bank_labels)
        transfer[others] = predicted_chances(fit_regression(bank_labels), [graded[i] for i in others])
        own[both] = cross_validated([graded[i] for i in both])
    return Predictions(graded, parts, np.asarray([label.right for label in graded]), transfer, own)


class PromiseCounts(NamedTuple):
    """Simulated calibrations that promised one risk."""

    promised: int
    broken: int
    """Those whose share of wrong answers is higher than promised."""
    coverage: float
    """Mean share of answers that pass the gate."""


def simulate_promises(labels: Sequence[Label], simulations: int = SIMULATIONS) -> dict[float, PromiseCounts]:
    """How often calibrations break their promise, by promised risk.

    The labels stand for the population. Each simulation calibrates a gate on a bootstrap sample of them, and
    compares its promise with the share of wrong answers among all labels that pass the gate.
    """
    wrong = np.asarray([not label.right for label in labels])
    rng = np.random.default_rng(0)
    counts: dict[float, PromiseCounts] = {}
    for seed in range(simulations):
        chosen = rng.integers(len(labels), size=len(labels))
        sample = [replace(labels[i], group=str(number)) for number, i in enumerate(chosen)]
        gate = calibrate(sample, fitted_on="a bootstrap sample", seed=seed).gate
        passed = np.asarray([_passes(gate, label) for label in labels])
        if not passed.any():
            continue
        promised, broken, coverage = counts.get(gate.risk, PromiseCounts(0, 0, 0.0))
        counts[gate.risk] = PromiseCounts(
            promised + 1,
            broken + (float(wrong[passed].mean()) > gate.risk),
            coverage + float(passed.mean()),
        )
    return {
        risk: PromiseCounts(promised, broken, coverage / promised)
        for risk, (promised, broken, coverage) in sorted(counts.items())
    }


def _passes(gate: AnswerGate, label: Label) -> bool:
    form_gate = gate.forms.get(label.form)
    if form_gate is None or form_gate.threshold is None:
        return False
    return right_probability(form_gate.model, gate_features(label.seen)) >= form_gate.threshold


class PassCounts(NamedTuple):
    """Questions of a part, those whose answer passes the gate, and those that also are right."""

    questions: int
    passed: int
    right: int


def count_passed(
    predictions: Predictions, questions: Sequence[Question], folds: int = FOLDS
) -> dict[str, PassCounts]:
    """How many answers of each part pass a gate that was calibrated on the other folds of the bank."""
    bank = predictions.bank_labels
    passed = np.zeros(len(predictions.labels), bool)
    fold_of = {label.group: number % folds for number, label in enumerate(predictions.labels)}
    for fold in range(folds):
        gate = calibrate([x for x in bank if fold_of[x.group] != fold], fitted_on="the bank").gate
        for number, label in enumerate(predictions.labels):
            if fold_of[label.group] == fold:
                passed[number] = _passes(gate, label)
    return {
        part: PassCounts(
            count,
            int(passed[predictions.parts == part].sum()),
            int((passed & predictions.right)[predictions.parts == part].sum()),
        )
        for part, count in Counter(question.part for question in questions).items()
    }


def average_precision(scores: Floats, right: NDArray[np.bool_]) -> float:
    """Area under the precision-recall curve for right answers; a random score has the share of right ones."""
    hits = right[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean()) if hits.any() else float("nan")


def risk_coverage(scores: Floats, right: NDArray[np.bool_]) -> Floats:
    """Share of wrong answers among the 1, 2, ... answers with the highest scores."""
    wrong = ~right[np.argsort(-scores, kind="stable")]
    return np.cumsum(wrong) / np.arange(1, len(wrong) + 1)


def interval(figure: Callable[[NDArray[np.int64]], float | None], count: int) -> tuple[float, float]:
    """95% bootstrap interval of a figure that is computed from the answers at some indices."""
    rng = np.random.default_rng(0)
    values = [figure(rng.integers(count, size=count)) for _ in range(BOOTSTRAP_SAMPLES)]
    low, high = np.quantile([value for value in values if value is not None], [0.025, 0.975])
    return float(low), float(high)


def result_of(
    card: ModelCard,
    questions: Sequence[Question],
    answers: Sequence[LoggedAnswer],
    command: str,
    started: float,
) -> tuple[Result, Predictions]:
    """The result without the expensive signals; `started` is the start of the run by `time.monotonic`."""
    predictions = predict(questions, labels_of(questions, answers, card.declines))
    promises = simulate_promises(predictions.bank_labels)
    passed = count_passed(predictions, questions)
    predicted = np.isfinite(predictions.transfer)
    nq = predicted & (predictions.parts == "nq")
    bank = predicted & predictions.in_bank
    promised = sum(counts.promised for counts in promises.values())
    transfer, own, right = predictions.transfer, predictions.own, predictions.right
    figures = {
        "questions": float(len(questions)),
        "auroc_all": auroc(transfer[predicted], right[predicted]) or 0.0,
        "auroc_nq": auroc(transfer[nq], right[nq]) or 0.0,
        "auroc_nq_own_labels": auroc(own[nq], right[nq]) or 0.0,
        "ece_all": calibration_error(transfer[predicted], right[predicted]),
        "ece_all_own_labels": calibration_error(own[predicted], right[predicted]),
        "ece_bank": calibration_error(transfer[bank], right[bank]),
        "ece_nq_transfer": calibration_error(transfer[nq], right[nq]),
        "promises_made": float(promised),
        "promise_broken": sum(counts.broken for counts in promises.values()) / SIMULATIONS,
        "wrong_of_confident_nq": 1 - passed["nq"].right / max(1, passed["nq"].passed),
        "invented_stopped": 1 - passed["invented"].passed / passed["invented"].questions,
        "added_cost": relative_cost(card, answers),
    }
    if promised:
        figures["promise_broken_of_made"] = max(c.broken / c.promised for c in promises.values())
    result = Result(
        name="gate",
        title=f"The gate on {card.name}",
        command=command,
        seconds=time.monotonic() - started,
        figures=figures,
        goals=GOALS,
        tables=(
            _feature_table(predictions),
            _gate_table(predictions),
            _pass_table(passed),
            _promise_table(promises),
        ),
        plots=("gate.svg",),
    )
    return result, predictions


def relative_cost(card: ModelCard, answers: Sequence[LoggedAnswer]) -> float:
    """Time for gating an answer relative to the time for generating it without batching."""
    form_gates = card.gate.forms
    started = time.perf_counter()
    for answer in answers[:TIMED_ANSWERS]:
        signals = answer_signals(answer.tokens)
        form_gate = form_gates.get(answer_form(signals))
        if form_gate is not None:
            right_probability(form_gate.model, gate_features(signals))
    elapsed = time.perf_counter() - started
    tokens = sum(len(answer.tokens) for answer in answers[:TIMED_ANSWERS])
    return elapsed / (tokens / card.speed.tokens_per_second)


def _feature_table(predictions: Predictions) -> Table:
    lines: list[list[object]] = []
    features = [gate_features(label.seen) for label in predictions.labels]
    for name in FEATURES:
        values = np.asarray([of_answer[name] for of_answer in features])
        row: list[object] = [name]
        for mask in _feature_masks(predictions):
            area = auroc(values[mask], predictions.right[mask])
            row.append("-" if area is None else max(area, 1 - area))
        lines.append(row)
    return Table(
        title="Single features",
        text="AUROC in the better direction. `log_tokens` is the baseline: it only uses the length.",
        head=("feature", "all", "NQ", "bank and invented", *FORMS),
        rows=rows(lines),
    )


def _feature_masks(predictions: Predictions) -> list[NDArray[np.bool_]]:
    forms = np.asarray([label.form for label in predictions.labels])
    nq = predictions.parts == "nq"
    return [np.ones_like(nq), nq, predictions.in_bank, *(forms == form for form in FORMS)]


def _gate_table(predictions: Predictions) -> Table:
    lines = []
    forms = np.asarray([label.form for label in predictions.labels])
    masks = {"all": np.ones(len(forms), bool), "NQ": predictions.parts == "nq"}
    masks |= {part: predictions.parts == part for part in ("factual", "code", "creative", "specialised")}
    masks |= {f"{form} answers": forms == form for form in FORMS}
    for fitted_on, predicted in (("bank only", predictions.transfer), ("own labels", predictions.own)):
        for name, mask in masks.items():
            usable = mask & np.isfinite(predicted)
            right, chances = predictions.right[usable], predicted[usable]
            area = auroc(chances, right)
            if area is None:
                continue
            low, high = interval(lambda i, c=chances, r=right: auroc(c[i], r[i]), len(right))  # type: ignore[misc]
            error, brier = calibration_error(chances, right), float(np.mean((chances - right) ** 2))
            error_low, error_high = interval(
                lambda i, c=chances, r=right: calibration_error(c[i], r[i]),  # type: ignore[misc]
                len(right),
            )
            lines.append(
                [
                    fitted_on,
                    name,
                    len(right),
                    float(right.mean()),
                    f"{area:.3f} ({low:.2f}-{high:.2f})",
                    average_precision(chances, right),
                    float(risk_coverage(chances, right).mean()),
                    brier,
                    f"{error:.3f} ({error_low:.2f}-{error_high:.2f})",
                ]
            )
    return Table(
        title="All features combined",
        text="`bank only`: fitted on the bank and the invented names, and cross-validated on these. `own"
        " labels`: fitted on all sets, cross-validated by question. 95% bootstrap intervals in brackets. AURC"
        " is the mean risk over all coverages. The AUPRC of a random score is the share of right answers.",
        head=("fitted on", "set", "answers", "right", "AUROC", "AUPRC", "AURC", "Brier", "ECE"),
        rows=rows(lines),
    )


def _pass_table(passed: Mapping[str, PassCounts]) -> Table:
    lines = [
        [part, counts.questions, counts.passed, counts.right, _share_wrong(counts)]
        for part, counts in passed.items()
    ]
    return Table(
        title="Answers that pass the gate",
        text="With gates calibrated on the other folds of the bank. Their promise does not cover NQ and the"
        " manuals.",
        head=("set", "questions", "confident", "right", "share wrong"),
        rows=rows(lines),
    )


def _share_wrong(counts: PassCounts) -> object:
    return (counts.passed - counts.right) / counts.passed if counts.passed else "-"


def _promise_table(promises: Mapping[float, PromiseCounts]) -> Table:
    lines = [
        [f"{risk:g}", SIMULATIONS, c.promised, c.broken, c.broken / c.promised, c.coverage]
        for risk, c in promises.items()
    ]
    return Table(
        title="Broken promises",
        text=f"Calibrations on bootstrap samples of the bank's labels; delta {DELTA:g}.",
        head=("risk", "simulations", "promised", "broken", "share", "coverage"),
        rows=rows(lines),
    )


def plot(predictions: Predictions, path: Path) -> None:
    """Plots risk against coverage, for NQ and for the bank."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.subplots()
    for name, mask in (("NQ", predictions.parts == "nq"), ("bank and invented", predictions.in_bank)):
        usable = mask & np.isfinite(predictions.transfer)
        risks = risk_coverage(predictions.transfer[usable], predictions.right[usable])
        axes.plot(np.linspace(0, 1, len(risks)), risks, label=name)
    axes.set_xlabel("coverage")
    axes.set_ylabel("share wrong")
    axes.legend()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Runs the benchmark and writes docs/results/gate.*."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with nq-open, squad and manuals")
    parser.add_argument("--model", help="an added model, or a folder with a card; default: the one in use")
    parser.add_argument("--work", type=Path, default=Path(".nightschool/bench-gate"))
    options = parser.parse_args()
    started = time.monotonic()
    model = resolve_model(read_settings(**({"model": options.model} if options.model else {})))
    work = options.work / model.card.digest[:12]
    work.mkdir(parents=True, exist_ok=True)
    try:
        questions, passages = load_all_questions(options.data), library_passages(options.data)
    except (OSError, IngestError) as error:
        parser.error(f"{options.data} needs nq-open, squad and manuals ({error})")
    answers = asyncio.run(collect_answers(model.folder, questions, work))
    command = f"make bench-gate DATA={options.data}"
    result, predictions = result_of(model.card, questions, answers, command, started)
    figures, table = signal_figures(measure_signals(model, passages, questions, answers, work))
    result = result.model_copy(
        update={
            "figures": result.figures | figures,
            "tables": (*result.tables, table),
            "seconds": time.monotonic() - started,
        }
    )
    FOLDER.mkdir(parents=True, exist_ok=True)
    plot(predictions, FOLDER / "gate.svg")
    write(result)


if __name__ == "__main__":
    main()
