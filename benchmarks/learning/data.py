"""What `benchmarks.learning` teaches and asks: texts that people wrote, and people's questions about them."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from agent.grading import is_correct, normalise
from memory.ingest.documents import RawDocument, text_of
from memory.ingest.passages import passages as cut
from memory.ingest.pipeline import Failure, read_target
from memory.records.base import Record
from memory.records.knowledge import Passage

READ_BY_US = frozenset({*range(125), *range(200, 211)})
"""Passages of SQuAD that were looked at while the rules were written; none of them is taught here."""
STRANGE = 20
"""Questions about passages that are not in the library: they cannot be answered."""
EXAMPLES = Path(__file__).parents[2] / "examples"
RUST = Path(__file__).parent / "rust_book.jsonl"

Kind = Literal["own", "other", "earlier", "unanswerable", "invented"]
"""`own`: about what the lesson teaches. `other`: about a text that it does not teach. `earlier`: about the
lessons before it."""


class Asked(Record):
    """One question with its right answers; without any it cannot be answered."""

    text: str
    answers: tuple[str, ...] = ()
    must_include: tuple[tuple[str, ...], ...] = ()
    """One alternative of each group has to be said; instead of the answers, where there are any."""
    passage: str = ""
    """The text that answers it, where the data tell."""
    kind: Kind = "own"

    @property
    def answerable(self) -> bool:
        """Whether there is a right answer."""
        return bool(self.answers)

    def holds(self, text: str) -> bool:
        """Whether the text holds a right answer; numbers have to agree exactly."""
        if self.must_include:
            said = normalise(text)
            return all(any(normalise(part) in said for part in group) for group in self.must_include)
        return is_correct(text, self.answers)


class Text(Record):
    """A text to learn, with the questions about it and the library that it stands in."""

    name: str
    topic: str
    """What a person would ask to be taught."""
    documents: tuple[RawDocument, ...]
    """The library."""
    taught: tuple[str, ...]
    """Sources of the documents to learn from."""
    questions: tuple[Asked, ...]
    domain: str = ""
    """Shared by the lessons of a sequence; else the name."""

    @property
    def passages(self) -> tuple[Passage, ...]:
        """The passages to learn from."""
        chosen = [document for document in self.documents if document.source in self.taught]
        return tuple(passage for document in chosen for passage in passages_of(document))


def passages_of(document: RawDocument, domain: str = "general") -> tuple[Passage, ...]:
    """A document's passages, without its facts."""
    title = document.title or Path(document.source).stem
    return tuple(cut(text_of(document), source=document.source, title=title, domain=domain))


def squad(data: Path, count: int, *, seed: int = 15) -> list[Text]:
    """`count` passages of SQuAD with all their questions. Raises OSError if the folder lacks them."""
    lines = _squad_lines(data)
    unseen = [n for n in range(len(lines)) if n not in READ_BY_US]
    return [_squad(n, json.loads(lines[n])) for n in random.Random(seed).sample(unseen, count)]


def together(name: str, texts: Sequence[Text], extra: Sequence[Asked] = ()) -> Text:
    """Several texts as one lesson."""
    return Text(
        name=name,
        topic=name.replace("-", " "),
        documents=tuple(document for text in texts for document in text.documents),
        taught=tuple(source for text in texts for source in text.taught),
        questions=(*(question for text in texts for question in text.questions), *extra),
    )


def strange(data: Path, besides: Sequence[Text], *, seed: int) -> tuple[Asked, ...]:
    """One question each about passages of SQuAD that are in none of the texts: nothing answers them."""
    known = {source for text in besides for source in text.taught}
    others = [text for text in squad(data, 100, seed=seed + 1) if not known & set(text.taught)]
    draw = random.Random(seed)
    return tuple(
        Asked(text=draw.choice(text.questions).text, kind="unanswerable") for text in others[:STRANGE]
    )


def one_a_lesson(data: Path, count: int) -> list[Text]:
    """Passages that are taught alone, each asked about the next one as well, which it does not teach."""
    texts = squad(data, count)
    return [
        text.model_copy(
            update={
                "questions": (
                    *text.questions,
                    *(q.model_copy(update={"kind": "other"}) for q in following.questions),
                )
            }
        )
        for text, following in zip(texts, [*texts[1:], texts[0]], strict=True)
    ]


def sequence(data: Path, count: int) -> list[Text]:
    """Lessons on different passages, one on top of the other; each asks about the earlier ones as well."""
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
    """A product's manual with people's questions; taught are the pages that they ask about.

    Raises OSError if the folder lacks them, ValueError for an unknown manual.
    """
    folder = (data / "manuals").resolve()
    lines = (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    found = [line for line in map(json.loads, lines) if line["corpus"] == name]
    if not found:
        raise ValueError(f"there is no manual {name!r} in {folder}")
    pages = {str(folder / source) for line in found if line["answerable"] for source in line["sources"]}
    return Text(
        name=f"manual-{name}",
        topic=f"manual {name}",
        documents=_documents(folder / name),
        taught=tuple(sorted(pages)),
        questions=tuple(
            Asked(
                text=line["question"],
                answers=(line["answer"], *line["aliases"]) if line["answerable"] else (),
                must_include=tuple(map(tuple, line["must_include"])) if line["answerable"] else (),
                passage=line.get("quote") or "",
                kind="own" if line["answerable"] else "unanswerable",
            )
            for line in found
        ),
    )


def rust_book(data: Path) -> Text:
    """Chapters of the Rust Book with our questions about them. Raises OSError without either."""
    documents = _documents((data / "rust-book").resolve())
    pages = {Path(document.source).name: document for document in documents}
    lines = [json.loads(line) for line in RUST.read_text(encoding="utf-8").splitlines()]
    return Text(
        name="rust-book",
        topic="rust book",
        documents=documents,
        taught=tuple(sorted({pages[line["page"]].source for line in lines if line["answers"]})),
        questions=tuple(
            Asked(
                text=line["question"],
                answers=tuple(line["answers"]),
                passage=_holding([pages[line["page"]]], line["answers"]),
                kind="own" if line["answers"] else "unanswerable",
            )
            for line in lines
        ),
    )


def tollan_ferry() -> Text:
    """Two pages of ours with questions as people ask them, for quick runs."""
    documents = _documents((EXAMPLES / "library" / "tollan-ferry").resolve())
    lines = (EXAMPLES / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return Text(
        name="tollan-ferry",
        topic="The Tollan Ferry",
        documents=documents,
        taught=tuple(document.source for document in documents),
        questions=(
            *(
                Asked(
                    text=line["question"],
                    answers=tuple(line["answers"]),
                    passage=_holding(documents, line["answers"]),
                )
                for line in map(json.loads, lines)
            ),
            Asked(text="How many crew members does the Tollan Ferry have?", kind="unanswerable"),
            Asked(text="What colour is the Vennet Star painted?", kind="unanswerable"),
        ),
    )


def _squad_lines(data: Path) -> list[str]:
    return (data / "squad" / "passages.jsonl").read_text(encoding="utf-8").splitlines()


def _squad(number: int, line: dict[str, object]) -> Text:
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
            Asked(text=q["question"], answers=_answers(q["answer"]), passage=context) for q in questions
        ),
    )


def _documents(folder: Path) -> tuple[RawDocument, ...]:
    return tuple(found for found in read_target(str(folder)) if not isinstance(found, Failure))


def _holding(documents: Sequence[RawDocument], answers: Sequence[str]) -> str:
    """The first passage that holds an answer, else the first of all."""
    passages = [passage for document in documents for passage in passages_of(document)]
    found = (p.text for p in passages if answers and is_correct(p.text, answers))
    return next(found, passages[0].text)


def _answers(answer: object) -> tuple[str, ...]:
    return tuple(map(str, answer)) if isinstance(answer, list) else (str(answer),)
