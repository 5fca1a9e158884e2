"""Trains the intent classifier: reads the examples, prints cross-validated scores, writes the weights.

Run `python -m agent.chat.train_intent` after changing the examples, the features or an embedder.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.model_selection import StratifiedKFold  # type: ignore[import-untyped]

from agent.chat.calibration import calibration_error
from agent.chat.intent import THRESHOLD, WEIGHTS, IntentWeights, LinearWeights
from agent.chat.intent_features import embedding_weight, surface_features
from memory.embedding.embedder import Embedder, HashingEmbedder, SentenceEmbedder, Vectors
from memory.records.base import Record
from memory.records.interactions import Intent

EXAMPLES = Path(__file__).with_name("intent_examples.jsonl")
EMBEDDING_SCALE = 2.0
"""Balances the L2 penalty: entries of a 384-dimensional unit vector are about .05, features are 0 or 1."""
INVERSE_PENALTY = 1.0
FOLDS = 10
DECIMALS = 5

Array = NDArray[np.float64]


class IntentExample(Record):
    """A message with its intent, and the kind used to group scores."""

    text: str
    intent: Intent
    kind: str


class Trained(Record):
    """Weights with their cross-validated scores, all in [0, 1]."""

    weights: LinearWeights
    accuracy: float
    recall: float
    precision: float
    calibration_error: float


def read_examples(path: Path) -> tuple[IntentExample, ...]:
    """The examples of a JSON-lines file. Raises OSError or ValueError if it cannot be read."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(IntentExample.model_validate_json(line) for line in lines)


def train(examples: Sequence[IntentExample], embedder: Embedder) -> tuple[Trained, Trained]:
    """Trains both models: over the word vectors, and over the sentence vectors."""
    texts = [example.text for example in examples]
    return (
        _train(examples, embedder.embed_words(texts)),
        _train(examples, embedder.embed(texts)),
    )


def _train(examples: Sequence[IntentExample], vectors: Vectors) -> Trained:
    """Fits the logistic regression and calibrates it on out-of-fold logits (Platt 1999)."""
    texts = [example.text for example in examples]
    shares = np.array([[EMBEDDING_SCALE * embedding_weight(text)] for text in texts])
    inputs = np.hstack([vectors * shares, np.stack([surface_features(text) for text in texts])])
    labels = np.array([example.intent == "question" for example in examples])
    logits = np.zeros(len(examples))
    for fit, held in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(inputs, labels):
        logits[held] = _fit(inputs[fit], labels[fit]).decision_function(inputs[held])
    platt = LogisticRegression(C=1e6, tol=1e-10, max_iter=1000).fit(logits[:, None], labels)
    slope, offset = float(platt.coef_[0, 0]), float(platt.intercept_[0])
    model = _fit(inputs, labels)
    coefficients = model.coef_[0] * slope
    split = vectors.shape[1]
    weights = LinearWeights(
        embedding=_rounded(coefficients[:split] * EMBEDDING_SCALE),
        features=_rounded(coefficients[split:]),
        intercept=round(float(model.intercept_[0]) * slope + offset, DECIMALS),
    )
    probabilities = 1.0 / (1.0 + np.exp(-(slope * logits + offset)))
    predicted = probabilities >= THRESHOLD
    return Trained(
        weights=weights,
        accuracy=float((predicted == labels).mean()),
        recall=float(predicted[labels].mean()),
        precision=float(labels[predicted].mean()),
        calibration_error=calibration_error(probabilities, labels),
    )


def _fit(inputs: Array, labels: NDArray[np.bool_]) -> LogisticRegression:
    return LogisticRegression(C=INVERSE_PENALTY, solver="newton-cholesky", tol=1e-10, max_iter=200).fit(
        inputs, labels
    )


def _rounded(values: Array) -> tuple[float, ...]:
    return tuple(round(float(value), DECIMALS) for value in values)


def main() -> None:
    examples = read_examples(EXAMPLES)
    shipped: dict[str, object] = {}
    for embedder in (SentenceEmbedder(), HashingEmbedder()):
        words, sentence = train(examples, embedder)
        for name, trained in (("words", words), ("sentence", sentence)):
            print(
                f"{embedder.name}, {name}: {len(examples)} examples, {FOLDS} folds: "
                f"accuracy {trained.accuracy:.3f}, recall of questions {trained.recall:.3f}, "
                f"precision {trained.precision:.3f}, calibration error {trained.calibration_error:.3f}"
            )
        weights = IntentWeights(words=words.weights, sentence=sentence.weights)
        shipped[embedder.name] = weights.model_dump()
    WEIGHTS.write_text(json.dumps(shipped) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
