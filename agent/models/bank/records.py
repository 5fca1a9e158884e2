"""The records of the question bank, and their loaders.

The bank is the same for every model: questions and accepted answers. Each `*.jsonl` file in this folder holds
records of one kind, one per line; README.md describes their sources.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, StringConstraints, ValidationError

from agent.models.card import PromptMessage
from memory.records.base import Record, Share

Topic = Literal["factual", "code", "creative", "specialised"]
PromptKind = Literal[
    "small_talk", "instruction", "code", "arithmetic", "system_prompt", "several_turns", "language"
]

Text = Annotated[str, StringConstraints(min_length=1, pattern=r"^\S(?:[\s\S]*\S)?$")]
"""Text without leading or trailing white space."""
Wordings = Annotated[tuple[Text, ...], Field(min_length=2, max_length=4)]

FOLDER = Path(__file__).parent
MINED_FILE, WRITTEN_FILE = "mined.jsonl", "written.jsonl"
INVENTED_FILE = "invented.jsonl"
PROMPT_FILE = "prompts.jsonl"


class BankQuestion(Record):
    """A question with its accepted answers, the most usual first.

    `popularity` ranges from 0 (hardly known) to 1 (known to nearly everybody), None if unknown.
    """

    id: Text
    domain: Topic
    wordings: Wordings
    answers: Annotated[tuple[Text, ...], Field(min_length=1)]
    popularity: Share | None
    source: Text


class InventedQuestion(Record):
    """A question about an invented `name`; the right answer is to decline."""

    id: Text
    domain: Topic
    name: Text
    wordings: Wordings


class BankMessage(PromptMessage):
    """A message of a shipped prompt, without surrounding white space."""

    content: Text


class GeneralPrompt(Record):
    """A conversation that ends with a user message and has no single right answer."""

    id: Text
    kind: PromptKind
    messages: Annotated[tuple[BankMessage, ...], Field(min_length=1)]


R = TypeVar("R", "BankQuestion", "InventedQuestion", "GeneralPrompt")


def load_questions(folder: Path = FOLDER) -> tuple[BankQuestion, ...]:
    """All questions with answers, mined and written. Raises ValueError for a bad line or a repeated id."""
    return _load(BankQuestion, [folder / MINED_FILE, folder / WRITTEN_FILE])


def load_invented(folder: Path = FOLDER) -> tuple[InventedQuestion, ...]:
    """All questions about invented names. Raises ValueError for a bad line or a repeated id."""
    return _load(InventedQuestion, [folder / INVENTED_FILE])


def load_prompts(folder: Path = FOLDER) -> tuple[GeneralPrompt, ...]:
    """All general prompts. Raises ValueError for a bad line or a repeated id."""
    return _load(GeneralPrompt, [folder / PROMPT_FILE])


def _load(kind: type[R], paths: Sequence[Path]) -> tuple[R, ...]:
    locations: dict[str, str] = {}
    records: list[R] = []
    for path in paths:
        for number, line in enumerate(_lines(path), start=1):
            location = f"{path.name}, line {number}"
            try:
                record = kind.model_validate_json(line)
            except ValidationError as error:
                first = error.errors()[0]
                field = ".".join(map(str, first["loc"])) or "line"
                raise ValueError(f"{location}: {field}: {first['msg']}; fix or remove the line") from error
            if record.id in locations:
                raise ValueError(
                    f"{location}: the id {record.id!r} is already used in {locations[record.id]}"
                )
            locations[record.id] = location
            records.append(record)
    return tuple(records)


def _lines(path: Path) -> list[str]:
    """The lines of `path`; empty if the file does not exist."""
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
