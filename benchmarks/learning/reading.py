"""How much of a text the parse reads, and how fast: figures of `benchmarks.learning` that need no lesson."""

import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.learning.data import READ_BY_US, manual, passages_of, squad, tollan_ferry
from memory.ingest.propositions.facts import extract_facts
from memory.ingest.propositions.sentences import sentences
from memory.records.knowledge import Passage

SAMPLE = 60
"""Passages of each corpus, drawn by seed."""
PROPOSED = frozenset({"clause", "apposition"})
"""Rules whose facts are from a sentence, rather than from a table or a list."""


def measure(data: Path | None) -> dict[str, float]:
    """The figures of SQuAD and the manuals, or of our own text without data. Raises OSError."""
    figures: dict[str, float] = {}
    extract_facts(tollan_ferry().passages[:1])  # the parser is loaded
    for name, passages in corpora(data).items():
        drawn = random.Random(3).sample(passages, min(SAMPLE, len(passages)))
        started = time.monotonic()
        found = extract_facts(drawn)
        seconds = time.monotonic() - started
        read = sum(1 for _ in sentences(drawn))
        proposed = sum(fact.rule in PROPOSED for fact in found)
        figures[f"{name}: propositions per 100 sentences"] = 100 * proposed / max(1, read)
        figures[f"{name}: passages read a second"] = len(drawn) / seconds
    return figures


def corpora(data: Path | None) -> Mapping[str, Sequence[Passage]]:
    """Passages by the name of their corpus."""
    if data is None:
        return {"tollan-ferry": tollan_ferry().passages}
    texts = squad(data, 300 - len(READ_BY_US))
    return {
        "squad": [passage for text in texts for passage in text.passages],
        **{
            f"manual-{name}": [p for document in manual(data, name).documents for p in passages_of(document)]
            for name in ("httpx", "pihole")
        },
    }
