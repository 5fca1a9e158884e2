"""Rows of imported files: JSON lines, or one JSON array; what is wrong is named with its line."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Literal, NoReturn, Self, TypeVar

from pydantic import AfterValidator, BaseModel, StringConstraints, ValidationError, model_validator

from memory.records.base import Record
from memory.records.feedback import PreferencePair

MAX_ROWS = 10_000
MAX_CHARACTERS = 32_000
"""Of one message or answer: twice what the interaction log keeps of a conversation."""
MAX_MESSAGES = 64
ROW_SPACE = " \t\r\n,"

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


class ImportedPair(Record):
    """A preference pair, and the line of the file where it begins."""

    line: int
    pair: PreferencePair

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not self.pair.question.strip():
            raise ValueError("the last message is empty")
        return self


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("it contains a NUL character, which cannot be stored: remove it")
    return text


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty")
    return text


FileText = Annotated[str, StringConstraints(max_length=MAX_CHARACTERS), AfterValidator(_without_nul)]
FilledText = Annotated[FileText, AfterValidator(_filled)]
FileName = Annotated[
    str, StringConstraints(max_length=200), AfterValidator(_without_nul), AfterValidator(_filled)
]
"""Name of an annotator."""


class ChatMessage(BaseModel):
    """A message in OpenAI's format; other fields are ignored."""

    role: Literal["system", "user", "assistant"]
    content: FileText


def as_user_message(value: Any) -> Any:
    """A plain text as the messages that it stands for; anything else unchanged."""
    return [{"role": "user", "content": value}] if isinstance(value, str) else value


def as_assistant_message(value: Any) -> Any:
    """A plain text as the answer that it stands for; anything else unchanged."""
    return [{"role": "assistant", "content": value}] if isinstance(value, str) else value


def decode(data: bytes) -> str:
    """The file's text, without a byte order mark. Raises ValueError that names the line of a wrong byte."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ValueError(f"line {line}: this is not UTF-8") from None


def read_rows(text: str, row: type[M], convert: Callable[[M, int], T]) -> tuple[T, ...]:
    """Validates every row and converts it; `convert` gets the row and its line.

    Raises ValueError that names the line, also for a file without rows and one with more than MAX_ROWS.
    """
    converted: list[T] = []
    for line, value in _values(text):
        if len(converted) == MAX_ROWS:
            fail(line, f"there are more than {MAX_ROWS} records: split the file")
        if not isinstance(value, dict):
            fail(line, "a record has to be a JSON object")
        try:
            converted.append(convert(row.model_validate(value), line))
        except ValidationError as error:
            fail(line, _problem(error))
        except ValueError as error:
            fail(line, str(error))
    if not converted:
        raise ValueError("the file holds no records")
    return tuple(converted)


def json_line(value: object) -> str:
    """The value as one line of JSON."""
    return json.dumps(value, ensure_ascii=False)


def json_lines(values: Sequence[object]) -> str:
    """One line of JSON for each value."""
    return "".join(json_line(value) + "\n" for value in values)


def fail(line: int, reason: str) -> NoReturn:
    """Raises ValueError that names the line."""
    raise ValueError(f"line {line}: {reason}")


def _values(text: str) -> Iterator[tuple[int, Any]]:
    """Each value with the line where it begins."""
    if text.lstrip(ROW_SPACE).startswith("["):
        yield from _array(text)
        return
    for line, row in enumerate(text.split("\n"), 1):  # JSON strings may hold other line separators
        if row.strip():
            yield line, _parse(json.loads, row, line)[0]


def _array(text: str) -> Iterator[tuple[int, Any]]:
    decoder = json.JSONDecoder()
    position, line, start = text.index("[") + 1, 1, 0
    while True:
        while position < len(text) and text[position] in ROW_SPACE:
            position += 1
        line, start = line + text.count("\n", start, position), position
        if position == len(text):
            fail(line, "the JSON array does not end")
        if text[position] == "]":
            if text[position + 1 :].strip():
                fail(line, "something follows the JSON array")
            return
        value, position = _parse(decoder.raw_decode, text, line, position)
        yield line, value


def _parse(parse: Callable[..., Any], text: str, line: int, *position: int) -> tuple[Any, int]:
    try:
        parsed = parse(text, *position)
    except json.JSONDecodeError as error:
        at = error.lineno if position else line
        fail(at, f"this is not JSON: {error.msg}, column {error.colno}")
    except (ValueError, RecursionError) as error:
        fail(line, f"this is not JSON that can be read: {error}")
    return parsed if position else (parsed, 0)


def _problem(error: ValidationError) -> str:
    """The deepest of pydantic's errors, with its field."""
    worst = max(error.errors(include_url=False), key=lambda each: len(each["loc"]))
    field = ".".join(map(str, worst["loc"]))
    message = worst["msg"].removeprefix("Value error, ")
    return f"{field}: {message}" if field else message
