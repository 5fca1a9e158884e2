"""The sets of `benchmarks.retrieval`: passages, and questions with the passages that answer them."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.answers.data import documents, manuals, squad
from memory.ingest.documents import RawDocument, load
from memory.ingest.passages import passages
from memory.records.knowledge import Passage

MULTI_HOP = ("2wiki", "musique", "hotpot")
SETS = (*MULTI_HOP, "squad", "manuals")


class Question(NamedTuple):
    """A question and its gold passages: whole documents, or spans of documents of which one suffices."""

    text: str
    documents: frozenset[str]
    spans: tuple[tuple[str, int, int], ...] = ()

    @property
    def held_out(self) -> bool:
        """Whether nothing was fitted on it: half of all questions, by a hash of the text."""
        return hashlib.sha256(self.text.encode()).digest()[0] % 2 == 0

    def recall(self, ranked: Sequence[Passage], k: int) -> float:
        """The share of the gold passages among the first `k` passages, or documents if these are gold."""
        if self.spans:
            return float(
                any(
                    passage.source == source and start < passage.end and passage.start < end
                    for passage in ranked[:k]
                    for source, start, end in self.spans
                )
            )
        sources = list(dict.fromkeys(passage.source for passage in ranked))[:k]
        return len(self.documents.intersection(sources)) / len(self.documents)


class Set(NamedTuple):
    """Passages to search, and questions about them."""

    name: str
    passages: tuple[Passage, ...]
    questions: tuple[Question, ...]


def load_set(data: Path, name: str) -> Set:
    """The set of this name. Raises OSError if its files are missing."""
    if name not in MULTI_HOP:
        texts = documents(data, name)
        asked = squad(data) if name == "squad" else [q for q in manuals(data) if q.answerable]
        questions = tuple(Question(q.text, frozenset(q.sources), q.spans) for q in asked)
    else:
        corpus = _lines(data / name / "corpus.jsonl")
        texts = [
            RawDocument(
                source=f"{name}/{line['id']}.txt",
                data=line["text"].encode(),
                media_type="text/plain",
                title=line["title"],
            )
            for line in corpus
        ]
        questions = tuple(_multi_hop(_lines(data / name / "questions.jsonl"), corpus, name))
    return Set(name, tuple(each for text in texts for each in _passages(text, name)), questions)


def _passages(document: RawDocument, name: str) -> tuple[Passage, ...]:
    loaded = load(document)
    title = loaded.title or document.title or Path(document.source).stem
    return passages(loaded.text, source=document.source, title=title, domain=name)


def _multi_hop(
    lines: Sequence[dict[str, Any]], corpus: Sequence[dict[str, Any]], name: str
) -> list[Question]:
    by_title = {line["title"]: f"{name}/{line['id']}.txt" for line in corpus}
    by_both = {(line["title"], line["text"]): f"{name}/{line['id']}.txt" for line in corpus}
    return [
        Question(
            line["question"],
            frozenset(
                [by_title[title] for title in line.get("gold_titles", ())]
                + [by_both[each["title"], each["text"]] for each in line.get("gold", ())]
            ),
        )
        for line in lines
    ]


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
