"""The questions and documents of `benchmarks.answers`."""

import json
import random
from pathlib import Path
from typing import Any

from agent.grading import is_correct, normalise
from memory.ingest.documents import RawDocument
from memory.ingest.pipeline import Failure, read_target
from memory.records.base import Record
from memory.records.knowledge import Passage


class Question(Record):
    """A question with its gold answer, and where that stands."""

    text: str
    answers: tuple[str, ...]
    must_include: tuple[tuple[str, ...], ...] = ()
    """One alternative of each group has to be there; instead of the answers, where there are any."""
    sources: tuple[str, ...] = ()
    """Documents with the answer; none for an unanswerable question."""
    spans: tuple[tuple[str, int, int], ...] = ()
    """Stretches of documents that hold the answer; the whole document where none is given."""
    kind: str = "squad"
    fitted: bool = False
    """It belongs to the half of SQuAD's articles on which the weights were fitted."""
    passage: str = ""
    without: str | None = None
    """A document that is left out of the search."""

    @property
    def answerable(self) -> bool:
        """Whether the documents answer it."""
        return bool(self.sources) and self.without is None

    def without_passage(self) -> "Question":
        """The same question, made unanswerable."""
        return self.model_copy(update={"without": self.sources[0]})

    def holds(self, text: str) -> bool:
        """Whether the text holds the gold answer."""
        if self.must_include:
            said = normalise(text)
            return all(any(normalise(part) in said for part in group) for group in self.must_include)
        return bool(self.answers) and is_correct(text, self.answers)

    def stands_in(self, passage: Passage) -> bool:
        """Whether the passage holds the stretch with the answer, or some of it."""
        if passage.source not in self.sources or self.without is not None:
            return False
        return not self.spans or any(
            passage.source == source and start < passage.end and passage.start < end
            for source, start, end in self.spans
        )


def squad(data: Path) -> list[Question]:
    """One question of each passage, drawn by seed. Raises OSError if the folder lacks the file."""
    draw = random.Random(4)
    passages = _passages(data)
    fitted = set(sorted({passage["title"] for passage in passages})[::2])
    drawn = [(n, passage, draw.choice(passage["questions"])) for n, passage in enumerate(passages)]
    return [
        Question(
            text=question["question"],
            answers=(question["answer"],),
            sources=(f"squad/{n:03d}.txt",),
            fitted=passage["title"] in fitted,
            passage=passage["context"],
        )
        for n, passage, question in drawn
    ]


def manuals(data: Path) -> list[Question]:
    """All questions about the manuals. Raises OSError if the folder lacks them."""
    folder = (data / "manuals").resolve()
    lines = (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [
        Question(
            text=line["question"],
            answers=(line["answer"], *line["aliases"]) if line["answerable"] else (),
            must_include=tuple(map(tuple, line["must_include"])),
            sources=tuple(str(folder / source) for source in line["sources"]),
            spans=tuple(
                (str(folder / part["source"]), part["start"], part["end"]) for part in line["evidence"]
            ),
            kind=line["kind"],
        )
        for line in map(json.loads, lines)
    ]


def documents(data: Path, corpus: str) -> list[RawDocument]:
    """The documents of `squad` or `manuals`. Raises OSError, and IngestError if there are none."""
    if corpus == "squad":
        return [
            RawDocument(
                source=f"squad/{n:03d}.txt",
                data=passage["context"].encode(),
                media_type="text/plain",
                title=passage["title"],
            )
            for n, passage in enumerate(_passages(data))
        ]
    folders = [data / "manuals" / name for name in ("httpx", "pihole")]
    found = [document for folder in folders for document in read_target(str(folder.resolve()))]
    return [document for document in found if not isinstance(document, Failure)]


def _passages(data: Path) -> list[dict[str, Any]]:
    lines = (data / "squad" / "passages.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
