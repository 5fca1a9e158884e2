"""DPO as TRL reads it: JSON lines with `prompt`, `chosen` and `rejected`, conversational.

https://huggingface.co/docs/trl/dataset_formats#preference
"""

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from agent.feedback.formats.rows import (
    MAX_MESSAGES,
    ChatMessage,
    ImportedPair,
    as_assistant_message,
    as_user_message,
    json_lines,
    read_rows,
)
from memory.records.feedback import PreferencePair
from memory.records.interactions import LoggedMessage

_Most = Field(max_length=MAX_MESSAGES)


class _Row(BaseModel):
    """A row; other fields are ignored. A plain text stands for one message."""

    prompt: Annotated[list[ChatMessage], BeforeValidator(as_user_message), _Most] = []
    """Empty where `chosen` and `rejected` begin with it."""
    chosen: Annotated[list[ChatMessage], BeforeValidator(as_assistant_message), _Most]
    rejected: Annotated[list[ChatMessage], BeforeValidator(as_assistant_message), _Most]


def dumps(pairs: Iterable[PreferencePair]) -> str:
    """The pairs as JSON lines. Raises ValueError for a pair without both answers."""
    rows = []
    for pair in pairs:
        if pair.chosen is None or pair.rejected is None:
            raise ValueError(f"the pair from {pair.source} lacks an answer, and DPO needs both")
        rows.append(
            {
                "prompt": [message.model_dump(include={"role", "content"}) for message in pair.messages],
                "chosen": [{"role": "assistant", "content": pair.chosen}],
                "rejected": [{"role": "assistant", "content": pair.rejected}],
            }
        )
    return json_lines(rows)


def loads(text: str, *, source: str) -> tuple[ImportedPair, ...]:
    """The pairs of a file called `source`. Raises ValueError that names the line of what is wrong."""

    def pair(row: _Row, line: int) -> ImportedPair:
        prompt = row.prompt or _common_start(row.chosen, row.rejected)
        return ImportedPair(
            line=line,
            pair=PreferencePair(
                messages=tuple(LoggedMessage(role=m.role, content=m.content) for m in prompt),
                chosen=_answer(row.chosen, prompt, "chosen"),
                rejected=_answer(row.rejected, prompt, "rejected"),
                origin="import",
                source=f"{source}:{line}",
            ),
        )

    return read_rows(text, _Row, pair)


def _common_start(chosen: Sequence[ChatMessage], rejected: Sequence[ChatMessage]) -> list[ChatMessage]:
    together = zip(chosen, rejected, strict=False)
    return [one for one, _ in takewhile(lambda two: two[0] == two[1], together)]


def _answer(messages: Sequence[ChatMessage], prompt: Sequence[ChatMessage], field: str) -> str:
    """The one answer after the prompt, which the messages may repeat."""
    rest = messages[len(prompt) :] if list(messages[: len(prompt)]) == list(prompt) else messages
    if len(rest) != 1 or rest[0].role != "assistant":
        raise ValueError(f"{field}: there has to be one assistant message after the prompt")
    if not rest[0].content.strip():
        raise ValueError(f"{field}: the answer is empty")
    return rest[0].content
