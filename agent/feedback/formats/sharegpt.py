"""ShareGPT: JSON with `conversations` of `from` and `value`.

A preference pair has `chosen` and `rejected` besides, as LLaMA-Factory reads them; without these, the
conversation's last message is a liked answer.
https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md
"""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, Field

from agent.feedback.formats.rows import MAX_MESSAGES, FileText, ImportedPair, json_lines, read_rows
from memory.records.feedback import PreferencePair
from memory.records.interactions import LoggedMessage

Role = Literal["system", "user", "assistant"]
NAMES: dict[Role, str] = {"system": "system", "user": "human", "assistant": "gpt"}
ROLES: dict[str, Role] = {name: role for role, name in NAMES.items()} | {
    "user": "user",
    "assistant": "assistant",
    "chatgpt": "assistant",
}


class _Message(BaseModel):
    sender: str = Field(alias="from")
    value: FileText


class _Row(BaseModel):
    """A row; other fields are ignored."""

    conversations: list[_Message] = Field(min_length=1, max_length=MAX_MESSAGES)
    system: FileText = ""
    chosen: _Message | None = None
    rejected: _Message | None = None


def dumps(pairs: Iterable[PreferencePair]) -> str:
    """The pairs as JSON lines. Raises ValueError for a pair without a chosen answer."""
    rows: list[dict[str, Any]] = []
    for pair in pairs:
        if pair.chosen is None:
            raise ValueError(f"the pair from {pair.source} has no chosen answer, which ShareGPT needs")
        conversation = [_dump(message.role, message.content) for message in pair.messages]
        chosen = _dump("assistant", pair.chosen)
        if pair.rejected is None:
            rows.append({"conversations": [*conversation, chosen]})
        else:
            rejected = _dump("assistant", pair.rejected)
            rows.append({"conversations": conversation, "chosen": chosen, "rejected": rejected})
    return json_lines(rows)


def loads(text: str, *, source: str) -> tuple[ImportedPair, ...]:
    """The pairs of a file called `source`. Raises ValueError that names the line of what is wrong."""

    def pair(row: _Row, line: int) -> ImportedPair:
        messages = [LoggedMessage(role=_role(each), content=each.value) for each in row.conversations]
        if row.system.strip():
            messages.insert(0, LoggedMessage(role="system", content=row.system))
        chosen, rejected = _answers(row, messages)
        return ImportedPair(
            line=line,
            pair=PreferencePair(
                messages=tuple(messages),
                chosen=chosen,
                rejected=rejected,
                origin="import",
                source=f"{source}:{line}",
            ),
        )

    return read_rows(text, _Row, pair)


def _answers(row: _Row, messages: list[LoggedMessage]) -> tuple[str, str | None]:
    """The chosen and the rejected answer; takes a plain conversation's answer out of the messages."""
    if row.chosen is None and row.rejected is None:
        if messages[-1].role != "assistant":
            raise ValueError("conversations: the last message has to be the answer, without `chosen`")
        return _filled(messages.pop().content, "conversations"), None
    if row.chosen is None or row.rejected is None:
        raise ValueError("`chosen` and `rejected` belong together: one of them is missing")
    for field, answer in (("chosen", row.chosen), ("rejected", row.rejected)):
        if _role(answer) != "assistant":
            raise ValueError(f"{field}: it has to be from gpt, not from {answer.sender!r}")
    return _filled(row.chosen.value, "chosen"), _filled(row.rejected.value, "rejected")


def _filled(answer: str, field: str) -> str:
    if not answer.strip():
        raise ValueError(f"{field}: the answer is empty")
    return answer


def _role(message: _Message) -> Role:
    if message.sender not in ROLES:
        known = ", ".join(NAMES.values())
        raise ValueError(f"a message is from {message.sender!r}: only {known} are supported")
    return ROLES[message.sender]


def _dump(role: Role, text: str) -> dict[str, str]:
    return {"from": NAMES[role], "value": text}
