"""Argilla's records, as `Dataset.records.to_json` writes and `from_json` reads them.

Fields `prompt` (a chat field), `a` and `b`; questions `preference` (label), `comment` and `rewrite` (text).
https://docs.argilla.io/latest/how_to_guides/import_export/
"""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from agent.feedback.formats.rows import (
    MAX_MESSAGES,
    ChatMessage,
    FileName,
    FileText,
    FilledText,
    as_user_message,
    json_line,
    read_rows,
)
from memory.records.base import Domain, Record
from memory.records.feedback import AnnotationItem, Choice, Judgement
from memory.records.interactions import LoggedMessage

NAMESPACE = uuid.UUID("9f1bd3f1-6a0c-4f0c-9a55-6f2c7f0f8f0e")
"""Of the user ids that stand for annotators: Argilla wants UUIDs."""
IMPORTED = "imported"
MAX_RESPONSES = 100


class ImportedItem(Record):
    """An item with its judgements, and the line of the file where it begins."""

    line: int
    item: AnnotationItem
    judgements: tuple[Judgement, ...]


class _Response(BaseModel):
    value: FileText
    user_id: FileName


class _ChoiceResponse(_Response):
    value: Choice


class _Responses(BaseModel):
    preference: list[_ChoiceResponse] = Field([], max_length=MAX_RESPONSES)
    comment: list[_Response] = Field([], max_length=MAX_RESPONSES)
    rewrite: list[_Response] = Field([], max_length=MAX_RESPONSES)


class _Fields(BaseModel):
    prompt: Annotated[
        list[ChatMessage], BeforeValidator(as_user_message), Field(min_length=1, max_length=MAX_MESSAGES)
    ]
    a: FilledText
    b: FilledText


class _Metadata(BaseModel):
    """Our metadata; a dataset made elsewhere has none of it."""

    domain: Domain | None = None
    annotators_wanted: int = Field(1, ge=1, le=9)
    annotators: list[FileName] = Field([], max_length=MAX_RESPONSES)
    """Names of the annotators whose user ids are made from their names."""
    a_source: FileText = IMPORTED
    b_source: FileText = IMPORTED
    interaction_id: FileText | None = None
    gold: Choice | None = None


class _Row(BaseModel):
    """A record; vectors and suggestions are ignored, for a suggestion is no judgement."""

    id: Annotated[str, Field(max_length=100, pattern=r"^[\w.:-]+$")] | None = None
    fields: _Fields
    metadata: _Metadata = _Metadata()
    responses: _Responses = _Responses()


def dumps(items: Iterable[AnnotationItem], judgements: Iterable[Judgement], *, reveal: bool = False) -> str:
    """The items with their judgements as a JSON array of one record a line.

    With `reveal`, the metadata tells the answers' sources and gold choices, which annotators must not see.
    """
    by_item: dict[str, list[Judgement]] = {}
    for judgement in judgements:
        by_item.setdefault(judgement.item_id, []).append(judgement)
    rows = [json_line(_record(item, by_item.get(item.id, []), reveal)) for item in items]
    return "[\n" + ",\n".join(rows) + "\n]\n"


def loads(
    text: str, *, batch: str, domain: Domain, now: datetime, new_id: Callable[[], str]
) -> tuple[ImportedItem, ...]:
    """Items for the batch, with their judgements; `domain` is that of records that name none.

    Raises ValueError that names the line of what is wrong.
    """
    lines: dict[str, int] = {}

    def item(row: _Row, line: int) -> ImportedItem:
        item_id = row.id or new_id()
        if item_id in lines:
            raise ValueError(f"id: {item_id} is that of the record in line {lines[item_id]} too")
        lines[item_id] = line
        last = row.fields.prompt[-1]
        if last.role != "user" or not last.content.strip():
            raise ValueError("fields.prompt: the last message has to be the user's, and not empty")
        if row.metadata.gold == "skip":
            raise ValueError("metadata.gold: it has to be a, b, both_good or both_bad")
        made = AnnotationItem(
            id=item_id,
            batch=batch,
            interaction_id=row.metadata.interaction_id,
            domain=row.metadata.domain or domain,
            messages=tuple(LoggedMessage(role=m.role, content=m.content) for m in row.fields.prompt),
            a=row.fields.a,
            b=row.fields.b,
            a_source=row.metadata.a_source,
            b_source=row.metadata.b_source,
            annotators=row.metadata.annotators_wanted,
            gold=row.metadata.gold,
            created_at=now,
        )
        return ImportedItem(line=line, item=made, judgements=_judgements(row, item_id, now))

    return read_rows(text, _Row, item)


def user_id(annotator: str) -> str:
    """The UUID that stands for the annotator; a name that is one stands for itself."""
    try:
        return str(uuid.UUID(annotator))
    except ValueError:
        return str(uuid.uuid5(NAMESPACE, annotator))


def _record(item: AnnotationItem, judgements: Sequence[Judgement], reveal: bool) -> dict[str, Any]:
    responses: dict[str, list[dict[str, str]]] = {"preference": [], "comment": [], "rewrite": []}
    for judgement in judgements:
        user = user_id(judgement.annotator)
        answers = {
            "preference": judgement.choice,
            "comment": judgement.comment,
            "rewrite": judgement.rewrite,
        }
        for question, value in answers.items():
            if value:
                responses[question].append({"value": value, "user_id": user})
    metadata: dict[str, Any] = {
        "batch": item.batch,
        "domain": item.domain,
        "annotators_wanted": item.annotators,
        "annotators": [judgement.annotator for judgement in judgements],
    }
    if reveal:
        hidden: dict[str, str | None] = {"a_source": item.a_source, "b_source": item.b_source}
        hidden |= {"interaction_id": item.interaction_id, "gold": item.gold}
        metadata |= {name: value for name, value in hidden.items() if value is not None}
    return {
        "id": item.id,
        "fields": {
            "prompt": [message.model_dump(include={"role", "content"}) for message in item.messages],
            "a": item.a,
            "b": item.b,
        },
        "metadata": metadata,
        "suggestions": {},
        "responses": {question: given for question, given in responses.items() if given},
        "vectors": {},
        "_server_id": None,
    }


def _judgements(row: _Row, item_id: str, now: datetime) -> tuple[Judgement, ...]:
    choices = _by_user(row.responses.preference, "preference")
    comments = _by_user(row.responses.comment, "comment")
    rewrites = _by_user(row.responses.rewrite, "rewrite")
    if alone := (comments.keys() | rewrites.keys()) - choices.keys():
        raise ValueError(f"responses: {min(alone)} gave a comment or rewrite, but no preference")
    names = {user_id(name): name for name in row.metadata.annotators}
    return tuple(
        Judgement.model_validate(
            {
                "item_id": item_id,
                "annotator": names.get(user, user),
                "choice": choice,
                "comment": comments.get(user, ""),
                "rewrite": rewrites.get(user),
                "created_at": now,
            }
        )
        for user, choice in choices.items()
    )


def _by_user(responses: Sequence[_Response | _ChoiceResponse], question: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for response in responses:
        if response.user_id in found:
            raise ValueError(f"responses.{question}: {response.user_id} answered more than once")
        found[response.user_id] = response.value
    return {user: value for user, value in found.items() if value.strip()}
