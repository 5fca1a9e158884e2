"""The model card: everything that product code may know about a base model.

A card is a few files beside the weights: `card.json` (`ModelCard`), `questions.jsonl` (general questions,
and which of them the model answers rightly and steadily), `unknown.jsonl` (questions about invented names),
`replay.jsonl` (its own answers to general prompts) and `replay.npz` (their top log-probabilities).
`nightschool models study` makes one; the cards of catalogued models ship.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from agent.errors import BadModelCard, NoModelCard, NotTeachable
from memory.records.base import Digest, Record, Share
from memory.records.interactions import AnswerGate

CARD = "card.json"
QUESTIONS, UNKNOWN, REPLAY, REPLAY_ARRAYS = (
    "questions.jsonl",
    "unknown.jsonl",
    "replay.jsonl",
    "replay.npz",
)
CARD_FILES = (QUESTIONS, UNKNOWN, REPLAY, REPLAY_ARRAYS, CARD)
"""All files of a card; `card.json` last, since a folder that has it has the others."""

REPLAY_TOKENS = 48
"""Longest replay answer; the files of a card of 370 answers stay below 3.5 MB."""
AGAIN = "run `nightschool models study` again"

Verdict = Literal["go", "retrieval only", "no-go"]
"""`go`: can be taught. `retrieval only`: answers from sources, but lessons do not hold. `no-go`: neither."""
QuestionDomain = Literal["factual", "code", "creative", "specialised"]
_Line = TypeVar("_Line", bound=Record)


class ChatTemplate(Record):
    """How conversations reach the model."""

    options: dict[str, bool | str] = {}
    """Passed to the chat template with every conversation, such as the switch that turns thinking off."""
    system: bool = True
    """Whether it takes a system message; otherwise that is put before the first user message."""
    stop: tuple[str, ...] = ()
    """Strings that end an answer besides the end-of-turn tokens."""
    control: tuple[str, ...] = ()
    """Special tokens of its tokenizer: in what people write they are plain characters."""
    thinking: tuple[str, str] | None = None
    """Opening and closing mark of text that is never shown, graded or trained."""
    tool_parser: str | None = None
    """vLLM's parser for this model's tool calls; None where it cannot call tools on its own accord."""


class Speed(Record):
    """What the study measured on the machine that it ran on."""

    machine: str
    threads: int
    tokens_per_second: float
    """One answer at a time."""
    tokens_per_second_batched: float
    """32 answers at a time."""
    memory_mb: float
    """Resident memory of the model with one batch of answers."""


class TeachingSettings(Record):
    """How the model is taught; the recipe itself is in `training.recipes`."""

    modules: tuple[str, ...]
    """Names of all its linear layers but the output layer, found from the model."""
    learning_rate: float = Field(gt=0)
    refusal: str
    """What lessons teach the model to say of things that do not exist."""


class DomainScore(Record):
    """Shares of one question domain in the study."""

    questions: int
    right: Share
    mean_entropy_known: float | None
    """Nats, over answers to questions that a model should know."""
    mean_entropy_unlikely: float | None
    """Nats, over answers to questions that it is unlikely to know."""


class ModelCard(Record):
    """What is known about one base model."""

    name: str
    source: str
    """Package, folder or Hugging Face name that it came from."""
    digest: Digest
    """SHA-256 over its weights, configuration and tokenizer (`store.digest_of_model`)."""
    licence: str
    parameters: int
    vocabulary: int
    context: int = Field(ge=512)
    """Most tokens, prompt and answer together."""
    dtype: Literal["bfloat16", "float16", "float32"]
    """What the weights are stored in."""
    template: ChatTemplate
    declines: tuple[str, ...]
    """Phrases by which it says that it does not know, in lower case."""
    answer_tokens: int = Field(ge=16)
    """Longest answer where the caller sets no limit."""
    lessons: TeachingSettings
    gate: AnswerGate
    domains: dict[QuestionDomain, DomainScore]
    known: int
    """Questions in `questions.jsonl` that it knows."""
    unknown: int
    replay: int
    speed: Speed
    verdict: Verdict
    reasons: tuple[str, ...]


class GeneralQuestion(Record):
    """A question of the study, with its right answers."""

    id: str
    domain: QuestionDomain
    wordings: tuple[str, ...]
    answers: tuple[str, ...]
    known: bool
    """Whether at least two wordings were asked and all were answered rightly."""


class UnknownQuestion(Record):
    """A question about something that does not exist; the right answer is to decline."""

    id: str
    domain: QuestionDomain
    name: str
    wordings: tuple[str, ...]


class PromptMessage(Record):
    """One message of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


class ReplayAnswer(Record):
    """The model's own greedy answer to a general prompt."""

    id: str
    kind: str
    messages: tuple[PromptMessage, ...]
    answer: str


@dataclass(frozen=True)
class ReplayDistributions:
    """The top log-probabilities of all replay answers, token by token, one answer after the other."""

    lengths: NDArray[np.int32]
    """Tokens of each answer, the end of turn included: [answers]."""
    tokens: NDArray[np.int32]
    """The answers' tokens: [sum of lengths]."""
    ids: NDArray[np.int32]
    """Likeliest token ids at each position: [sum of lengths, k]."""
    logprobs: NDArray[np.float16]
    """Their natural log-probabilities: [sum of lengths, k]."""


def read_card(folder: Path) -> ModelCard:
    """The card in a model's folder. Raises NoModelCard and BadModelCard."""
    path = folder / CARD
    try:
        return ModelCard.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise NoModelCard(
            f"the model in {folder} has no card: run `nightschool models add {folder}`, then"
            " `nightschool models study` with its name"
        ) from None
    except (OSError, ValidationError) as error:
        raise BadModelCard(
            f"{path} cannot be read: run `nightschool models study` again ({error})"
        ) from error


def read_questions(folder: Path) -> tuple[GeneralQuestion, ...]:
    """Raises BadModelCard."""
    return _read(folder / QUESTIONS, GeneralQuestion)


def read_unknown(folder: Path) -> tuple[UnknownQuestion, ...]:
    """Raises BadModelCard."""
    return _read(folder / UNKNOWN, UnknownQuestion)


def read_replay(folder: Path) -> tuple[ReplayAnswer, ...]:
    """Raises BadModelCard."""
    return _read(folder / REPLAY, ReplayAnswer)


def read_distributions(folder: Path) -> ReplayDistributions:
    """Raises BadModelCard."""
    path = folder / REPLAY_ARRAYS
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return ReplayDistributions(**arrays)
    except (OSError, TypeError, ValueError, BadZipFile) as error:
        raise BadModelCard(
            f"{path} cannot be read: run `nightschool models study` again ({error})"
        ) from error


def write_card(
    folder: Path,
    card: ModelCard,
    questions: Iterable[GeneralQuestion],
    unknown: Iterable[UnknownQuestion],
    replay: Iterable[ReplayAnswer],
    distributions: ReplayDistributions,
) -> None:
    """Writes all files of a card; the one that was there stays until the new one is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in ((QUESTIONS, questions), (UNKNOWN, unknown), (REPLAY, replay)):
        text = "".join(line.model_dump_json() + "\n" for line in lines)
        unfinished(folder, name).write_text(text, encoding="utf-8")
    # No safetensors: vLLM takes every file of that kind beside the weights for weights.
    with unfinished(folder, REPLAY_ARRAYS).open("wb") as arrays:
        np.savez_compressed(arrays, **vars(distributions))
    text = json.dumps(card.model_dump(mode="json"), indent=2, ensure_ascii=False)
    unfinished(folder, CARD).write_text(text + "\n", encoding="utf-8")
    put_in_place(folder)


def unfinished(folder: Path, name: str) -> Path:
    """Where a card's file is written before `put_in_place`."""
    return folder / f".{name}.unfinished"


def put_in_place(folder: Path) -> None:
    """Gives the written files of a card their names, `card.json` last."""
    for name in CARD_FILES:
        unfinished(folder, name).rename(folder / name)


def require_teachable(card: ModelCard) -> None:
    """Raises NotTeachable for a model that its study found unfit for lessons."""
    if card.verdict != "go":
        raise NotTeachable(
            f"{card.name} cannot be taught ({card.verdict}: {'; '.join(card.reasons)}): questions are"
            " answered from sources; `nightschool models list` shows other base models"
        )


def _read(path: Path, kind: type[_Line]) -> tuple[_Line, ...]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]  # JSON may hold other line separators
        return tuple(kind.model_validate_json(line) for line in lines)
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        raise BadModelCard(
            f"{path} cannot be read: run `nightschool models study` again ({error})"
        ) from error
