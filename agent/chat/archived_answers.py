"""Gives an archived answer again to the same question, as long as the sources still say what it cites.

Two questions count as the same only if they differ in nothing but politeness, articles, plurals, punctuation
and the place of a function word; their cosine must agree. Anything else may change the answer: `from` and
`to`, `first` and `last`, `C` and `C++`, or the order of two names.
"""

import re
from collections.abc import Sequence

from langchain_core.messages import BaseMessage

from agent.chat.abstention import detect_language, reply_language
from agent.chat.sentence_candidates import shortlist
from agent.chat.support import contradicts, is_negated, quantities
from memory.language.content_words import CLOSED_CLASS
from memory.language.text import singular
from memory.nights.answers import AnswerArchive
from memory.records.access import Access
from memory.records.knowledge import Citation, Findings, Passage
from memory.records.nights import ArchivedAnswer

SAME_QUESTION = 0.92
"""Least cosine of two wordings of one question; `same_wording` decides what the embedding cannot see.

On the 2795 wordings of the bank's 1200 questions, 15 pairs of different questions are at or above it, such as
the domains .ke and .sk; of none are the wordings the same. Of 1990 pairs of the same question 812 are."""
CANDIDATES = 3
"""Archived questions that are compared."""

_CONTRACTED = (
    (re.compile(r"\b(what|who|where|when|how|why|that|there|it)['\u2019]s\b", re.IGNORECASE), r"\1 is"),
    (re.compile(r"\bcan['\u2019]t\b", re.IGNORECASE), "can not"),
    (re.compile(r"\bcannot\b", re.IGNORECASE), "can not"),
    (re.compile(r"\bwon['\u2019]t\b", re.IGNORECASE), "will not"),
    (re.compile(r"n['\u2019]t\b", re.IGNORECASE), " not"),
)
_POLITE = re.compile(
    r"^(?:(?:hi|hello|hey|please|kindly|so|and|well|ok(?:ay)?)[\s,!.]+)*"
    r"(?:(?:(?:can|could|would|will) you (?:please |kindly )?|please |kindly )?"
    r"(?:tell me|explain(?: to me)?|let me know)[\s,:]+"
    r"|do you (?:happen to )?know[\s,:]+|i(?:['\u2019]d| would) like to know[\s,:]+|i wonder[\s,:]+)?",
    re.IGNORECASE,
)
_THANKS = re.compile(r"\b(?:please|thanks|thank you|kindly)$", re.IGNORECASE)
_LONGEST_THANKS = len(" thank you")
_MARKS = " \t\n,.!?"
_TOKEN = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*|[^\w\s]|_")
_WORDS_OR_NAMES = CLOSED_CLASS | {"may", "march", "august", "polish", "china", "turkey"}
"""Words that mean something else with a capital."""
_PREPOSITION_LIST = """
    about above across after against along among around as at before behind below beneath beside between by
    down during except for from in inside into like near of off on onto out outside over past per since
    through to toward towards under until up upon via with within without"""
_PREPOSITIONS = frozenset(_PREPOSITION_LIST.split())
_SILENT = frozenset(
    {"a", "an", "the", ".", ",", "?", "!", ";", ":", '"', "'", "\u201c", "\u201d", "\u2018", "\u2019"}
)


async def archived_answer(
    question: str,
    messages: Sequence[BaseMessage],
    findings: Findings,
    archive: AnswerArchive,
    access: Access,
) -> ArchivedAnswer | None:
    """The best archived answer to this question that stands, in the language of the conversation; else None.

    `findings` are what the library says to the question. Raises StoreUnavailable.
    """
    if not findings.evidence:
        return None
    found = await archive.search(without_politeness(question), domain=None, limit=CANDIDATES, access=access)
    for answer, cosine in found:
        if (
            access.may_quote(answer.citations)
            and cosine >= SAME_QUESTION
            and same_wording(question, answer.question)
            and _in_language(answer.answer, messages)
            and _stands(answer.citations, findings)
            and not _disputed(question, answer, findings)
        ):
            return answer
    return None


def _in_language(answer: str, messages: Sequence[BaseMessage]) -> bool:
    language = reply_language(messages)
    return (detect_language(answer) or language) == language


def same_wording(first: str, second: str) -> bool:
    """Whether two questions differ in nothing that could change their answer.

    Function words may stand elsewhere (`In which country is Milan?`, `Which country is Milan in?`), unless
    several prepositions could change places.
    """
    one, two = _key(first), _key(second)
    if not one or quantities(first) != quantities(second):
        return False
    if one == two:
        return True
    fixed = [token for token in one if token not in CLOSED_CLASS]
    return (
        sorted(one) == sorted(two)
        and fixed == [token for token in two if token not in CLOSED_CLASS]
        and sum(token in _PREPOSITIONS for token in one) == 1
        and not any(is_negated(text) for text in (first, second))
    )


def without_politeness(question: str) -> str:
    """The question without greetings, `please`, `can you tell me` and the like."""
    text = _POLITE.sub("", " ".join(question.split()))
    bare = text.rstrip(_MARKS)
    thanks = _THANKS.search(bare[-_LONGEST_THANKS:])  # only the end is searched: the text may be long
    return text if thanks is None else bare[: len(bare) - len(thanks[0])].rstrip(_MARKS)


def _key(question: str) -> tuple[str, ...]:
    """The question's words and symbols in order, in the singular, without politeness and articles."""
    text = " ".join(question.split())
    for pattern, replacement in _CONTRACTED:
        text = pattern.sub(replacement, text)
    text = without_politeness(text)
    tokens = [_normalised(match, text) for match in _TOKEN.finditer(text)]
    return tuple(token for token in tokens if token not in _SILENT)


def _normalised(match: re.Match[str], text: str) -> str:
    """A token for comparison. Symbols inside or before a word stay, such as those of `C++` and `.NET`."""
    token, inside = match[0], text[match.end() : match.end() + 1].strip() != ""
    lower = token.lower().replace("\u2019", "'")
    if not token[0].isalnum():
        return f"symbol {token}" if token == "." and inside else token
    if match.start() and token != lower and lower in _WORDS_OR_NAMES:
        return f"name {token}"  # `US` is not `us`, and `May` not `may`
    return f"{singular(lower.removesuffix(chr(39) + 's'))}'s" if lower.endswith("'s") else singular(lower)


def _stands(citations: Sequence[Citation], findings: Findings) -> bool:
    """Whether every cited sentence is still in a found passage of its document, word for word."""
    passages = [hit.passage for hit in findings.evidence]
    return bool(citations) and all(
        any(_holds(passage, citation) for passage in passages) for citation in citations
    )


def _holds(passage: Passage, citation: Citation) -> bool:
    return passage.source == citation.source and citation.quote in passage.text


def _disputed(question: str, answer: ArchivedAnswer, findings: Findings) -> bool:
    """Whether a sentence that is found for the question contradicts one that the answer cites."""
    return any(
        contradicts(" ".join(citation.quote.split()), candidate.reading)
        for candidate in shortlist(question, findings)
        for citation in answer.citations
    )
