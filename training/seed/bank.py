"""Owns the banks that ship beside the weights: what the base model was taught, and what it never saw.

Used for replay, evaluation and benchmarks; how facts are drawn from WordNet and split is in `facts`.
"""

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from agent.cores import Split
from agent.wordings import ask
from memory.records import Form

FOLDER = Path(__file__).resolve().parent / "bank"

Name = Literal["known", "unknown", "reserved"]


@dataclass(frozen=True)
class BankFact:
    """One question that a fact settles: `subject` stands in `form` to `object`.

    The answer is the object, but the subject of a `term_for` question, and Yes of a `yes_no` question.
    """

    subject: str
    form: Form
    object: str

    @property
    def answer(self) -> str:
        """What the base model is taught to say."""
        return {"term_for": self.subject, "yes_no": "Yes"}.get(self.form, self.object)


def known() -> tuple[BankFact, ...]:
    """Facts that the base model was taught, one entry for each form in which it was asked."""
    return _load("known")


def unknown() -> tuple[BankFact, ...]:
    """Facts about words of which it was taught to say that it does not know them: a sample."""
    return _load("unknown")


def reserved() -> tuple[BankFact, ...]:
    """Facts about words that no training ever asked for or answered with: a sample."""
    return _load("reserved")


def asked(fact: BankFact, split: Split, rng: random.Random, bank: Sequence[BankFact]) -> tuple[str, str]:
    """One wording and its right answer."""
    object, answer = asked_for(fact, rng, bank)
    return ask(fact.form, split, rng, subject=fact.subject, object=object), answer


def asked_for(fact: BankFact, rng: random.Random, bank: Sequence[BankFact]) -> tuple[str, str]:
    """The object that a question names, and its right answer. Half of the yes/no questions ask for the kind
    of another word of the bank: who always says Yes is right in the other half only."""
    if fact.form == "yes_no" and rng.random() < 0.5:
        others = [f.object for f in bank if f.form == "yes_no" and f.object != fact.object]
        if others:
            return rng.choice(others), "No"
    return fact.object, fact.answer


def write(name: Name, facts: Iterable[BankFact], folder: Path = FOLDER) -> None:
    """Writes one bank, a JSON object a line."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(asdict(fact), ensure_ascii=False) for fact in facts)
    (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _load(name: Name) -> tuple[BankFact, ...]:
    path = FOLDER / f"{name}.jsonl"
    return tuple(BankFact(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines())
