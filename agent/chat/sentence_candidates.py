"""Ranks the sentences of retrieved passages by the probability that they answer the question.

The probability comes from a logistic regression over five signals: cosine similarity of question and
sentence, the share of the question's content words in the sentence (weighted by rarity), whether the sentence
has what the question's form asks for (a date, a number, a name, a reason), the passage's score in the search,
and whether the question's names occur in the passages found.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from difflib import get_close_matches
from itertools import pairwise

from memory.embedding.embedder import Embedder
from memory.ingest.propositions.structure.triples import is_header
from memory.language.content_words import CLOSED_CLASS, SHAPE_NOUNS, is_foreign
from memory.language.text import cells, header, quotable, sentences, singular, words
from memory.records.base import Record
from memory.records.knowledge import Citation, Findings, Passage

SHORTLIST = 4
"""Sentences to embed; each costs 10 to 30 ms on one core. Four contain the answer almost as often as six
(98.7% and 99.3% of the questions that WEIGHTS are fitted on)."""
LONGEST_CODE = 400
"""Longest code block, in characters, that is quoted."""
LONGEST_INTRODUCED = 600
"""Longest quote, in characters, of a sentence that ends in a colon and what it introduces."""

WEIGHTS = {"likeness": 1.98, "words": 3.86, "form": 0.96, "search": 3.69, "known": 2.44}
INTERCEPT = -9.46
"""Fitted on the 153 questions about half of SQuAD's articles (`benchmarks.answers` reports the other half),
with their passage among the retrieved ones, without it, and 82 of them with an invented name in place of one
of theirs. Best sentence right 86%, AUROC .96 between questions with and without their passage."""
SHORTEST_NAME = 4
MISSPELT = 0.85
"""Similarity (`difflib`) from which a word is another spelling of a name."""

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen twenty"
)
_LARGE = "thirty forty fifty sixty seventy eighty ninety hundred thousand million billion half quarter dozen"
SMALL_NUMBERS = tuple(_SMALL.split())
"""The index is the value."""
NUMBER_WORDS = frozenset({*SMALL_NUMBERS, *_LARGE.split()})
_MONTHS = (
    "january february march april may june july august september october november december monday tuesday"
    " wednesday thursday friday saturday sunday spring summer autumn winter"
)
_TIME = frozenset(_MONTHS.split()) | {
    "century",
    "decade",
    "era",
    "release",
    "version",
    "day",
    "year",
    "month",
}
_NO_NAMES = CLOSED_CLASS | frozenset(_MONTHS.split())

_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("number", re.compile(r"\bhow (?:many|much|long|old|far|often|big|large|tall|fast|high|low|wide|deep)\b"
                          r"|\bwhat (?:percent\w*|number|share|fraction|amount)\b", re.I)),
    ("time", re.compile(r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|century|decade|time)\b", re.I)),
    ("name", re.compile(r"\bwho(?:m|se)?\b|\bwhere\b|\bwhat (?:is|was) the name\b"
                        r"|\b(?:what|which) (?:country|city|town|person|company|place)\b", re.I)),
    ("reason", re.compile(r"\bwhy\b", re.I)),
)  # fmt: skip
_REASON = re.compile(r"\b(?:because|since|due|so that|in order|to \w+|as a result|therefore|for)\b", re.I)
_NAME = re.compile(
    r"(?<![.!?]\s)(?<!^)\b[A-Z][\w'.-]*|`[^`\n]+`|\"[^\"\n]+\"|\w*\d[\w.,:/-]*\w|\d|\w+[._/]\w[\w./-]*"
)


class SentenceCandidate(Record):
    """A sentence, list item, table row or code block of a passage, at `passage.text[start:end]`.

    A sentence that ends in a colon goes on to the end of the list, table or code block that it introduces, if
    that is not too long, and one before a sentence in parentheses to the end of that.
    """

    passage: Passage
    start: int
    end: int
    reading: str
    """The text to show; a table row with its column names."""
    score: float
    """Log-odds that it answers the question."""

    @property
    def chance(self) -> float:
        """Probability that it answers the question."""
        return (1 + math.tanh(self.score / 2)) / 2

    def overlaps(self, other: "SentenceCandidate") -> bool:
        """Whether both share text, as a list does with its items."""
        mine, theirs = self.citation, other.citation
        same = (mine.source, mine.domain, mine.owner) == (theirs.source, theirs.domain, theirs.owner)
        return same and mine.start < theirs.end and theirs.start < mine.end

    @property
    def text(self) -> str:
        """The exact text in the passage."""
        return self.passage.text[self.start : self.end]

    @property
    def citation(self) -> Citation:
        """Its position in the document."""
        return Citation(
            source=self.passage.source,
            title=self.passage.title,
            start=self.passage.start + self.start,
            end=self.passage.start + self.end,
            quote=self.text,
            domain=self.passage.domain,
            owner=self.passage.owner,
        )


def shortlist(question: str, findings: Findings) -> tuple[SentenceCandidate, ...]:
    """The best sentences by words alone, best first; their chances are upper bounds until `rerank`.

    Of a list and its items, only the better one.
    """
    quotable_sentences = [
        (hit, start, end, reading)
        for hit in findings.evidence
        for start, end, reading in _sentences(hit.passage)
    ]
    rarity = _rarity([reading for *_, reading in quotable_sentences])
    known = knows_names(question, [hit.passage for hit in findings.evidence])
    ranked = [
        SentenceCandidate(
            passage=hit.passage,
            start=start,
            end=end,
            reading=reading,
            score=_score(_signals(question, reading, rarity) | {"search": hit.score, "known": float(known)}),
        )
        for hit, start, end, reading in quotable_sentences
    ]
    best: list[SentenceCandidate] = []
    for candidate in sorted(ranked, key=lambda c: -c.score):
        if len(best) < SHORTLIST and not any(candidate.overlaps(other) for other in best):
            best.append(candidate)
    return tuple(best)


def rerank(
    question: str, candidates: Sequence[SentenceCandidate], embedder: Embedder
) -> tuple[SentenceCandidate, ...]:
    """The same sentences scored with their embeddings too, likeliest answer first. Blocks."""
    if not candidates:
        return ()
    query, *vectors = embedder.embed([question, *(f"{c.passage.title}: {c.reading}" for c in candidates)])
    return tuple(
        sorted(
            (
                c.model_copy(update={"score": c.score + WEIGHTS["likeness"] * (float(query @ vector) - 1)})
                for c, vector in zip(candidates, vectors, strict=True)
            ),
            key=lambda c: -c.score,
        )
    )


def readable_text(passage: Passage, start: int, end: int) -> str:
    """A span of a passage on one line; a table row with its column names, a triple as a sentence."""
    text = passage.text[start:end]
    name_roots = header(passage.text, start)
    if not name_roots:
        return " ".join(text.split())
    if is_header(name_roots):
        return " ".join(cells(text))
    pairs = zip(name_roots, cells(text), strict=False)
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in pairs if cell)


def _sentences(passage: Passage) -> list[tuple[int, int, str]]:
    spans = list(quotable(passage.text))
    found = []
    for index, span in enumerate(spans):
        if _is_long_code(passage.text, span):
            continue
        count, whole = _introduced(passage.text, spans[index:])
        parts = spans[index : index + 1 + count]
        reading = _joined(readable_text(passage, *part) for part in parts)
        found.append((span[0], parts[-1][1], reading if whole else f"{reading} ..."))
    return found


def _is_long_code(text: str, span: tuple[int, int]) -> bool:
    return text.startswith("`" * 3, span[0]) and span[1] - span[0] > LONGEST_CODE


def _joined(readings: Iterable[str]) -> str:
    """The readings in one line; items that end without a mark are set apart by semicolons."""
    line = ""
    for reading in readings:
        line += f"{' ' if line.endswith(_MARKS) else '; '}{reading}" if line else reading
    return line


def _introduced(text: str, spans: Sequence[tuple[int, int]]) -> tuple[int, bool]:
    """How many of the spans after the first one belong to it, and whether these are all that do.

    After a colon the block that it introduces, which may begin after blank lines and ends at the next one
    that is not between list items; and a sentence in parentheses, such as "(Default 100)", belongs to the one
    before it. What is longer than LONGEST_INTRODUCED is cut, and so is code that is not quoted.
    """
    start, end = spans[0]
    colon = text.startswith(_COLONS, end - 1)
    count = 0
    for before, after in pairwise(spans):
        gap = text[before[1] : after[0]]
        blank = _BLANK_LINE.search(gap) is not None
        aside = not blank and text[after[0]] == "(" and text[: after[1]].rstrip(".").endswith(")")
        ended = blank and count > 0 and not _ITEM.search(gap)
        if ended or _HEADING.search(gap) or not (colon or aside):
            break
        if after[1] - start > LONGEST_INTRODUCED or _is_long_code(text, after):
            return count, False
        count += 1
    return count, True


def knows_names(question: str, passages: Sequence[Passage]) -> bool:
    """Whether every name that is asked about occurs in a passage or its headings, perhaps spelt otherwise.

    Beside a sentence with a question mark ("I run it on a Mac. Which port ...?") the others do not count, nor
    do months, days and names of fewer than SHORTEST_NAME letters, such as units. True where names and nouns
    look alike: where function words have capitals too, and for a question plainly in another language.
    """
    if is_foreign(question) or _in_title_case(question):
        return True
    known = word_roots(" ".join(f"{p.title} {p.section} {p.text}" for p in passages))
    parts = [question[start:end] for start, end in sentences(question)]
    asked = " ".join(part for part in parts if part.endswith("?")) or question
    named = {word for match in _NAME.finditer(asked) for word in words(match[0]) if not word[0].isdigit()}
    roots = {strip_ending(word) for word in named if not {word, singular(word)} & _NO_NAMES}
    return all(r in known or len(r) < SHORTEST_NAME or _is_misspelt(r, known) for r in roots)


def _in_title_case(question: str) -> bool:
    """Whether all function words after the first word have capitals, as in "How Do I Change My Name?"."""
    later = [word for word in question.split()[1:] if word.lower() in CLOSED_CLASS - {"i"}]
    return bool(later) and all(word[0].isupper() for word in later)


def _is_misspelt(root: str, known: Set[str]) -> bool:
    alike = [other for other in known if other[0] == root[0]]
    return bool(get_close_matches(root, alike, 1, MISSPELT))


def _signals(question: str, reading: str, rarity: Mapping[str, float]) -> dict[str, float]:
    return {
        "likeness": 1.0,  # the maximum; `rerank` measures it
        "words": _share(keyword_roots(question), word_roots(reading), rarity),
        "form": form_match(question, reading),
    }


def _score(values: dict[str, float]) -> float:
    return INTERCEPT + math.fsum(WEIGHTS[name] * value for name, value in values.items())


def keyword_roots(text: str) -> frozenset[str]:
    """Roots of the content words."""
    content = [w for w in _words(text) if w not in CLOSED_CLASS]
    return frozenset(strip_ending(w) for w in content if w not in SHAPE_NOUNS) or frozenset(
        map(strip_ending, content)
    )


def word_roots(text: str) -> frozenset[str]:
    """Roots of all words of the text."""
    return frozenset(map(strip_ending, _words(text)))


def _words(text: str) -> tuple[str, ...]:
    """Words; for scripts without spaces, pairs of characters."""
    return tuple(part for word in words(text) for part in _parts(word))


def _parts(word: str) -> tuple[str, ...]:
    if len(word) < 3 or word[0] < _UNSPACED:
        return (word,)
    return tuple(word[i : i + 2] for i in range(len(word) - 1))


_COLONS = (":", "\uff1a")
_MARKS = (*_COLONS, ".", "!", "?", ";", ",", "\u3002")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_ITEM = re.compile(r"\n[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+$")
_HEADING = re.compile(r"^[ \t]*#{1,6}[ \t]", re.MULTILINE)
_UNSPACED = "\u0e00"
"""Thai and, from U+2E80, Chinese, Japanese and Korean characters."""
_SUFFIX = re.compile(r"(?:ations?|ings?|edly|ed|ions?|ment|ers?|ors?|ally|ly|al|es|e|s|y)$")


def strip_ending(word: str) -> str:
    """The word without a common English ending, so that `originated` matches `origin`."""
    bare = singular(word)
    stem = _SUFFIX.sub("", bare)
    return stem if len(stem) >= 4 and stem.isalpha() else bare


def name_roots(text: str) -> tuple[frozenset[str], ...]:
    """Names, numbers and code words of the text, each as the set of its words' roots."""
    matches = (word_roots(match[0]) for match in _NAME.finditer(text))
    return tuple(dict.fromkeys(name for name in matches if name and not name <= {"i", "a"}))


def form_match(question: str, text: str) -> float:
    """1 if the text adds what the question's form asks for (a number, time, name or reason), 0 if not.

    0.5 for a question without such a form.
    """
    form = next((name for name, pattern in _FORMS if pattern.search(question)), None)
    if form is None:
        return 0.5
    question_words = set(words(question))
    new = [w for w in words(text) if w not in question_words]
    if form == "number":
        return float(any(w[0].isdigit() or w in NUMBER_WORDS for w in new))
    if form == "time":
        return float(any(w[0].isdigit() or w in _TIME for w in new))
    if form == "reason":
        return float(_REASON.search(text) is not None)
    known = word_roots(question)
    return float(
        any(not name <= known and not all(w[0].isdigit() for w in name) for name in name_roots(text))
    )


def _share(required: frozenset[str], present: frozenset[str], rarity: Mapping[str, float]) -> float:
    """Share of the required roots that are present, weighted by rarity; unseen roots weigh most."""
    most = max(rarity.values(), default=1.0)
    weights = {w: rarity.get(w, most) for w in required}
    total = math.fsum(weights.values())
    return math.fsum(v for w, v in weights.items() if w in present) / total if total else 0.0


def _rarity(texts: Sequence[str]) -> dict[str, float]:
    """log(1 + n / df) of each root over the sentences."""
    counts = Counter(r for text in texts for r in word_roots(text))
    return {r: math.log(1 + len(texts) / count) for r, count in counts.items()}
