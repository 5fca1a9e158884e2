"""Signals that are too expensive for the gate, measured on a sample of the benchmark's answers.

Self-agreement asks two rewordings of the question, the probe reads the model's hidden states, and coverage
searches a library for the question.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from langchain_core.messages import AIMessage, HumanMessage
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # ships no types
from sklearn.model_selection import StratifiedKFold, cross_val_predict  # type: ignore[import-untyped]
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

from agent.chat.calibration import FOLDS, INVERSE_PENALTY, Floats, Label, auroc
from agent.chat.gate import FEATURES, gate_features
from agent.chat.rewording import rewordings
from agent.engines.local import LocalEngine
from agent.models.store import AddedModel
from agent.models.study.answer_log import LoggedAnswer
from benchmarks.gate.data import Question, collect_answers, labels_of
from memory.embedding.embedder import Embedder, SentenceEmbedder
from memory.results import Table, rows

SAMPLE_SIZES = {"nq": 500, "invented": 160}
BANK_SAMPLE_SIZE = 125
"""Per domain of the bank."""
REWORDINGS = 2
"""Rewordings of each question that are asked for self-agreement."""
PROBE_INVERSE_PENALTY = 1e-3
"""Like INVERSE_PENALTY, for a thousand features instead of seven."""


@dataclass(frozen=True)
class ExpensiveSignals:
    """The signals of a sample of answers; row i of each array belongs to `labels[i]`."""

    labels: Sequence[Label]
    parts: NDArray[np.str_]
    agreement: Floats
    """Mean cosine similarity of the answer and the answers to the rewordings, [answers]."""
    coverage: Floats
    """Cosine similarity of the question and the closest passage of the library, [answers]."""
    states: NDArray[np.float32]
    """Mean hidden states of two middle layers over question and answer, [answers, 2 x width]."""


def measure_signals(
    model: AddedModel,
    passages: Sequence[str],
    questions: Sequence[Question],
    answers: Sequence[LoggedAnswer],
    work: Path,
) -> ExpensiveSignals:
    """Measures the signals of a sample of the answers; asks the rewordings, so it needs a server."""
    labels = labels_of(questions, answers, model.card.declines)
    graded = [
        (question, answer.text, label)
        for question, answer, label in zip(questions, answers, labels, strict=True)
        if label is not None
    ]
    sample = [graded[index] for index in sample_indices([question.part for question, _, _ in graded])]
    texts, answer_texts = [question.text for question, _, _ in sample], [text for _, text, _ in sample]
    reworded = [rewordings_of(text) for text in texts]
    to_ask = [
        replace(question, text=rewording)
        for (question, _, _), of_question in zip(sample, reworded, strict=True)
        for rewording in of_question
    ]
    replies = iter(asyncio.run(collect_answers(model.folder, to_ask, work)))
    embedder = SentenceEmbedder()
    print("reading the hidden states", flush=True)
    return ExpensiveSignals(
        labels=[label for _, _, label in sample],
        parts=np.asarray([question.part for question, _, _ in sample]),
        agreement=agreement(
            answer_texts, [[next(replies).text for _ in of_question] for of_question in reworded], embedder
        ),
        coverage=coverage(texts, passages, embedder),
        states=asyncio.run(
            hidden_states(LocalEngine.open(model.folder, model.card.template), texts, answer_texts)
        ),
    )


def sample_indices(parts: Sequence[str], seed: int = 0) -> list[int]:
    """Sorted indices of a random sample of each part, without the manuals, which have few answers."""
    rng = random.Random(seed)
    chosen: list[int] = []
    for part in sorted(set(parts) - {"manuals"}):
        indices = [index for index, part_of_answer in enumerate(parts) if part_of_answer == part]
        chosen += rng.sample(indices, min(SAMPLE_SIZES.get(part, BANK_SAMPLE_SIZE), len(indices)))
    return sorted(chosen)


def rewordings_of(question: str) -> tuple[str, ...]:
    """The rewordings that the service would try."""
    return rewordings(question, REWORDINGS)


def agreement(answers: Sequence[str], others: Sequence[Sequence[str]], embedder: Embedder) -> Floats:
    """Mean cosine similarity of each answer and its other answers, [answers]; 0 if it has none."""
    vectors = embedder.embed(answers)
    other_vectors = embedder.embed([text for texts in others for text in texts] or [""])
    means, start = np.zeros(len(answers)), 0
    for index, texts in enumerate(others):
        if texts:
            means[index] = float((other_vectors[start : start + len(texts)] @ vectors[index]).mean())
        start += len(texts)
    return means


def coverage(questions: Sequence[str], passages: Sequence[str], embedder: Embedder) -> Floats:
    """Cosine similarity of each question and its closest passage, [questions]."""
    cosines = embedder.embed(questions) @ embedder.embed(passages).T
    return np.asarray(cosines.max(axis=1), dtype=np.float64)


async def hidden_states(
    engine: LocalEngine, questions: Sequence[str], answers: Sequence[str]
) -> NDArray[np.float32]:
    """Mean hidden states over the tokens of question and answer, at a half and at two thirds of the layers,
    [answers, 2 x width]."""
    states = []
    for question, answer in zip(questions, answers, strict=True):
        layers = await engine.hidden_states([HumanMessage(question), AIMessage(answer)])
        middle = (len(layers) // 2, 2 * len(layers) // 3)
        states.append(np.concatenate([layers[number].mean(axis=0) for number in middle]))
    return np.stack(states)


def signal_figures(measured: ExpensiveSignals) -> tuple[dict[str, float], Table]:
    """Cross-validated AUROC of each signal alone, and of the gate's features combined with it."""
    right = np.asarray([label.right for label in measured.labels])
    features = [gate_features(label.seen) for label in measured.labels]
    gate = np.asarray([[values[name] for name in FEATURES] for values in features])
    probe = _cross_validated(measured.states, right, PROBE_INVERSE_PENALTY)
    signals = {"self-agreement": measured.agreement, "coverage": measured.coverage, "probe": probe}
    predictions = dict(signals) | {"gate features": _cross_validated(gate, right, INVERSE_PENALTY)}
    for name, values in signals.items():
        predictions[f"gate features and {name}"] = _cross_validated(
            np.column_stack([gate, values]), right, INVERSE_PENALTY
        )
    combined = np.column_stack([gate, *signals.values()])
    predictions["gate features and all three"] = _cross_validated(combined, right, INVERSE_PENALTY)
    nq = measured.parts == "nq"
    lines: list[list[object]] = []
    for name, scores in predictions.items():
        lines.append([name, *(_auroc(scores[mask], right[mask]) for mask in (nq | ~nq, nq, ~nq))])
    table = Table(
        title="Expensive signals",
        text=f"AUROC on a sample of {len(right)} answers, {right.sum()} of them right; {FOLDS}-fold"
        " cross-validation of one regression for all forms. Self-agreement: mean cosine similarity of the"
        f" answer and the answers to {REWORDINGS} rewordings, which the service asks only before it opens a"
        " gap. Coverage: cosine similarity of the question and the closest passage of SQuAD and the manuals."
        " Probe: a regression on hidden states of two middle layers, which vLLM does not return.",
        head=("signal", "all", "NQ", "bank and invented"),
        rows=rows(lines),
    )
    figures = {
        "auroc_agreement": _auroc(signals["self-agreement"], right),
        "auroc_coverage": _auroc(signals["coverage"], right),
        "auroc_probe": _auroc(probe, right),
        "auroc_probe_nq": _auroc(probe[nq], right[nq]),
        "auroc_gate_on_sample": _auroc(predictions["gate features"], right),
        "auroc_with_all_signals": _auroc(predictions["gate features and all three"], right),
        "auroc_with_all_signals_nq": _auroc(predictions["gate features and all three"][nq], right[nq]),
    }
    return figures, table


def _auroc(scores: Floats, right: NDArray[np.bool_]) -> float:
    area = auroc(scores, right)
    return float("nan") if area is None else area


def _cross_validated(
    values: NDArray[np.floating], right: NDArray[np.bool_], inverse_penalty: float
) -> Floats:
    """Cross-validated probability that each answer is right, by logistic regression, [answers]."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=inverse_penalty, max_iter=1000))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    chances: Floats = cross_val_predict(model, values, right, cv=folds, method="predict_proba")[:, 1]
    return chances
