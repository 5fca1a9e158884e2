"""Yield and speed of proposition extraction; needs no lesson."""

import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.learning.data import DEVELOPMENT_PASSAGES, manual, passages_of, squad, tollan_ferry
from memory.ingest.propositions.facts import extract_facts
from memory.ingest.propositions.sentences import sentences
from memory.records.knowledge import Passage

SAMPLE_SIZE = 60
"""Passages per corpus, drawn with a fixed seed."""
SENTENCE_RULES = frozenset({"clause", "apposition"})
"""Rules that extract facts from sentences, as opposed to tables and lists."""


def measure_extraction(data: Path | None) -> dict[str, float]:
    """Figures for SQuAD and the manuals, or for the sample library if `data` is None. Raises OSError."""
    figures: dict[str, float] = {}
    extract_facts(tollan_ferry().passages[:1])  # loads the parser, which is not to be timed
    for name, passages in corpora(data).items():
        sample = random.Random(3).sample(passages, min(SAMPLE_SIZE, len(passages)))
        started = time.monotonic()
        facts = extract_facts(sample)
        seconds = time.monotonic() - started
        sentence_count = sum(1 for _ in sentences(sample))
        propositions = sum(fact.rule in SENTENCE_RULES for fact in facts)
        figures[f"{name}: propositions per 100 sentences"] = 100 * propositions / max(1, sentence_count)
        figures[f"{name}: passages read a second"] = len(sample) / seconds
    return figures


def corpora(data: Path | None) -> Mapping[str, Sequence[Passage]]:
    """Passages by corpus name."""
    if data is None:
        return {"tollan-ferry": tollan_ferry().passages}
    texts = squad(data, 300 - len(DEVELOPMENT_PASSAGES))
    return {
        "squad": [passage for text in texts for passage in text.passages],
        **{
            f"manual-{name}": [p for document in manual(data, name).documents for p in passages_of(document)]
            for name in ("httpx", "pihole")
        },
    }
