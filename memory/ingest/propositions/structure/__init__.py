"""Extracts statements from a passage's structure: tables, option lists, defaults, signatures and steps.

It uses rules only and takes linear time. Precision comes first: what cannot be understood alone is left out.
"""

import re

from memory.ingest.propositions.structure.blocks import read_blocks
from memory.ingest.propositions.structure.defaults import read_defaults
from memory.ingest.propositions.structure.definitions import leading_term, read_first_sentence, read_item
from memory.ingest.propositions.structure.markdown import plain
from memory.ingest.propositions.structure.names import contexts_of, heading_name
from memory.ingest.propositions.structure.signatures import read_signatures
from memory.ingest.propositions.structure.statements import Statement
from memory.ingest.propositions.structure.steps import read_steps
from memory.ingest.propositions.structure.tables import read_table
from memory.records.knowledge import Passage


def structured(passage: Passage) -> tuple[Statement, ...]:
    """The statements of the passage's structure, in the order of the text; none for an example section."""
    text = passage.text
    section = passage.section.rsplit(" > ", 1)[-1]
    if re.search(r"(?:^|> )\W*example", passage.section, re.IGNORECASE):
        return ()
    found: list[Statement] = []
    blocks = list(read_blocks(text, section))
    terms: list[tuple[int, str]] = []  # the terms of the items around
    names = {b.heading: contexts_of(passage, b.heading) for b in blocks}
    for number, block in enumerate(blocks):
        contexts = names[block.heading]
        about = heading_name(block.heading, contexts)
        if block.kind == "table":
            found += read_table(text, block, contexts)
        elif block.kind == "code":
            found += read_signatures(text, block, contexts)
        elif block.kind == "step":
            before = blocks[number - 1] if number else None
            if not (before and before.kind == "step") and block.indent < 4:
                lead = plain(text, before.body, before.end)[0] if before and before.kind == "prose" else ""
                found += read_steps(text, blocks[number:], lead, block.heading)
        elif block.kind in ("prose", "item"):
            found += read_item(text, block, contexts)
            found += read_signatures(text, block, contexts)
            term = leading_term(text, block, contexts)
            terms = [t for t in terms if t[0] < block.indent and block.kind == "item"]
            terms += [(block.indent, term[0])] if term else []
            found += read_defaults(text, block, terms[-1][1] if terms else "", about)
            if number == 0 and block.kind == "prose" and block.start == 0:
                found += read_first_sentence(text, block, block.heading, about)
    return _consistent(found)


def _consistent(found: list[Statement]) -> tuple[Statement, ...]:
    """The distinct statements in text order, without those that give one subject several values.

    Triples may: that a dog is a mammal and a pet is no contradiction.
    """
    values: dict[tuple[str, str], set[str]] = {}
    for statement in found:
        values.setdefault((statement.subject, statement.relation), set()).add(statement.object)
    unique = {
        (s.subject, s.relation, s.object): s
        for s in reversed(found)
        if s.rule == "triple" or len(values[s.subject, s.relation]) == 1
    }
    return tuple(sorted(unique.values(), key=lambda s: (s.start, -s.end, s.answer)))
