"""Natural pairs of questions and answers with their passages, made up for the tests of verification."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from agent.learning.candidate_pairs import CandidatePair
from agent.learning.corpus_index import CorpusIndex
from agent.learning.verification import VerifiedPairs, verify
from memory.records.knowledge import Passage
from tests.support.facts import passage


def _load() -> tuple[list[Passage], list[CandidatePair]]:
    passages: list[Passage] = []
    pairs: list[CandidatePair] = []
    for line in Path(__file__).with_suffix(".jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        home = passage(row["text"], source=f"{row['title']}.md", title=row["title"])
        passages.append(home.model_copy(update={"section": row["section"]}))
        pairs += [CandidatePair(**pair, passage_id=home.id) for pair in row["pairs"]]
    return passages, pairs


PASSAGES, NATURAL = _load()
BY_ID = {home.id: home for home in PASSAGES}
CORPUS = CorpusIndex(PASSAGES)


def check(*candidates: CandidatePair, passages: Sequence[Passage] = PASSAGES) -> VerifiedPairs:
    corpus = CORPUS if passages is PASSAGES else CorpusIndex(passages)
    return asyncio.run(verify(candidates, {p.id: p for p in passages}, corpus=corpus, scorer=None))


def natural(words: str) -> CandidatePair:
    (found,) = (pair for pair in NATURAL if words in pair.question)
    return found
