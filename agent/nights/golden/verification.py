"""Verifies candidates for golden pairs: each check gives a reason against one, or None."""

import re
from collections.abc import Callable, Iterator
from functools import cache, partial

from agent.chat.abstention import abstention_texts, caution_text, detect_language
from agent.chat.followup import needs_context
from agent.chat.format_directives import dictates_form
from agent.chat.sentence_candidates import keyword_roots, name_roots, word_roots
from agent.chat.support import contradicts, supports
from agent.feedback.corrections import MESSAGE_TYPES
from agent.grading import admits_ignorance, normalise, repeats_itself
from agent.learning.well_formed import unreadable_reason
from agent.nights.golden.candidates import GoldenCandidate
from agent.nights.injections import orders_a_model
from agent.nights.privacy import is_about_user, is_personal
from agent.nights.scoring.evidence import is_statement, stands
from agent.nights.topics.questions import is_negative
from agent.privacy.policies import PLACEHOLDER
from agent.privacy.scrubbing import Scrubber
from memory.embedding.embedder import Embedder
from memory.language.content_words import content_words
from memory.language.lexicon import LANGUAGES
from memory.language.text import quotable, sentences
from memory.records.knowledge import Citation, Passage

MIN_SHARED, MIN_SHARE = 2, 0.5
"""Content words, in number and as a share, that a question without what came before it has to share with its
source; a choice."""

Check = Callable[[GoldenCandidate], str | None]

_PRESUPPOSED = re.compile(
    r"^\W*(?:since|given|assuming|considering|now that|seeing that|because|as (?:you know|we know|i said))\b",
    re.IGNORECASE,
)
"""A question that opens with a claim."""
_BACK_REFERENCE = re.compile(
    r"\b(?:as|like|what|since|because) (?:you|i|we) (?:\w+ )?(?:said|told|mentioned|stated|noted|explained)\b"
    r"|\byou (?:said|told me|mentioned|stated|corrected)\b"
    r"|\b(?:earlier|above) in (?:this|our) (?:chat|conversation)",
    re.IGNORECASE,
)
"""An answer that rests on the conversation."""


class Verifier:
    """The checks of golden pairs, cheapest first. Blocks: it may compute embeddings."""

    def __init__(self, embedder: Embedder, *, scrubber: Scrubber | None = None) -> None:
        self._embedder = embedder
        self._scrubber = scrubber or Scrubber()
        self._checks: tuple[Check, ...] = (
            asks_for_nothing,
            is_private,
            is_no_answer,
            is_dictated,
            was_disliked,
            cannot_stand_alone,
            brings_claims,
            self.has_personal_data,
            is_badly_formed,
            is_in_another_language,
            lacks_a_source,
            rests_on_an_injection,
            is_about_something_else,
            self.is_unsupported,
            is_disputed,
        )

    def reason_against(self, candidate: GoldenCandidate) -> str | None:
        """Why the candidate cannot be golden; None if it can."""
        return next((reason for check in self._checks if (reason := check(candidate))), None)

    def has_personal_data(self, candidate: GoldenCandidate) -> str | None:
        """What an answer has of it is from a document, as all of it has to be: an address to write to."""
        question = candidate.question
        scrubbed = PLACEHOLDER.search(f"{question}\n{candidate.answer}") is not None
        if scrubbed or self._scrubber.scrub(question) != question:
            return "it has personal data"
        return None

    def is_unsupported(self, candidate: GoldenCandidate) -> str | None:
        """Every sentence of the answer has to be in a cited one."""
        likeness = partial(_likeness, self._embedder)
        for start, end in sentences(candidate.answer):
            claim = candidate.answer[start:end]
            if not any(
                supports(
                    citation.quote,
                    claim,
                    question=candidate.question,
                    nearby=_nearby(citation, candidate),
                    likeness=likeness,
                )
                for citation in candidate.citations
            ):
                return "a sentence of the answer is not supported by what it cites"
        return None


def asks_for_nothing(candidate: GoldenCandidate) -> str | None:
    if candidate.turn.intent != "question" or not content_words(candidate.question):
        return "it does not ask for knowledge"
    return None


def is_private(candidate: GoldenCandidate) -> str | None:
    if is_personal(candidate.turn) or is_about_user(candidate.question):
        return "it is about a user"
    return None


def is_no_answer(candidate: GoldenCandidate) -> str | None:
    answer = candidate.answer
    abstained = candidate.source == candidate.turn.id and candidate.turn.outcome == "abstained"
    if abstained or admits_ignorance(answer) or any(own in normalise(answer) for own in _own_texts()):
        return "its answer is the service's own abstention or warning"
    return None


def is_dictated(candidate: GoldenCandidate) -> str | None:
    messages = [MESSAGE_TYPES[m.role](m.content) for m in candidate.turn.messages]
    if dictates_form(messages) or _BACK_REFERENCE.search(candidate.answer):
        return "its answer is shaped by a conversation"
    return None


def was_disliked(candidate: GoldenCandidate) -> str | None:
    """Feedback is on the logged answer, so it says nothing about a revision."""
    own = candidate.source == candidate.turn.id
    if own and any(map(is_negative, candidate.evidence.feedback)):
        return "users disliked the answer"
    return None


def cannot_stand_alone(candidate: GoldenCandidate) -> str | None:
    """A question that was completed by appended keywords is no question that anybody would ask."""
    asked = candidate.turn.question.strip()
    if needs_context(candidate.question) or candidate.question.startswith(f"{asked} ("):
        return "its question cannot be understood alone"
    if candidate.question != asked and _vague(candidate):
        return "its question cannot be understood alone"
    return None


def _vague(candidate: GoldenCandidate) -> bool:
    """Whether a question without the sentences before it has too few words of its source to be found by."""
    known = word_roots("\n".join(f"{p.title}\n{p.section}\n{p.text}" for p, _ in _cited(candidate)))
    content = keyword_roots(candidate.question)
    shared = len(content & known)
    return shared < MIN_SHARED or shared < MIN_SHARE * len(content)


def brings_claims(candidate: GoldenCandidate) -> str | None:
    """Whether the question states something, which nobody has verified."""
    parts = [candidate.question[start:end] for start, end in sentences(candidate.question)]
    if len(parts) > 1 or _PRESUPPOSED.search(candidate.question):
        return "its question makes claims"
    return None


def is_badly_formed(candidate: GoldenCandidate) -> str | None:
    quotes = "\n".join(citation.quote for citation in candidate.citations) or candidate.answer
    if reason := unreadable_reason(candidate.question, candidate.answer, quotes):
        return reason
    return "the answer repeats itself" if repeats_itself(candidate.answer) else None


def is_in_another_language(candidate: GoldenCandidate) -> str | None:
    asked, answered = detect_language(candidate.question), detect_language(candidate.answer)
    if asked is not None and answered is not None and asked != answered:
        return "its answer is in another language"
    return None


def lacks_a_source(candidate: GoldenCandidate) -> str | None:
    if not candidate.citations:
        return "no source supports it"
    if any(map(is_statement, candidate.citations)):
        return "it rests on what a user said"
    if not all(stands(citation, candidate.evidence.passages) for citation in candidate.citations):
        return "its cited sentence no longer stands in the source"
    return None


def rests_on_an_injection(candidate: GoldenCandidate) -> str | None:
    """One such sentence makes the whole passage suspect: whoever wrote it wants something to be said."""
    texts = (f"{passage.title}\n{passage.text}" for passage, _ in _cited(candidate))
    if any(map(orders_a_model, texts)):
        return "its source gives orders to the model"
    return None


def is_about_something_else(candidate: GoldenCandidate) -> str | None:
    """The cited passages have to name what the question names, its numbers included."""
    present = word_roots(
        "\n".join(f"{passage.title}\n{passage.section}\n{passage.text}" for passage, _ in _cited(candidate))
    )
    opening = word_roots(candidate.question.split(maxsplit=1)[0])
    names = [name - opening for name in name_roots(candidate.question)]
    if not all(name <= present for name in names):
        return "its question names what the source does not"
    return None


def is_disputed(candidate: GoldenCandidate) -> str | None:
    """Whether a found sentence contradicts a cited one, or that one what the question takes for true."""
    if candidate.turn.sources_disagree and candidate.source == candidate.turn.id:
        return "the sources contradict each other"
    quotes = [citation.quote for citation in candidate.citations]
    if any(contradicts(quote, candidate.question) for quote in quotes):
        return "its question makes claims"
    for passage in candidate.evidence.passages:
        for start, end in quotable(passage.text):
            other = passage.text[start:end]
            if any(contradicts(quote, other) for quote in quotes):
                return "the sources contradict each other"
    return None


def _cited(candidate: GoldenCandidate) -> Iterator[tuple[Passage, Citation]]:
    """The stored passages that hold the citations."""
    for passage in candidate.evidence.passages:
        for citation in candidate.citations:
            if stands(citation, [passage]):
                yield passage, citation


def _nearby(citation: Citation, candidate: GoldenCandidate) -> str:
    """The context of a cited sentence: title, section and the text before it."""
    for passage, held in _cited(candidate):
        if held == citation:
            before = passage.text[: citation.start - passage.start]
            return f"{passage.title} {passage.section} {before}"
    return citation.title


@cache
def _own_texts() -> tuple[str, ...]:
    """The service's own replies, normalised."""
    return tuple(map(normalise, [*abstention_texts(), *map(caution_text, LANGUAGES)]))


def _likeness(embedder: Embedder, first: str, second: str) -> float:
    one, two = embedder.embed([first, second])
    return float(one @ two)
