"""Facts from `tables.tsv`, our own lists: kind, name and accepted answers (`|` between them), by tabs."""

from collections.abc import Iterator
from pathlib import Path

from agent.models.bank.mining.mined_facts import MinedFact

TABLES = Path(__file__).parent.parent / "tables.tsv"


def facts() -> Iterator[MinedFact]:
    """Every line of the tables. Raises ValueError for a line that does not have three columns."""
    for number, line in enumerate(TABLES.read_text(encoding="utf-8").splitlines(), start=1):
        columns = line.split("\t")
        if len(columns) != 3:
            raise ValueError(f"tables.tsv, line {number}: {len(columns)} columns; write kind, name, answers")
        kind, name, answers = columns
        forms = tuple(answers.split("|"))
        yield MinedFact(kind=kind, name=name, answers=forms, known_by=(name, forms[0]), source="nightschool")
