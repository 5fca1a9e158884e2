"""Answers from sources: the model reads the likeliest sentences, and what it says is checked.

What a source supports stays and is cited; sentences and clauses that none supports are cut. Where nothing is
left, the sentence that is likeliest to answer is quoted; where no sentence is likely to, there is no answer.
Sources that contradict each other are quoted side by side.
"""

import asyncio
import re
import string
from collections.abc import Awaitable, Callable, Sequence, Set
from functools import partial
from itertools import product

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from agent.chat.abstention import disagreement_text, quotation_text, reply_language
from agent.chat.conversation import question_index
from agent.chat.sentence_candidates import SentenceCandidate, names, rerank, roots, shortlist
from agent.chat.support import contradicts, is_foreign, supports
from agent.engines.base import Reply, Sampling
from agent.errors import PromptTooLong
from agent.grading import admits_ignorance
from agent.models.card import ModelCard
from memory.language.text import sentences, words
from memory.records.base import Record
from memory.records.knowledge import Citation, Findings
from memory.retrieval.embedding import Embedder

ANSWERS = 0.15
"""Least chance of the best sentence; below it the sources do not answer the question. On the questions that
the chance is fitted on it lets 91% through, and 14% of those whose passage is left out."""
AS_LIKELY = 0.5
"""A second sentence is quoted from this share of the best one's chance."""
MOST_QUOTES = 2
LONGEST = 96
"""Tokens of the model's answer: some three sentences."""
SHORTEST = 3
"""Words that have to be left of a sentence whose end is cut off."""
CONTEXT_SHARE = 0.5
"""Most of the model's context that sources take; the rest is for the conversation and the answer."""
LETTERS_PER_TOKEN = 3
"""Fewer than ordinary text has; digits, punctuation and bytes of other scripts may be a token each."""
TEMPLATE_TOKENS = 64
"""What a chat template adds to a conversation, such as a system prompt of its own."""
MESSAGE_TOKENS = 8
"""What a chat template adds to each message."""

_LETTERS = (string.ascii_letters + " ").encode()
_CLAUSE_END = re.compile(r"[,;:](?=\s)|\s(?=(?:which|who|because|while|although)\s)")

AskModel = Callable[[Sequence[BaseMessage], Sampling], Awaitable[Reply]]
"""Puts a conversation to the model that serves the turn."""


class SourcedAnswer(Record):
    """An answer of which every statement is cited."""

    text: str
    citations: tuple[Citation, ...]
    """In order of the statements; none where the system prompt dictated the words."""
    quoted: bool
    """The words are the sources': the model failed to say it, or the sources contradict each other."""
    contradiction: bool = False
    reply: Reply | None
    """What the model said, for its usage; None where it was not asked."""


async def answer_from_sources(
    question: str,
    messages: Sequence[BaseMessage],
    findings: Findings,
    *,
    ask: AskModel,
    embedder: Embedder,
    card: ModelCard,
    max_tokens: int | None = None,
) -> SourcedAnswer | None:
    """Answers `question`, the conversation's last question on its own, or None if the sources do not.

    `max_tokens` limits what the model says; quotations are whole. A conversation that leaves no room for
    sources in the model's context is answered with a quotation. Raises what else `ask` raises.
    """
    listed = shortlist(question, findings)
    if not listed or listed[0].chance < ANSWERS:
        return None
    limits = (card.answer_tokens, LONGEST, max_tokens or LONGEST)
    sampling = Sampling(max_tokens=min(limits))
    asking = asyncio.ensure_future(_reply(sources_prompt(question, messages, listed, card), sampling, ask))
    try:  # the model reads while the sentences are compared, which takes as long as retrieval itself
        found = await asyncio.to_thread(rerank, question, listed, embedder)
        likely = [c for c in found if c.chance >= ANSWERS]
        if not likely:
            return None
        if disputed := find_contradiction(found):
            language = reply_language(messages)
            first, second = (_quotation(candidate, language) for candidate in disputed)
            text = disagreement_text(first, second, language)
            return _quoting(text, disputed, None, contradiction=True)
        reply = await asking
    finally:
        asking.cancel()  # changes nothing where it is done
        await asyncio.gather(asking, return_exceptions=True)
    if reply is not None:
        said = await asyncio.to_thread(
            supported_statements, question, reply.text, messages, found, embedder, card.declines
        )
        if said is not None:
            text, citations = said
            return SourcedAnswer(text=text, citations=citations, quoted=False, reply=reply)
    quotes = [c for c in likely if c.chance >= AS_LIKELY * likely[0].chance][:MOST_QUOTES]
    language = reply_language(messages)
    return _quoting("\n".join(_quotation(candidate, language) for candidate in quotes), quotes, reply)


class SourceCheck(Record):
    """What the sources say of an answer that a model gave without them."""

    citations: tuple[Citation, ...]
    """Of the sentences that support it; none where no sentence does."""
    answers: bool
    """The sources answer the question, whether they support this answer or not."""


def check_against_sources(
    question: str,
    answer: str,
    messages: Sequence[BaseMessage],
    findings: Findings,
    *,
    embedder: Embedder,
    card: ModelCard,
) -> SourceCheck:
    """Which of the likeliest sentences support the answer. Blocks, for it has to embed.

    On ten passages that an adapter had learned (`make bench-learning PARTS=squad-10`), 17 of the 24 answers
    that a sentence supported were right, and none of the 22 others that the gate had let through.
    """
    found = rerank(question, shortlist(question, findings), embedder)
    said = supported_statements(question, answer, messages, found, embedder, card.declines) if found else None
    return SourceCheck(
        citations=said[1] if said else (),
        answers=bool(found) and found[0].chance >= ANSWERS,
    )


async def _reply(messages: Sequence[BaseMessage] | None, sampling: Sampling, ask: AskModel) -> Reply | None:
    """What the model says, or None where it cannot be asked because its context is too short."""
    if messages is None:
        return None
    try:
        return await ask(messages, sampling)
    except PromptTooLong:  # lengths are estimated without the model's tokenizer
        return None


def sources_prompt(
    question: str, messages: Sequence[BaseMessage], found: Sequence[SentenceCandidate], card: ModelCard
) -> list[BaseMessage] | None:
    """The conversation with the likeliest sentences, under their headings, put into its last question.

    What does not fit into the context is left out: the least likely sentences, then the oldest messages. The
    system prompt and what follows the question stay. None where they leave no room for a single sentence.
    """
    last = question_index(messages)
    earlier, after = messages[:last], messages[last + 1 :]
    system = [message for message in earlier if isinstance(message, SystemMessage)]
    room = card.context - min(card.answer_tokens, LONGEST) - TEMPLATE_TOKENS
    room -= sum(
        map(_tokens_of, (*system, *after, HumanMessage(PROMPT.format(sources="", question=question))))
    )
    sources = _fitting(found, min(room, int(card.context * CONTEXT_SHARE)))
    if not sources:
        return None
    text = "\n".join(sources)
    recent = _recent(earlier, room - _tokens(text))
    return [*recent, HumanMessage(PROMPT.format(sources=text, question=question)), *after]


def _fitting(found: Sequence[SentenceCandidate], room: int) -> list[str]:
    """The likeliest sentences that take at most `room` tokens together."""
    likely = [c for c in found if c.chance >= AS_LIKELY * found[0].chance]
    lines: list[str] = []
    for candidate in likely:
        title = candidate.passage.title
        line = f"{title}: {candidate.reading}" if title else candidate.reading
        room -= _tokens(line) + 1
        if room < 0:
            break
        lines.append(line)
    return lines


def _recent(earlier: Sequence[BaseMessage], room: int) -> list[BaseMessage]:
    """The system messages, and the latest of the others that take at most `room` tokens.

    Where some are left out, the rest begins with a user's message: results without their calls, and answers
    without their questions, confuse templates and models.
    """
    first = len(earlier)
    for place, message in reversed(list(enumerate(earlier))):
        room -= 0 if isinstance(message, SystemMessage) else _tokens_of(message)
        if room < 0:
            break
        if isinstance(message, HumanMessage) or place == 0:
            first = place
    return [m for place, m in enumerate(earlier) if place >= first or isinstance(m, SystemMessage)]


def _tokens_of(message: BaseMessage) -> int:
    calls = getattr(message, "tool_calls", None)
    return MESSAGE_TOKENS + _tokens(message.text) + (_tokens(str(calls)) if calls else 0)


def _tokens(text: str) -> int:
    """Tokens of the text, hardly ever too few."""
    data = text.encode(errors="replace")
    others = len(data.translate(None, _LETTERS))
    return -(-(len(data) - others) // LETTERS_PER_TOKEN) + others


def supported_statements(
    question: str,
    reply: str,
    messages: Sequence[BaseMessage],
    found: Sequence[SentenceCandidate],
    embedder: Embedder,
    declines: Sequence[str],
) -> tuple[str, tuple[Citation, ...]] | None:
    """The statements of the reply that a sentence supports, and these; None where nothing is left.

    Only sentences that hold as many of the question's names as any can support a statement, for "It is 55."
    does not say what it is about. Words that the system prompt dictates are kept as they are: there is
    nothing to support. Blocks where it has to embed.
    """
    if not reply.strip() or admits_ignorance(reply, declines):
        return None
    system = [message.text for message in messages if isinstance(message, SystemMessage)]
    named = [len(_named(question, candidate)) for candidate in found]
    about = [c for c, share in zip(found, named, strict=True) if share == max(named)]
    kept: list[str] = []
    cited: dict[tuple[str, int], Citation] = {}
    likeness = partial(_likeness, embedder)
    for start, end in sentences(reply):
        for claim, candidate in product(_shortened(reply[start:end]), about):
            if supports(
                candidate.reading,
                claim,
                question=question,
                nearby=_nearby(candidate),
                likeness=likeness if claim == reply[start:end] else None,
                translated=bool(system) or is_foreign(question),
            ):
                kept.append(claim)
                cited.setdefault((candidate.passage.id, candidate.start), candidate.citation)
                break
    if kept:
        return " ".join(kept), tuple(cited.values())
    if system and set(words(reply)) <= set(words(" ".join(system))):
        return reply.strip(), ()
    return None


def find_contradiction(
    found: Sequence[SentenceCandidate],
) -> tuple[SentenceCandidate, SentenceCandidate] | None:
    """The likeliest sentence and the first of the others that contradicts it."""
    return next(
        ((found[0], other) for other in found[1:] if contradicts(found[0].reading, other.reading)), None
    )


def _quotation(candidate: SentenceCandidate, language: str) -> str:
    """The sentence in quotation marks, with the title of its document."""
    return quotation_text(candidate.reading, candidate.passage.title, language)


def _quoting(
    text: str, quotes: Sequence[SentenceCandidate], reply: Reply | None, *, contradiction: bool = False
) -> SourcedAnswer:
    return SourcedAnswer(
        text=text,
        citations=tuple(c.citation for c in quotes),
        quoted=True,
        contradiction=contradiction,
        reply=reply,
    )


def _nearby(candidate: SentenceCandidate) -> str:
    """What a sentence stands under and after; a table row stands under its headings alone."""
    passage = candidate.passage
    before = "" if candidate.text.startswith("|") else passage.text[: candidate.start]
    return f"{passage.title} {passage.section} {before}"


def _named(question: str, candidate: SentenceCandidate) -> list[Set[str]]:
    """The names and numbers of the question that the sentence, or what it stands under and after, holds."""
    held = roots(f"{candidate.reading} {_nearby(candidate)}")
    return [name for name in names(question) if name <= held]


def _shortened(sentence: str) -> list[str]:
    """The sentence, and what is left of it when clauses are cut off its end, longest first."""
    starts = {sentence[: match.start()].rstrip(" ,;:") for match in _CLAUSE_END.finditer(sentence)}
    long_enough = [start for start in starts if len(start.split()) >= SHORTEST]
    return [sentence, *(f"{start}." for start in sorted(long_enough, key=len, reverse=True))]


def _likeness(embedder: Embedder, first: str, second: str) -> float:
    one, two = embedder.embed([first, second])
    return float(one @ two)


PROMPT = """\
Read this:
{sources}

Give a short answer to this question: {question}"""
