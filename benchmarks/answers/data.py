"""Questions and documents of `benchmarks.answers`: SQuAD and the manuals."""

import json
import random
from pathlib import Path
from typing import Any

from agent.grading import is_correct, normalise
from memory.ingest.documents import RawDocument
from memory.ingest.folders import Failure, read_target
from memory.records.base import Record
from memory.records.knowledge import Passage


class Question(Record):
    """A question with its gold answer and the place of that answer."""

    text: str
    answers: tuple[str, ...]
    must_include: tuple[tuple[str, ...], ...] = ()
    """Groups of alternatives. If set, a correct answer contains one of each group, and `answers` is
    ignored."""
    sources: tuple[str, ...] = ()
    """Documents with the answer; empty if the question is unanswerable."""
    spans: tuple[tuple[str, int, int], ...] = ()
    """Source, start and end of each span with the answer; empty means the whole document."""
    kind: str = "squad"
    fitted: bool = False
    """Whether it belongs to the half of SQuAD's articles that the weights were fitted on."""
    passage: str = ""
    without: str | None = None
    """A source excluded from retrieval, to make the question unanswerable."""

    @property
    def answerable(self) -> bool:
        """Whether the searched documents contain the answer."""
        return bool(self.sources) and self.without is None

    def without_passage(self) -> "Question":
        """The same question with its source excluded from retrieval."""
        return self.model_copy(update={"without": self.sources[0]})

    def is_answered_by(self, text: str) -> bool:
        """Whether the text contains the gold answer."""
        if self.must_include:
            normalised = normalise(text)
            return all(any(normalise(part) in normalised for part in group) for group in self.must_include)
        return bool(self.answers) and is_correct(text, self.answers)

    def is_in(self, passage: Passage) -> bool:
        """Whether the passage overlaps a span with the answer."""
        if passage.source not in self.sources or self.without is not None:
            return False
        return not self.spans or any(
            passage.source == source and start < passage.end and passage.start < end
            for source, start, end in self.spans
        )


def squad(data: Path) -> list[Question]:
    """A random question for each passage, with a fixed seed. Raises OSError if the file is missing."""
    rng = random.Random(4)
    passages = _passages(data)
    fitted = set(sorted({passage["title"] for passage in passages})[::2])
    chosen = [(n, passage, rng.choice(passage["questions"])) for n, passage in enumerate(passages)]
    return [
        Question(
            text=question["question"],
            answers=(question["answer"],),
            sources=(f"squad/{n:03d}.txt",),
            fitted=passage["title"] in fitted,
            passage=passage["context"],
        )
        for n, passage, question in chosen
    ]


def manuals(data: Path) -> list[Question]:
    """All questions about the manuals. Raises OSError if the file is missing."""
    folder = (data / "manuals").resolve()
    lines = (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [
        Question(
            text=line["question"],
            answers=(line["answer"], *line["aliases"]) if line["answerable"] else (),
            must_include=tuple(map(tuple, line["must_include"])),
            sources=tuple(line["sources"]),
            spans=tuple((part["source"], part["start"], part["end"]) for part in line["evidence"]),
            kind=line["kind"],
        )
        for line in map(json.loads, lines)
    ]


def documents(data: Path, corpus: str) -> list[RawDocument]:
    """The documents of the corpus `squad` or `manuals`. Raises OSError, or IngestError if there are none."""
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
    items = [item for folder in folders for item in read_target(str(folder.resolve()))]
    return [item for item in items if not isinstance(item, Failure)]


def _passages(data: Path) -> list[dict[str, Any]]:
    lines = (data / "squad" / "passages.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
