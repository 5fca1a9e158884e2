"""Short texts as passages, and what their structure states."""

from memory.ingest.propositions.structure import structured
from memory.ingest.propositions.structure.statements import Statement
from memory.records.knowledge import Passage
from tests.support.facts import passage as rust_passage

DEVICES = """# Device limits

| Device | Maximum load | Voltage |
|---|---|---|
| Quorbin | 40 kilograms | 12 volts |
| Plenty | 55 kilograms | 24 volts |
| Marsk | 70 kilograms | 48 volts |
"""


def read(text: str, *, section: str = "", title: str = "Quorbin handbook") -> tuple[Statement, ...]:
    return structured(at(text, section=section, title=title))


def at(text: str, *, section: str = "", title: str = "Quorbin handbook") -> Passage:
    return rust_passage(text, title=title).model_copy(update={"section": section or title})


def said(text: str, *, section: str = "", title: str = "Quorbin handbook") -> list[tuple[str, str, str]]:
    return [(s.subject, s.relation, s.object) for s in read(text, section=section, title=title)]
