"""`make bench-gate DATA=folder`: how well the gate tells right from wrong, and whether it keeps its promise.

Asks the model NQ-open questions, the bank, invented names and the manuals' unanswerable questions. The gate
is fitted on the bank alone (transfer) and, beside that, on labels of each domain. Answers are kept under
`.nightschool/bench-gate`, so an interrupted run goes on where it was.
"""

import argparse
import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

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
from benchmarks.gate import signals as gate_signals
from benchmarks.gate.data import Asked, collect, labels_of, library, material
from memory.errors import IngestError
from memory.records.interactions import AnswerGate
from memory.results import FOLDER, Goal, Result, Table, rows, write

DRAWS, BOOTSTRAP = 500, 500
GOALS = {
    "auroc_all": Goal(at=">=", bound=0.88),
    "auroc_nq": Goal(at=">=", bound=0.80),
    "ece_all": Goal(at="<=", bound=0.05),
    "promise_broken": Goal(at="<=", bound=0.1),
    "invented_stopped": Goal(at=">=", bound=0.95),
    "added_cost": Goal(at="<=", bound=0.05),
}


@dataclass(frozen=True)
class Scored:
    """Labels of all parts with the chance that a gate that never saw them states."""

    labels: list[Label]
    parts: NDArray[np.str_]
    right: NDArray[np.bool_]
    transfer: Floats
    """By a gate fitted on the bank and invented names only; those themselves by cross-validation."""
    own: Floats
    """By a gate fitted on all parts, cross-validated."""


def score(asked: Sequence[Asked], labels: Sequence[Label | None]) -> Scored:
    """States chances for every label, per form, as the product does."""
    pairs = [(item, label) for item, label in zip(asked, labels, strict=True) if label is not None]
    kept = [label for _, label in pairs]
    parts = np.asarray([item.part for item, _ in pairs])
    inside = ~np.isin(parts, ["nq", "manuals"])
    forms = np.asarray([label.form for label in kept])
    transfer, own = np.full(len(kept), np.nan), np.full(len(kept), np.nan)
    for form in FORMS:
        bank, other, whole = (
            np.flatnonzero((forms == form) & mask) for mask in (inside, ~inside, np.ones_like(inside))
        )
        fitting = [kept[i] for i in bank]
        if len({label.right for label in fitting}) < 2:
            continue
        transfer[bank] = cross_validated(fitting)
        transfer[other] = predicted_chances(fit_regression(fitting), [kept[i] for i in other])
        own[whole] = cross_validated([kept[i] for i in whole])
    return Scored(kept, parts, np.asarray([label.right for label in kept]), transfer, own)


def promise(labels: Sequence[Label], draws: int = DRAWS) -> dict[float, tuple[int, int, float]]:
    """Draws whose gate promised something, draws that broke it, and mean coverage, by the risk promised.

    The labels stand for all questions: each draw takes as many of them, with replacement, fits and chooses
    on these, and is held to the share of wrong answers among all that its threshold lets through.
    """
    wrong = np.asarray([not label.right for label in labels])
    draw = np.random.default_rng(0)
    found: dict[float, tuple[int, int, float]] = {}
    for seed in range(draws):
        chosen = draw.integers(len(labels), size=len(labels))
        sample = [replace(labels[i], group=str(number)) for number, i in enumerate(chosen)]
        gate = calibrate(sample, fitted_on="a draw", seed=seed).gate
        sure = np.asarray([_lets_through(gate, label) for label in labels])
        if not sure.any():
            continue
        promised, broken, covered = found.get(gate.risk, (0, 0, 0.0))
        found[gate.risk] = (
            promised + 1,
            broken + (float(wrong[sure].mean()) > gate.risk),
            covered + float(sure.mean()),
        )
    return {risk: (made, broken, covered / made) for risk, (made, broken, covered) in sorted(found.items())}


def _lets_through(gate: AnswerGate, label: Label) -> bool:
    fitted = gate.forms.get(label.form)
    if fitted is None or fitted.threshold is None:
        return False
    return right_probability(fitted.model, gate_features(label.seen)) >= fitted.threshold


def stopped(scored: Scored, asked: Sequence[Asked], folds: int = 5) -> dict[str, tuple[int, int, int]]:
    """By part: questions, those let through, and the right ones among these.

    No gate saw the questions that it is tested on.
    """
    inside = [
        label
        for label, part in zip(scored.labels, scored.parts, strict=True)
        if part not in ("nq", "manuals")
    ]
    through = np.zeros(len(scored.labels), bool)
    fold_of = {label.group: number % folds for number, label in enumerate(scored.labels)}
    for fold in range(folds):
        gate = calibrate([x for x in inside if fold_of[x.group] != fold], fitted_on="the bank").gate
        for number, label in enumerate(scored.labels):
            if fold_of[label.group] == fold:
                through[number] = _lets_through(gate, label)
    total = {part: sum(item.part == part for item in asked) for part in dict.fromkeys(a.part for a in asked)}
    return {
        part: (
            count,
            int(through[scored.parts == part].sum()),
            int((through & scored.right)[scored.parts == part].sum()),
        )
        for part, count in total.items()
    }


def average_precision(scores: Floats, right: NDArray[np.bool_]) -> float:
    """Area under precision-recall for right answers; chance is their share."""
    hits = right[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean()) if hits.any() else float("nan")


def risk_coverage(scores: Floats, right: NDArray[np.bool_]) -> Floats:
    """Share of wrong answers among the surest 1, 2, ... answers."""
    wrong = ~right[np.argsort(-scores, kind="stable")]
    return np.cumsum(wrong) / np.arange(1, len(wrong) + 1)


def interval(figure: Callable[[NDArray[np.int64]], float | None], count: int) -> tuple[float, float]:
    """95% bootstrap interval of a figure of chosen answers."""
    draw = np.random.default_rng(0)
    values = [figure(draw.integers(count, size=count)) for _ in range(BOOTSTRAP)]
    low, high = np.quantile([value for value in values if value is not None], [0.025, 0.975])
    return float(low), float(high)


def result_of(
    card: ModelCard, asked: Sequence[Asked], answers: Sequence[LoggedAnswer], command: str, begun: float
) -> tuple[Result, Scored]:
    """All figures and tables."""
    labels = labels_of(asked, answers, card.declines)
    scored = score(asked, labels)
    bank = [x for x, part in zip(scored.labels, scored.parts, strict=True) if part not in ("nq", "manuals")]
    kept_promise = promise(bank)
    through = stopped(scored, asked)
    everything = np.isfinite(scored.transfer)
    nq = everything & (scored.parts == "nq")
    promised = sum(p for p, _, _ in kept_promise.values())
    of_bank = everything & ~np.isin(scored.parts, ["nq", "manuals"])
    figures = {
        "questions": float(len(asked)),
        "auroc_all": auroc(scored.transfer[everything], scored.right[everything]) or 0.0,
        "auroc_nq": auroc(scored.transfer[nq], scored.right[nq]) or 0.0,
        "auroc_nq_own_labels": auroc(scored.own[nq], scored.right[nq]) or 0.0,
        "ece_all": calibration_error(scored.transfer[everything], scored.right[everything]),
        "ece_all_own_labels": calibration_error(scored.own[everything], scored.right[everything]),
        "ece_bank": calibration_error(scored.transfer[of_bank], scored.right[of_bank]),
        "ece_nq_transfer": calibration_error(scored.transfer[nq], scored.right[nq]),
        "promises_made": float(promised),
        "promise_broken": sum(broken for _, broken, _ in kept_promise.values()) / DRAWS,
        "wrong_of_confident_nq": 1 - through["nq"][2] / max(1, through["nq"][1]),
        "invented_stopped": 1 - through["invented"][1] / through["invented"][0],
        "added_cost": cost(card, answers),
    }
    if promised:
        figures["promise_broken_of_made"] = max(b / p for p, b, _ in kept_promise.values() if p)
    tables = (_features(scored), _combined(scored), _let_through(through), _promises(kept_promise))
    result = Result(
        name="gate",
        title=f"The gate on {card.name}",
        command=command,
        seconds=time.monotonic() - begun,
        figures=figures,
        goals=GOALS,
        tables=tables,
        plots=("gate.svg",),
    )
    return result, scored


def cost(card: ModelCard, answers: Sequence[LoggedAnswer]) -> float:
    """Time to judge an answer over the time to write it, one at a time."""
    form_gates = card.gate.forms
    begun = time.perf_counter()
    for answer in answers[:200]:
        seen = answer_signals(answer.tokens)
        fitted = form_gates.get(answer_form(seen))
        if fitted is not None:
            right_probability(fitted.model, gate_features(seen))
    spent = time.perf_counter() - begun
    return spent / (sum(len(a.tokens) for a in answers[:200]) / card.speed.tokens_per_second)


def _features(scored: Scored) -> Table:
    lines: list[list[object]] = []
    seen = [gate_features(label.seen) for label in scored.labels]
    for name in FEATURES:
        values = np.asarray([value[name] for value in seen])
        row: list[object] = [name]
        for mask in _masks(scored):
            found = auroc(values[mask], scored.right[mask])
            row.append("-" if found is None else max(found, 1 - found))
        lines.append(row)
    return Table(
        title="Each feature alone",
        text="AUROC, the better direction. `log_tokens` is the baseline that knows nothing but length.",
        head=("feature", "all", "NQ", "bank and invented", *FORMS),
        rows=rows(lines),
    )


def _masks(scored: Scored) -> list[NDArray[np.bool_]]:
    forms = np.asarray([label.form for label in scored.labels])
    nq, manuals = scored.parts == "nq", scored.parts == "manuals"
    return [np.ones_like(nq), nq, ~nq & ~manuals, *(forms == form for form in FORMS)]


def _combined(scored: Scored) -> Table:
    lines = []
    forms = np.asarray([label.form for label in scored.labels])
    sets = {"all": np.ones(len(forms), bool), "NQ": scored.parts == "nq"}
    sets |= {part: scored.parts == part for part in ("factual", "code", "creative", "specialised")}
    sets |= {f"{form} answers": forms == form for form in FORMS}
    for way, stated in (("bank only", scored.transfer), ("own labels", scored.own)):
        for name, mask in sets.items():
            chosen = mask & np.isfinite(stated)
            right, chances_ = scored.right[chosen], stated[chosen]
            found = auroc(chances_, right)
            if found is None:
                continue
            low, high = interval(lambda i, c=chances_, r=right: auroc(c[i], r[i]), len(right))  # type: ignore[misc]
            error, brier = calibration_error(chances_, right), float(np.mean((chances_ - right) ** 2))
            few, many = interval(lambda i, c=chances_, r=right: calibration_error(c[i], r[i]), len(right))  # type: ignore[misc]
            lines.append([way, name, len(right), float(right.mean()), f"{found:.3f} ({low:.2f}-{high:.2f})",
                          average_precision(chances_, right), float(risk_coverage(chances_, right).mean()),
                          brier, f"{error:.3f} ({few:.2f}-{many:.2f})"])  # fmt: skip
    return Table(
        title="All features together",
        text="`bank only`: fitted on the bank and invented names, cross-validated on these. `own labels`:"
        " fitted on all sets, cross-validated by question. In brackets 95% bootstrap intervals; AURC is the"
        " mean risk over all coverages; chance for AUPRC is the share right.",
        head=("fitted on", "set", "answers", "right", "AUROC", "AUPRC", "AURC", "Brier", "ECE"),
        rows=rows(lines),
    )


def _let_through(through: dict[str, tuple[int, int, int]]) -> Table:
    lines = [
        [part, count, passed, right, (passed - right) / passed if passed else "-"]
        for part, (count, passed, right) in through.items()
    ]
    return Table(
        title="What the gate lets through",
        text="Gates of the bank's other folds, none of whose promises is about NQ or the manuals.",
        head=("set", "questions", "confident", "right", "wrong, share"),
        rows=rows(lines),
    )


def _promises(found: dict[float, tuple[int, int, float]]) -> Table:
    lines = [
        [f"{risk:g}", DRAWS, made, broken, broken / made, covered]
        for risk, (made, broken, covered) in found.items()
    ]
    return Table(
        title="How often the promise is broken",
        text=f"Calibrations on labels drawn anew from the bank's; delta {DELTA:g}.",
        head=("risk", "draws", "promised", "broken", "share", "coverage"),
        rows=rows(lines),
    )


def plot(scored: Scored, path: Path) -> None:
    """Risk against coverage, for NQ and for the bank."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.subplots()
    for name, mask in (
        ("NQ", scored.parts == "nq"),
        ("bank and invented", ~np.isin(scored.parts, ["nq", "manuals"])),
    ):
        chosen = mask & np.isfinite(scored.transfer)
        risks = risk_coverage(scored.transfer[chosen], scored.right[chosen])
        axes.plot(np.linspace(0, 1, len(risks)), risks, label=name)
    axes.set_xlabel("coverage")
    axes.set_ylabel("share wrong")
    axes.legend()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Runs the benchmark and writes docs/results/gate.*."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with nq-open, squad and manuals")
    parser.add_argument("--model", help="an adopted model or a folder with a card; default: the one in use")
    parser.add_argument("--work", type=Path, default=Path(".nightschool/bench-gate"))
    options = parser.parse_args()
    begun = time.monotonic()
    model = resolve_model(read_settings(**({"model": options.model} if options.model else {})))
    work = options.work / model.card.digest[:12]
    work.mkdir(parents=True, exist_ok=True)
    try:
        asked, passages = material(options.data), library(options.data)
    except (OSError, IngestError) as error:
        parser.error(f"{options.data} needs nq-open, squad and manuals ({error})")
    answers = asyncio.run(collect(model.folder, asked, work))
    command = f"make bench-gate DATA={options.data}"
    result, scored = result_of(model.card, asked, answers, command, begun)
    figures, table = gate_signals.figures(gate_signals.costly(model, passages, asked, answers, work))
    result = result.model_copy(
        update={
            "figures": result.figures | figures,
            "tables": (*result.tables, table),
            "seconds": time.monotonic() - begun,
        }
    )
    FOLDER.mkdir(parents=True, exist_ok=True)
    plot(scored, FOLDER / "gate.svg")
    write(result)


if __name__ == "__main__":
    main()
