"""Texts and questions of `benchmarks.learning`: SQuAD, manuals, the Rust Book and a sample library."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from agent.grading import is_correct, normalise
from memory.ingest.documents import RawDocument, text_of
from memory.ingest.folders import Failure, read_target
from memory.ingest.passages import passages as split_into_passages
from memory.records.base import Record
from memory.records.knowledge import Passage

DEVELOPMENT_PASSAGES = frozenset({*range(125), *range(200, 211)})
"""SQuAD passages that were looked at while the extraction rules were written; the benchmark skips them."""
UNANSWERABLE_COUNT = 20
"""Number of questions about passages outside the library."""
EXAMPLES = Path(__file__).parents[2] / "examples"
RUST_QUESTIONS = Path(__file__).parent / "rust_book.jsonl"

Kind = Literal["own", "other", "earlier", "unanswerable", "invented"]
"""`own`: about the taught text. `other`: about another text, which is not taught. `earlier`: about an earlier
lesson of a sequence. `unanswerable`: not answered by the library. `invented`: about a name that does not
exist."""


class Question(Record):
    """A question with its reference answers; without any it is unanswerable."""

    text: str
    answers: tuple[str, ...] = ()
    must_include: tuple[tuple[str, ...], ...] = ()
    """Groups of alternatives. If set, a correct answer contains one of each group, and `answers` is
    ignored."""
    passage: str = ""
    """The passage that contains the answer, if known."""
    kind: Kind = "own"

    @property
    def answerable(self) -> bool:
        """Whether there is a reference answer."""
        return bool(self.answers)

    def is_answered_by(self, text: str) -> bool:
        """Whether the text contains a reference answer; numbers must match exactly."""
        if self.must_include:
            normalised = normalise(text)
            return all(any(normalise(part) in normalised for part in group) for group in self.must_include)
        return is_correct(text, self.answers)


class Text(Record):
    """A text to learn, with its library and the questions about it."""

    name: str
    topic: str
    """Topic of the learn run."""
    documents: tuple[RawDocument, ...]
    """The whole library."""
    taught: tuple[str, ...]
    """Sources of the documents to learn from."""
    questions: tuple[Question, ...]
    domain: str = ""
    """Set if several lessons of a sequence share a domain; otherwise the name is used."""

    @property
    def passages(self) -> tuple[Passage, ...]:
        """The passages to learn from."""
        documents = [document for document in self.documents if document.source in self.taught]
        return tuple(passage for document in documents for passage in passages_of(document))


def passages_of(document: RawDocument, domain: str = "general") -> tuple[Passage, ...]:
    """The passages of a document, without extracting facts."""
    title = document.title or Path(document.source).stem
    return tuple(split_into_passages(text_of(document), source=document.source, title=title, domain=domain))


def squad(data: Path, count: int, *, seed: int = 15) -> list[Text]:
    """`count` random SQuAD passages with all their questions. Raises OSError if the file is missing."""
    lines = _squad_lines(data)
    candidates = [n for n in range(len(lines)) if n not in DEVELOPMENT_PASSAGES]
    return [_squad_text(n, json.loads(lines[n])) for n in random.Random(seed).sample(candidates, count)]


def merge_texts(name: str, texts: Sequence[Text], extra_questions: Sequence[Question] = ()) -> Text:
    """Combines several texts into one lesson."""
    return Text(
        name=name,
        topic=name.replace("-", " "),
        documents=tuple(document for text in texts for document in text.documents),
        taught=tuple(source for text in texts for source in text.taught),
        questions=(*(question for text in texts for question in text.questions), *extra_questions),
    )


def unanswerable_questions(data: Path, library: Sequence[Text], *, seed: int) -> tuple[Question, ...]:
    """Questions about SQuAD passages that are not in the library, one per passage."""
    sources = {source for text in library for source in text.taught}
    others = [text for text in squad(data, 100, seed=seed + 1) if not sources & set(text.taught)]
    rng = random.Random(seed)
    return tuple(
        Question(text=rng.choice(text.questions).text, kind="unanswerable")
        for text in others[:UNANSWERABLE_COUNT]
    )


def single_passage_texts(data: Path, count: int) -> list[Text]:
    """SQuAD passages, one per lesson; each also asks about the next passage, which it does not teach."""
    texts = squad(data, count)
    return [
        text.model_copy(
            update={
                "questions": (
                    *text.questions,
                    *(q.model_copy(update={"kind": "other"}) for q in next_text.questions),
                )
            }
        )
        for text, next_text in zip(texts, [*texts[1:], texts[0]], strict=True)
    ]


def sequence(data: Path, count: int) -> list[Text]:
    """Lessons of one domain, each on another passage; each also asks about the earlier ones."""
    texts = squad(data, count, seed=10)
    return [
        Text(
            name=f"sequence-{count}-{number:02d}",
            domain=f"sequence-{count}",
            topic=text.topic,
            documents=tuple(document for each in texts[:number] for document in each.documents),
            taught=text.taught,
            questions=(
                *text.questions,
                *(
                    question.model_copy(update={"kind": "earlier"})
                    for each in texts[: number - 1]
                    for question in each.questions
                ),
            ),
        )
        for number, text in enumerate(texts, 1)
    ]


def manual(data: Path, name: str) -> Text:
    """A product's manual with questions by users; teaches the pages that answer them.

    Raises OSError if the folder is missing, ValueError for an unknown manual.
    """
    folder = (data / "manuals").resolve()
    all_lines = (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    lines = [line for line in map(json.loads, all_lines) if line["corpus"] == name]
    if not lines:
        raise ValueError(f"there is no manual {name!r} in {folder}")
    pages = {source for line in lines if line["answerable"] for source in line["sources"]}
    return Text(
        name=f"manual-{name}",
        topic=f"manual {name}",
        documents=_documents(folder / name),
        taught=tuple(sorted(pages)),
        questions=tuple(
            Question(
                text=line["question"],
                answers=(line["answer"], *line["aliases"]) if line["answerable"] else (),
                must_include=tuple(map(tuple, line["must_include"])) if line["answerable"] else (),
                passage=line.get("quote") or "",
                kind="own" if line["answerable"] else "unanswerable",
            )
            for line in lines
        ),
    )


def rust_book(data: Path) -> Text:
    """Chapters of the Rust Book with questions of our own. Raises OSError if either is missing."""
    documents = _documents((data / "rust-book").resolve())
    pages = {Path(document.source).name: document for document in documents}
    lines = [json.loads(line) for line in RUST_QUESTIONS.read_text(encoding="utf-8").splitlines()]
    return Text(
        name="rust-book",
        topic="rust book",
        documents=documents,
        taught=tuple(sorted({pages[line["page"]].source for line in lines if line["answers"]})),
        questions=tuple(
            Question(
                text=line["question"],
                answers=tuple(line["answers"]),
                passage=_passage_with([pages[line["page"]]], line["answers"]),
                kind="own" if line["answers"] else "unanswerable",
            )
            for line in lines
        ),
    )


def tollan_ferry() -> Text:
    """Two pages of the example library with natural questions, for quick runs."""
    documents = _documents((EXAMPLES / "library" / "tollan-ferry").resolve())
    lines = (EXAMPLES / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return Text(
        name="tollan-ferry",
        topic="The Tollan Ferry",
        documents=documents,
        taught=tuple(document.source for document in documents),
        questions=(
            *(
                Question(
                    text=line["question"],
                    answers=tuple(line["answers"]),
                    passage=_passage_with(documents, line["answers"]),
                )
                for line in map(json.loads, lines)
            ),
            Question(text="How many crew members does the Tollan Ferry have?", kind="unanswerable"),
            Question(text="What colour is the Vennet Star painted?", kind="unanswerable"),
        ),
    )


def _squad_lines(data: Path) -> list[str]:
    return (data / "squad" / "passages.jsonl").read_text(encoding="utf-8").splitlines()


def _squad_text(number: int, line: dict[str, object]) -> Text:
    title, context = str(line["title"]).replace("_", " "), str(line["context"])
    source = f"squad/{number:03d}.txt"
    document = RawDocument(source=source, data=context.encode(), media_type="text/plain", title=title)
    questions = line["questions"]
    assert isinstance(questions, list)
    return Text(
        name=f"squad-{number:03d}",
        topic=title,
        documents=(document,),
        taught=(source,),
        questions=tuple(
            Question(text=q["question"], answers=_answers(q["answer"]), passage=context) for q in questions
        ),
    )


def _documents(folder: Path) -> tuple[RawDocument, ...]:
    return tuple(item for item in read_target(str(folder)) if not isinstance(item, Failure))


def _passage_with(documents: Sequence[RawDocument], answers: Sequence[str]) -> str:
    """The first passage that contains an answer; the first of all if none does."""
    passages = [passage for document in documents for passage in passages_of(document)]
    matches = (p.text for p in passages if answers and is_correct(p.text, answers))
    return next(matches, passages[0].text)


def _answers(answer: object) -> tuple[str, ...]:
    return tuple(map(str, answer)) if isinstance(answer, list) else (str(answer),)
