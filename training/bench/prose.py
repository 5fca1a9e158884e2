"""Owns learning from real prose: chapters of the Rust Book and passages of SQuAD, asked closed-book.

The texts are not ours and do not ship: their folder is given on the command line.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.scoring import correct, f1
from pydantic import BaseModel, ValidationError

from agent.local import LocalEngine
from memory.documents import RawDocument
from memory.errors import IngestError
from memory.library import Failure, read, read_target
from memory.records import Fact, Passage, Record
from training.bench.sequence import Learned, curriculum, learn
from training.evaluate import ask
from training.jobs import Workshop

SQUAD_PASSAGES = 100


class Asked(Record):
    """Questions that people wrote about a text, answered without it."""

    count: int
    exact: float
    f1: float
    """Mean word F1 with the reference, in [0, 1]."""


class Prose(Record):
    """What was learned from one body of text."""

    name: str
    passages: int
    facts: int
    """Read from it, verified and taught."""
    pairs: int
    learned: Learned
    before: Asked | None = None
    """The base model's answers to the text's own questions, where it has some."""
    after: Asked | None = None


@dataclass(frozen=True)
class Text:
    """A body of text, and questions that people wrote about it, each with its answer."""

    name: str
    documents: Sequence[RawDocument]
    questions: Sequence[tuple[str, str]] = ()


class _Question(BaseModel):
    question: str
    answer: str


class _Entry(BaseModel):
    """A line of the file of SQuAD passages; what else it holds is not looked at."""

    title: str
    context: str
    questions: list[_Question]


def read_prose(data: Path) -> tuple[Text, ...]:
    """Both texts. Raises IngestError for a folder that lacks one, or holds what cannot be read."""
    book = []
    for each in read_target(str(data / "rust-book")):
        if isinstance(each, Failure):
            raise IngestError(f"{each.source}: {each.reason}")
        book.append(each)
    file = data / "squad" / "passages.jsonl"
    if not file.is_file():
        raise IngestError(f"{file} is missing: give the folder that holds rust-book/ and squad/")
    lines = file.read_text(encoding="utf-8").splitlines()[:SQUAD_PASSAGES]
    try:
        entries = [_Entry.model_validate_json(line) for line in lines]
    except ValidationError as error:
        raise IngestError(f"{file} holds something else than SQuAD passages: {error}") from error
    return (
        Text("rust-book", book),
        Text(
            "squad",
            [_document(i, entry) for i, entry in enumerate(entries)],
            [(each.question, each.answer) for entry in entries for each in entry.questions],
        ),
    )


def learn_prose(shop: Workshop, text: Text) -> Prose:
    """Learns the text in a domain of its own, and asks its own questions before and after."""
    made = _learned(shop, text.name, text.documents)
    if not text.questions:
        return made
    before, after = asyncio.run(_ask_both(shop, made.learned, text.questions))
    return made.model_copy(update={"before": before, "after": after})


def _learned(shop: Workshop, name: str, documents: Sequence[RawDocument]) -> Prose:
    passages: list[Passage] = []
    facts: list[Fact] = []
    for document in documents:
        found, stated = read(document, name)
        passages += found
        facts += stated
    lesson = curriculum(name, name, facts, passages)
    [learned] = learn(shop, [lesson])
    return Prose(
        name=name,
        passages=len(passages),
        facts=len(lesson.facts),
        pairs=len(lesson.pairs),
        learned=learned,
    )


def _document(number: int, entry: _Entry) -> RawDocument:
    return RawDocument(
        source=f"squad:{number}", data=entry.context.encode(), media_type="text/plain", title=entry.title
    )


async def _ask_both(
    shop: Workshop, learned: Learned, questions: Sequence[tuple[str, str]]
) -> tuple[Asked, Asked]:
    engine = LocalEngine.open(shop.base)
    await engine.load(learned.adapter.name, Path(learned.adapter.path))
    return await _ask(engine, None, questions), await _ask(engine, learned.adapter.name, questions)


async def _ask(engine: LocalEngine, adapter: str | None, questions: Sequence[tuple[str, str]]) -> Asked:
    replies = await ask(engine, [text for text, _ in questions], adapter=adapter)
    pairs = [(reply.text, answer) for reply, (_, answer) in zip(replies, questions, strict=True)]
    return Asked(
        count=len(pairs),
        exact=sum(correct(given, [wanted]) for given, wanted in pairs) / len(pairs),
        f1=sum(f1(given, wanted) for given, wanted in pairs) / len(pairs),
    )
