"""What `benchmarks.learning` teaches and asks: texts that people wrote, and people's questions about them."""

import json
import random
from pathlib import Path

from memory.documents import RawDocument
from memory.library import Failure, read, read_target
from memory.records import Passage, Record

READ_BY_US = frozenset({*range(125), *range(200, 211)})
"""Passages of SQuAD that were looked at while the rules were written; none of them is taught here."""


class Asked(Record):
    """One question with its right answers; without any it cannot be answered."""

    text: str
    answers: tuple[str, ...]
    passage: str = ""
    """The text that answers it, where the data tell."""


class Text(Record):
    """A text to learn, with the questions about it."""

    name: str
    passages: tuple[Passage, ...]
    questions: tuple[Asked, ...]


def squad(data: Path, count: int, *, seed: int = 15) -> list[Text]:
    """`count` passages of SQuAD with all their questions. Raises OSError if the folder lacks them."""
    lines = (data / "squad" / "passages.jsonl").read_text(encoding="utf-8").splitlines()
    unseen = [n for n in range(len(lines)) if n not in READ_BY_US]
    return [_squad(n, json.loads(lines[n])) for n in random.Random(seed).sample(unseen, count)]


def _squad(number: int, line: dict[str, object]) -> Text:
    title, context = str(line["title"]).replace("_", " "), str(line["context"])
    document = RawDocument(
        source=f"squad/{number:03d}.txt", data=context.encode(), media_type="text/plain", title=title
    )
    questions = line["questions"]
    assert isinstance(questions, list)
    return Text(
        name=f"squad-{number:03d}",
        passages=read(document, "squad")[0],
        questions=tuple(
            Asked(text=q["question"], answers=_answers(q["answer"]), passage=context) for q in questions
        ),
    )


def manual(data: Path, name: str) -> Text:
    """All pages of a product's manual with its questions. Raises OSError if the folder lacks them."""
    folder = (data / "manuals").resolve()
    lines = (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    found = [line for line in map(json.loads, lines) if line["corpus"] == name]
    return Text(
        name=f"manual-{name}",
        passages=pages(folder / name, f"manual-{name}"),
        questions=tuple(
            Asked(
                text=line["question"],
                answers=(line["answer"], *line["aliases"]) if line["answerable"] else (),
                passage=line.get("quote") or "",
            )
            for line in found
        ),
    )


def pages(folder: Path, domain: str) -> tuple[Passage, ...]:
    """The passages of all documents in a folder."""
    documents = [document for document in read_target(str(folder)) if not isinstance(document, Failure)]
    return tuple(passage for document in documents for passage in read(document, domain)[0])


def _answers(answer: object) -> tuple[str, ...]:
    return tuple(map(str, answer)) if isinstance(answer, list) else (str(answer),)
