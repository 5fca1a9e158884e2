"""Signals that the gate does without because they cost more, on a sample of the answers of `make bench-gate`.

Self-agreement asks the question twice more in other words, a probe reads the model's hidden states, and
coverage looks the question up in a library.
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
from benchmarks.gate.data import Asked, collect, labels_of
from memory.embedding.embedder import Embedder, SentenceEmbedder
from memory.results import Table, rows

SAMPLE = {"nq": 500, "invented": 160}
"""Answers of a part that are looked at; of each domain of the bank REST."""
REST = 125
OTHERS = 2
"""Other wordings in which a question is asked."""
PROBE_STRENGTH = 1e-3
"""As STRENGTH, for a thousand features instead of seven."""


@dataclass(frozen=True)
class Costly:
    """The signals of some answers; what they are of stands in the order of `labels`."""

    labels: Sequence[Label]
    parts: NDArray[np.str_]
    agreement: Floats
    """Mean cosine of the answer and those to the other wordings, [answers]."""
    coverage: Floats
    """Cosine of the question and the closest passage of the library, [answers]."""
    states: NDArray[np.float32]
    """Of two middle layers, the means over question and answer, [answers, 2 x width]."""


def costly(
    model: AddedModel,
    passages: Sequence[str],
    asked: Sequence[Asked],
    answers: Sequence[LoggedAnswer],
    work: Path,
) -> Costly:
    """The signals that cost more than the answer itself, of a sample of the answers."""
    labels = labels_of(asked, answers, model.card.declines)
    judged = [
        (item, answer.text, label)
        for item, answer, label in zip(asked, answers, labels, strict=True)
        if label is not None
    ]
    judged = [judged[place] for place in sample([item.part for item, _, _ in judged])]
    texts, said = [item.text for item, _, _ in judged], [text for _, text, _ in judged]
    others = [other_wordings(text) for text in texts]
    again = [
        replace(item, text=other) for (item, _, _), more in zip(judged, others, strict=True) for other in more
    ]
    replies = iter(asyncio.run(collect(model.folder, again, work)))
    embedder = SentenceEmbedder()
    print("reading the hidden states", flush=True)
    return Costly(
        labels=[label for _, _, label in judged],
        parts=np.asarray([item.part for item, _, _ in judged]),
        agreement=agreement(said, [[next(replies).text for _ in more] for more in others], embedder),
        coverage=coverage(texts, passages, embedder),
        states=asyncio.run(states(LocalEngine.open(model.folder, model.card.template), texts, said)),
    )


def sample(parts: Sequence[str], seed: int = 0) -> list[int]:
    """Places of the answers to be looked at, in order; the manuals' few are left out."""
    rng = random.Random(seed)
    chosen: list[int] = []
    for part in sorted(set(parts) - {"manuals"}):
        places = [place for place, of in enumerate(parts) if of == part]
        chosen += rng.sample(places, min(SAMPLE.get(part, REST), len(places)))
    return sorted(chosen)


def other_wordings(question: str) -> tuple[str, ...]:
    """The wordings in which the service would ask it again."""
    return rewordings(question, OTHERS)


def agreement(answers: Sequence[str], others: Sequence[Sequence[str]], embedder: Embedder) -> Floats:
    """Mean cosine of each answer and its others, [answers]; 0 without any."""
    own = embedder.embed(answers)
    every = embedder.embed([text for texts in others for text in texts] or [""])
    found, start = np.zeros(len(answers)), 0
    for place, texts in enumerate(others):
        if texts:
            found[place] = float((every[start : start + len(texts)] @ own[place]).mean())
        start += len(texts)
    return found


def coverage(questions: Sequence[str], passages: Sequence[str], embedder: Embedder) -> Floats:
    """Largest cosine of each question and a passage, [questions]."""
    cosines = embedder.embed(questions) @ embedder.embed(passages).T
    return np.asarray(cosines.max(axis=1), dtype=np.float64)


async def states(
    engine: LocalEngine, questions: Sequence[str], answers: Sequence[str]
) -> NDArray[np.float32]:
    """Reads each question with its answer: means over all tokens at half and at two thirds of the layers,
    [answers, 2 x width]."""
    found = []
    for question, answer in zip(questions, answers, strict=True):
        layers = await engine.hidden_states([HumanMessage(question), AIMessage(answer)])
        middle = (len(layers) // 2, 2 * len(layers) // 3)
        found.append(np.concatenate([layers[number].mean(axis=0) for number in middle]))
    return np.stack(found)


def figures(costly: Costly) -> tuple[dict[str, float], Table]:
    """AUROC of each signal alone and of the gate's own features with each, cross-validated by question."""
    right = np.asarray([label.right for label in costly.labels])
    seen = [gate_features(label.seen) for label in costly.labels]
    own = np.asarray([[value[name] for name in FEATURES] for value in seen])
    probe = _cross_validated(costly.states, right, PROBE_STRENGTH)
    signals = {"self-agreement": costly.agreement, "coverage": costly.coverage, "probe": probe}
    stated = dict(signals) | {"the gate's features": _cross_validated(own, right, INVERSE_PENALTY)}
    for name, values in signals.items():
        stated[f"and {name}"] = _cross_validated(np.column_stack([own, values]), right, INVERSE_PENALTY)
    together = np.column_stack([own, *signals.values()])
    stated["and all three"] = _cross_validated(together, right, INVERSE_PENALTY)
    nq = costly.parts == "nq"
    lines: list[list[object]] = []
    for name, scores in stated.items():
        lines.append([name, *(_auroc(scores[mask], right[mask]) for mask in (nq | ~nq, nq, ~nq))])
    table = Table(
        title="Signals that cost more",
        text=f"AUROC on a sample of {len(right)} answers, {right.sum()} of them right, one regression for all"
        f" forms, {FOLDS}-fold. Self-agreement: mean cosine of the answer and those to {OTHERS} other"
        " wordings, which the service asks only before it notes a gap. Coverage: cosine of the question and"
        " the closest passage of SQuAD and the manuals. Probe: a regression over hidden states of two middle"
        " layers, which the served engine does not give.",
        head=("signal", "all", "NQ", "bank and invented"),
        rows=rows(lines),
    )
    found = {
        "auroc_agreement": _auroc(signals["self-agreement"], right),
        "auroc_coverage": _auroc(signals["coverage"], right),
        "auroc_probe": _auroc(probe, right),
        "auroc_probe_nq": _auroc(probe[nq], right[nq]),
        "auroc_gate_on_sample": _auroc(stated["the gate's features"], right),
        "auroc_with_all_signals": _auroc(stated["and all three"], right),
        "auroc_with_all_signals_nq": _auroc(stated["and all three"][nq], right[nq]),
    }
    return found, table


def _auroc(scores: Floats, right: NDArray[np.bool_]) -> float:
    found = auroc(scores, right)
    return float("nan") if found is None else found


def _cross_validated(values: NDArray[np.floating], right: NDArray[np.bool_], strength: float) -> Floats:
    """Chance of being right by a regression that did not see the answer, [answers]."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    stated: Floats = cross_val_predict(model, values, right, cv=folds, method="predict_proba")[:, 1]
    return stated
