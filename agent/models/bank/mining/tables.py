"""Facts from our own `tables.tsv`: tab-separated kind, name and accepted answers (separated by `|`)."""

from collections.abc import Iterator
from pathlib import Path

from agent.models.bank.mining.bank_facts import BankFact

TABLES = Path(__file__).parent.parent / "tables.tsv"


def facts() -> Iterator[BankFact]:
    """One fact per line. Raises ValueError for a line without exactly three columns."""
    for number, line in enumerate(TABLES.read_text(encoding="utf-8").splitlines(), start=1):
        columns = line.split("\t")
        if len(columns) != 3:
            raise ValueError(f"tables.tsv, line {number}: {len(columns)} columns; write kind, name, answers")
        kind, name, answers = columns
        forms = tuple(answers.split("|"))
        yield BankFact(kind=kind, name=name, answers=forms, known_by=(name, forms[0]), source="nightschool")
