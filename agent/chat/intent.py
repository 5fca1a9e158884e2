"""Classifies a chat turn: a question that seeks knowledge goes through the gate, the rest is just answered.

Logistic regressions over the last user message's embedding and surface features, calibrated on held-out
folds: the first over the mean of the word embeddings, which is certain about three messages in four, the
second over the sentence embedding. `python -m agent.chat.train_intent` trains the weights.
"""

import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage, ToolMessage
from numpy.typing import NDArray

from agent.chat.followup import is_fragment
from agent.chat.intent_features import embedding_weight, surface_features
from memory.embedding.embedder import Embedder
from memory.records.base import Record, Share
from memory.records.interactions import Intent

WEIGHTS = Path(__file__).with_name("intent_weights.json")
THRESHOLD = 0.5
"""Probability at which a message counts as a question.

Both errors cost about the same. A missed question is answered without the gate; small talk taken for a
question is still answered if the model is sure, and otherwise with "I don't know".
"""
CERTAIN = 1.5
"""Log-odds from which on the words decide without the sentence embedding, which takes most of a turn's CPU.

In 10-fold cross-validation, three times: they decide 75% of the examples, and 92.9% of all are right; with
the sentence embedding alone it is 92.4%.
"""
LONGEST_FRAGMENT_CHAIN = 8
"""Earlier turns read to find what a fragment such as "and in winter?" continues."""


class IntentGuess(Record):
    """The intent of the last user message, and the probability that it is a question."""

    intent: Intent
    probability: Share


class LinearWeights(Record):
    """A linear model: the log-odds of a question are `share * embedding . v + features . f + intercept`."""

    embedding: tuple[float, ...]
    features: tuple[float, ...]
    intercept: float


class IntentWeights(Record):
    """The two linear models for one embedder: over its word vectors and over its sentence vectors."""

    words: LinearWeights
    sentence: LinearWeights


def classify_by_words(messages: Sequence[BaseMessage], embedder: Embedder) -> IntentGuess | None:
    """The intent of the last user message if its words make it certain, else None. Quick once the embedder is
    loaded.

    Raises ValueError if there is no user message, or no weights for this embedder.
    """
    text = intent_text(messages)
    if carries_sources(messages):
        return IntentGuess(intent="conversation", probability=0.0)
    log_odds = question_log_odds(weights_for(embedder.name).words, text, embedder.embed_words([text])[0])
    return _guess(log_odds) if abs(log_odds) >= CERTAIN else None


def classify(messages: Sequence[BaseMessage], embedder: Embedder) -> IntentGuess:
    """The intent of the conversation's last user message. Blocks to compute a sentence embedding if needed.

    Raises what `classify_by_words` raises.
    """
    if (guess := classify_by_words(messages, embedder)) is not None:
        return guess
    text = intent_text(messages)
    return _guess(question_log_odds(weights_for(embedder.name).sentence, text, embedder.embed([text])[0]))


def intent_text(messages: Sequence[BaseMessage]) -> str:
    """The text to classify: the last user message, or the message that it continues as a fragment.

    "And in winter?" has the intent of the message before it. Raises ValueError if there is no user message.
    """
    texts = [message.text.strip() for message in messages if isinstance(message, HumanMessage)]
    if not texts:
        raise ValueError("the conversation needs a user message")
    recent = texts[-LONGEST_FRAGMENT_CHAIN:]
    while len(recent) > 1 and is_fragment(recent[-1]):
        del recent[-1]
    return recent[-1]


def carries_sources(messages: Sequence[BaseMessage]) -> bool:
    """Whether the conversation already contains the text to answer from.

    True for passages in the last user message or the system prompt, and for tool results after that message.
    """
    last: BaseMessage | None = None
    for message in reversed(messages):
        if isinstance(message, ToolMessage):
            return True
        if isinstance(message, HumanMessage):
            last = message
            break
    candidates: list[BaseMessage] = [message for message in messages if isinstance(message, SystemMessage)]
    if last is not None:
        candidates.append(last)
    return any(_holds_passage(message.text) for message in candidates)


def question_log_odds(weights: LinearWeights, text: str, vector: NDArray[np.float32]) -> float:
    """Natural log-odds that the text seeks knowledge. Raises ValueError for a vector of another length."""
    if len(vector) != len(weights.embedding):
        raise ValueError(
            f"the weights are for {len(weights.embedding)} dimensions and the embedding has {len(vector)}"
        )
    return (
        embedding_weight(text) * float(np.dot(vector.astype(np.float64), np.asarray(weights.embedding)))
        + float(np.dot(surface_features(text), np.asarray(weights.features)))
        + weights.intercept
    )


def _guess(log_odds: float) -> IntentGuess:
    probability = float(1.0 / (1.0 + np.exp(-log_odds)))
    return IntentGuess(
        intent="question" if probability >= THRESHOLD else "conversation", probability=probability
    )


@cache
def weights_for(embedder_name: str) -> IntentWeights:
    """The shipped weights for this embedder. Raises ValueError if there are none."""
    shipped = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    if embedder_name not in shipped:
        raise ValueError(
            f"the intent classifier has no weights for the embedder {embedder_name!r}: "
            "add it to agent/chat/train_intent.py and run python -m agent.chat.train_intent"
        )
    return IntentWeights.model_validate(shipped[embedder_name])


def _holds_passage(text: str) -> bool:
    closings = {tag[1].lower(): tag.start() for tag in _CLOSING_TAG.finditer(text)}  # the last of each
    if any(closings.get(tag[1].lower(), -1) >= tag.end() for tag in _TAG.finditer(text)):
        return True
    if not (announced := _LABELLED.search(text)):
        announced = _ANNOUNCED.search(text)
        announced = announced and _BLOCK.search(text, announced.end())
    return announced is not None and len(text[announced.end() :].split()) >= SHORTEST_PASSAGE


SHORTEST_PASSAGE = 8
"""Minimum number of words after "use the following context" for a real passage."""
_KINDS = (
    r"(?:context|sources?|documents?|passages?|excerpts?|references?|search[ _-]results?|articles?|snippets?)"
)
_BLOCK = re.compile(r'[:\n"\u201c]')
_TAG = re.compile(rf"<({_KINDS})\b[^<>]{{0,200}}>", re.IGNORECASE)
_CLOSING_TAG = re.compile(rf"</({_KINDS})>", re.IGNORECASE)
_LABELLED = re.compile(
    rf"^[ \t#*\[]{{0,9}}(?:{_KINDS}|text|kontext|quellen?|contexte|contexto|contesto)"
    r"[\w ]{0,40}[\]*]{0,3} {0,3}:",
    re.IGNORECASE | re.MULTILINE,
)
_ANNOUNCED = re.compile(
    rf"\b(?:following|below|provided|given|retrieved|these|attached)\b(?:\s+\w+){{0,3}}?\s+{_KINDS}\b",
    re.IGNORECASE,
)
