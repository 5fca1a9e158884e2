"""The labelled sentences of `benchmarks.facts`: what each states, as a person read it."""

import json
from hashlib import sha256
from pathlib import Path

from memory.ingest.passages import passages
from memory.records.base import Record
from memory.records.knowledge import Passage

LABELLED = Path(__file__).parent / "labelled.jsonl"


class Proposition(Record):
    """One statement of a sentence, in its words."""

    subject: str
    relation: str
    object: str = ""
    negated: bool = False
    modality: str = ""
    condition: str = ""
    number: str = ""
    """A quantity with its unit, as written."""
    date: str = ""


class LabelledSentence(Record):
    """A sentence of a public data set with its document's title, and all that it states."""

    set: str
    title: str
    text: str
    facts: tuple[Proposition, ...]

    @property
    def held_out(self) -> bool:
        """Whether it belongs to the half that rules were never fitted to, by a hash of its text."""
        return sha256(self.text.encode()).digest()[0] % 2 == 1

    def passage(self) -> Passage:
        """The sentence as a document of its own."""
        (passage,) = passages(
            self.text, source=f"{self.set}/{self.title}", title=self.title, domain=self.set, language="en"
        )
        return passage


def labelled_sentences(path: Path = LABELLED) -> tuple[LabelledSentence, ...]:
    """All labelled sentences, in the order of the sample."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(LabelledSentence.model_validate(json.loads(line)) for line in lines)
