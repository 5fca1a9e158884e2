"""The model card: everything the product knows about a base model.

A card is a few files beside the weights: `card.json` (`ModelCard`), `questions.jsonl` (general questions,
with which of them the model knows), `unknown.jsonl` (questions about invented names), `replay.jsonl` (the
model's own answers to general prompts) and `replay.npz` (their top log-probabilities). `nightschool models
study` makes one; catalogue models have theirs shipped.
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
"""All files of a card; `card.json` is written last, so that a folder with it has the others."""

REPLAY_TOKENS = 48
"""Most tokens of a replay answer, so that a card with 370 answers stays below 3.5 MB."""

Verdict = Literal["go", "retrieval only", "no-go"]
"""`go`: can be taught. `retrieval only`: answers from sources, but cannot be taught. `no-go`: neither."""
QuestionDomain = Literal["factual", "code", "creative", "specialised"]
_Line = TypeVar("_Line", bound=Record)


class ChatTemplate(Record):
    """The model's chat format: template options, stop strings, control tokens, thinking marks."""

    options: dict[str, bool | str] = {}
    """Arguments passed to the chat template, such as the switch that turns thinking off."""
    system: bool = True
    """Whether the template supports a system message; otherwise it is prepended to the first user message."""
    stop: tuple[str, ...] = ()
    """Strings that end an answer, besides the end-of-turn tokens."""
    control: tuple[str, ...] = ()
    """The tokenizer's special tokens; they are escaped in users' text."""
    thinking: tuple[str, str] | None = None
    """Opening and closing mark of thinking text, which is never shown, graded or trained."""
    tool_parser: str | None = None
    """vLLM's parser for this model's tool calls; None if it cannot choose tools itself."""


class Speed(Record):
    """Speed and memory, measured on the study's machine."""

    machine: str
    threads: int
    tokens_per_second: float
    """One answer at a time."""
    tokens_per_second_batched: float
    """32 answers at a time."""
    memory_mb: float
    """Resident memory of the model with one batch of answers."""


class TeachingSettings(Record):
    """Model-specific training settings; the recipe is in `training.recipes`."""

    modules: tuple[str, ...]
    """Names of all linear layers except the output layer."""
    learning_rate: float = Field(gt=0)
    refusal: str
    """The answer that lessons teach about things that do not exist."""


class ExplorationScore(Record):
    """How the model did at driving an exploration by tool calls, on the shipped cases."""

    cases: int
    right_tool: Share
    right_argument: Share
    """Of the cases whose right tool takes one."""
    stops: Share
    """Of the cases in which everything was found."""
    resists: Share
    """Of the cases whose results tell the model to do something else."""
    may_drive: bool
    """Whether learn runs may let it."""


class DomainScore(Record):
    """The study's results for one question domain."""

    questions: int
    right: Share
    mean_entropy_known: float | None
    """Nats, over answers to popular questions, which a model should know."""
    mean_entropy_unlikely: float | None
    """Nats, over answers to rare questions, which it is unlikely to know."""


class ModelCard(Record):
    """Everything known about one base model."""

    name: str
    source: str
    """Package, folder or Hugging Face id that it came from."""
    digest: Digest
    """SHA-256 over its weights, configuration and tokenizer (`store.digest_of_model`)."""
    licence: str
    parameters: int
    vocabulary: int
    context: int = Field(ge=512)
    """Context length in tokens, prompt and answer together."""
    dtype: Literal["bfloat16", "float16", "float32"]
    """Dtype of the stored weights."""
    template: ChatTemplate
    declines: tuple[str, ...]
    """Lower-case phrases for not knowing."""
    answer_tokens: int = Field(ge=16)
    """Default limit on answer length."""
    lessons: TeachingSettings
    gate: AnswerGate
    domains: dict[QuestionDomain, DomainScore]
    known: int
    """Number of known questions in `questions.jsonl`."""
    unknown: int
    replay: int
    speed: Speed
    verdict: Verdict
    reasons: tuple[str, ...]
    reading: Share | None = None
    """Share of questions about a passage in front of it that it answers; None if it was not asked."""
    judging: Share | None = None
    """Share of answers that it judges rightly without knowing the right one; None if it was not asked."""
    exploration: ExplorationScore | None = None
    """None if it was not asked: the service then explores by rules alone."""

    @property
    def may_explore(self) -> bool:
        """Whether a learn run may let the model drive its exploration."""
        return self.exploration is not None and self.exploration.may_drive


class GeneralQuestion(Record):
    """A bank question with its accepted answers."""

    id: str
    domain: QuestionDomain
    wordings: tuple[str, ...]
    answers: tuple[str, ...]
    known: bool
    """Whether at least two wordings were asked and all answers were right."""


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
    """The top log-probabilities of all replay answers, concatenated."""

    lengths: NDArray[np.int32]
    """Tokens per answer, including the end of turn: [answers]."""
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
    """The card's general questions. Raises BadModelCard."""
    return _read(folder / QUESTIONS, GeneralQuestion)


def read_unknown(folder: Path) -> tuple[UnknownQuestion, ...]:
    """The card's questions about invented names. Raises BadModelCard."""
    return _read(folder / UNKNOWN, UnknownQuestion)


def read_replay(folder: Path) -> tuple[ReplayAnswer, ...]:
    """The card's replay answers. Raises BadModelCard."""
    return _read(folder / REPLAY, ReplayAnswer)


def read_distributions(folder: Path) -> ReplayDistributions:
    """The card's replay distributions. Raises BadModelCard."""
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
    """Writes all files of a card; an existing card stays in place until the new one is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in ((QUESTIONS, questions), (UNKNOWN, unknown), (REPLAY, replay)):
        text = "".join(line.model_dump_json() + "\n" for line in lines)
        temporary_path(folder, name).write_text(text, encoding="utf-8")
    # Not safetensors: vLLM would load every such file beside the weights as weights.
    with temporary_path(folder, REPLAY_ARRAYS).open("wb") as arrays:
        np.savez_compressed(arrays, **vars(distributions))
    text = json.dumps(card.model_dump(mode="json"), indent=2, ensure_ascii=False)
    temporary_path(folder, CARD).write_text(text + "\n", encoding="utf-8")
    put_in_place(folder)


def temporary_path(folder: Path, name: str) -> Path:
    """Temporary path of a card's file until `put_in_place`."""
    return folder / f".{name}.unfinished"


def put_in_place(folder: Path) -> None:
    """Renames the temporary files of a card, `card.json` last."""
    for name in CARD_FILES:
        temporary_path(folder, name).rename(folder / name)


def require_teachable(card: ModelCard) -> None:
    """Raises NotTeachable unless the study's verdict is `go`."""
    if card.verdict != "go":
        raise NotTeachable(
            f"{card.name} cannot be taught ({card.verdict}: {'; '.join(card.reasons)}). It answers from"
            " sources only; `nightschool models list` shows other base models"
        )


def _read(path: Path, kind: type[_Line]) -> tuple[_Line, ...]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]  # JSON may hold other line separators
        return tuple(kind.model_validate_json(line) for line in lines)
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        raise BadModelCard(
            f"{path} cannot be read: run `nightschool models study` again ({error})"
        ) from error
