"""A BM25 index of passages by word roots: which passages a question finds, and rival answer sentences."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from agent.learning.text_analysis import Analysis, Value, analyse, content_tokens
from memory.language.text import quotable
from memory.records.knowledge import Passage

SATURATION = 1.2
LENGTH_WEIGHT = 0.5
"""BM25's k1 and b; b is lower than usual, because passages have similar lengths."""
WORST_RANK = 3
"""Worst rank allowed for a question's own passage."""
MIN_SHARED_WORDS = 3
"""Minimum content words shared by two rival sentences."""


class CorpusIndex:
    """An index of passages and their sentences."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        self._ids: list[str] = []
        self._sentences: list[tuple[str, int, int]] = []
        self._by_root: dict[str, set[int]] = defaultdict(set)
        self._texts = {passage.id: passage.text for passage in passages}
        all_counts: list[dict[str, int]] = []
        for passage in passages:
            self._ids.append(passage.id)
            all_counts.append(self._add(passage))
        mean = sum(sum(counts.values()) for counts in all_counts) / len(all_counts) if all_counts else 1.0
        for index, counts in enumerate(all_counts):
            norm = SATURATION * (1 - LENGTH_WEIGHT + LENGTH_WEIGHT * sum(counts.values()) / (mean or 1.0))
            for root, count in counts.items():
                self._postings[root].append((index, count * (SATURATION + 1) / (count + norm)))
        self.vocabulary = frozenset(self._postings)
        """Roots of all words of the corpus."""

    def _add(self, passage: Passage) -> dict[str, int]:
        counts: dict[str, int] = defaultdict(int)
        for token in analyse(f"{passage.title}\n{passage.section}\n{passage.text}").tokens:
            counts[token.root] += 1  # of the whole text: quotable rows lack the table's header
        for start, end in quotable(passage.text):
            number = len(self._sentences)
            self._sentences.append((passage.id, start, end))
            for token in analyse(passage.text[start:end]).tokens:
                self._by_root[token.root].add(number)
        return counts

    def finds(self, question: Analysis, passage_id: str) -> bool:
        """Whether the passage is among the best results for the question."""
        scores: dict[int, float] = defaultdict(float)
        for root in dict.fromkeys(t.root for t in content_tokens(question)):
            postings = self._postings.get(root, [])
            if postings:
                rarity = math.log(1 + (len(self._ids) - len(postings) + 0.5) / (len(postings) + 0.5))
                for index, weight in postings:
                    scores[index] += rarity * weight
        own = max((score for index, score in scores.items() if self._ids[index] == passage_id), default=0.0)
        return own > 0 and sum(score > own for score in scores.values()) < WORST_RANK

    def rivals(self, question: Analysis, quote: Analysis, passage_id: str) -> Iterable[Analysis]:
        """Other sentences with all content words that the question and the quote share."""
        shared = {t.root for t in content_tokens(question)} & quote.roots
        named = {r for value in question.values for r in question.words(value)}
        if len(shared) < MIN_SHARED_WORDS:
            return
        required = sorted(shared | named, key=lambda root: len(self._by_root.get(root, ())))
        places = set(self._by_root.get(required[0], ()))
        for root in required[1:]:
            places &= self._by_root.get(root, set())
        for number in sorted(places):
            passage, start, end = self._sentences[number]
            text = self._texts[passage][start:end]
            if text not in quote.text and quote.text not in text:
                yield analyse(text)


def has_other_answer(rival: Analysis, question: Analysis, values: Sequence[Value], answer: Analysis) -> bool:
    """Whether the rival sentence has another value of the answer's kind, and may answer differently."""
    answer_roots = {t.root for t in content_tokens(answer)}
    if not values or answer_roots <= rival.roots:
        return False
    own = values[0]
    return any(
        v.kind == own.kind
        and (v.kind != "number" or v.unit == own.unit)
        and not rival.words(v) <= question.roots
        for v in rival.values
    )
