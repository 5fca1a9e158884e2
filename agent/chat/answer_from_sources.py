"""Answers a question from sources: the model reads the likeliest sentences, and its reply is checked.

Supported statements stay and are cited; unsupported sentences and clauses are cut. If nothing is left, the
likeliest sentence is quoted; if no sentence is likely to answer, there is no answer. Sources that contradict
each other are quoted side by side.
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
from agent.chat.sentence_candidates import SentenceCandidate, name_roots, rerank, shortlist, word_roots
from agent.chat.support import contradicts, supports
from agent.engines.base import Reply, Sampling
from agent.errors import PromptTooLong
from agent.grading import admits_ignorance
from agent.models.card import ModelCard
from memory.embedding.embedder import Embedder
from memory.language.content_words import is_foreign
from memory.language.text import sentences, words
from memory.records.base import Record
from memory.records.knowledge import Citation, Findings

MIN_CHANCE = 0.09
"""Minimum chance of the best sentence; below it the sources do not answer the question. Of the questions
that the chance is fitted on, 97% pass, 16% without their passage, and 5% with an invented name."""
MIN_RELATIVE_CHANCE = 0.5
"""Minimum chance of a second quoted sentence, relative to the best one's."""
MAX_QUOTES = 2
MAX_ANSWER_TOKENS = 96
"""Most tokens of the model's answer: about three sentences."""
MIN_CLAUSE_WORDS = 3
"""Minimum number of words of a sentence after its end is cut off."""
READS = 0.9
"""Share of reading questions (`ModelCard.reading`) from which a model may answer from sources in its own
words. Of a model that answers .73, 11 of 60 graded answers said something else than their source."""
CONTEXT_SHARE = 0.5
"""Largest share of the model's context for sources; the rest is for the conversation and the answer."""
LETTERS_PER_TOKEN = 3
"""A low estimate for ordinary text; digits, punctuation and bytes of other scripts may be a token each."""
TEMPLATE_TOKENS = 64
"""Allowance for what a chat template adds to a conversation, such as its own system prompt."""
MESSAGE_TOKENS = 8
"""Allowance for what a chat template adds to each message."""

_LETTERS = (string.ascii_letters + " ").encode()
_CLAUSE_END = re.compile(r"[,;:](?=\s)|\s(?=(?:which|who|because|while|although)\s)")

AskModel = Callable[[Sequence[BaseMessage], Sampling], Awaitable[Reply]]
"""Sends a conversation to the model that answers the turn."""


class SourcedAnswer(Record):
    """An answer whose statements are all cited."""

    text: str
    citations: tuple[Citation, ...]
    """In order of the statements; empty if the system prompt dictated the words."""
    quoted: bool
    """Whether the text quotes the sources: nothing in the reply was supported, or the sources disagree."""
    contradiction: bool = False
    reply: Reply | None
    """The model's reply, for token usage; None if it was not called."""


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
    """Answers `question`, the conversation's last question made self-contained; None if no source does.

    A model that reads badly, by its card, is not asked, but the source quoted; likewise if the conversation
    leaves no room for sources in the model's context. `max_tokens` limits the model's reply; quotations are
    not cut. Raises what `ask` raises, except PromptTooLong.
    """
    candidates = shortlist(question, findings)
    if not candidates or candidates[0].chance < MIN_CHANCE:
        return None
    limits = (card.answer_tokens, MAX_ANSWER_TOKENS, max_tokens or MAX_ANSWER_TOKENS)
    sampling = Sampling(max_tokens=min(limits))
    reads = card.reading is not None and card.reading >= READS
    prompt = sources_prompt(question, messages, candidates, card) if reads else None
    pending = asyncio.ensure_future(_reply(prompt, sampling, ask))
    try:  # the model answers while the sentences are reranked, which takes as long as retrieval
        ranked = await asyncio.to_thread(rerank, question, candidates, embedder)
        likely = [c for c in ranked if c.chance >= MIN_CHANCE]
        if not likely:
            return None
        if disputed := find_contradiction(ranked):
            language = reply_language(messages)
            first, second = (quotation(candidate, language) for candidate in disputed)
            text = disagreement_text(first, second, language)
            return _quoting(text, disputed, None, contradiction=True)
        reply = await pending
    finally:
        pending.cancel()  # no effect if it is done
        await asyncio.gather(pending, return_exceptions=True)
    if reply is not None:
        supported = await asyncio.to_thread(
            supported_statements,
            question,
            reply.text,
            messages,
            ranked,
            embedder,
            card.declines,
        )
        if supported is not None:
            text, citations = supported
            return SourcedAnswer(text=text, citations=citations, quoted=False, reply=reply)
    quotes = [c for c in likely if c.chance >= MIN_RELATIVE_CHANCE * likely[0].chance][:MAX_QUOTES]
    language = reply_language(messages)
    return _quoting("\n".join(quotation(candidate, language) for candidate in quotes), quotes, reply)


class SourceCheck(Record):
    """Result of checking a model's own answer against the sources."""

    citations: tuple[Citation, ...]
    """Sentences that support the answer; empty if none does."""
    answers: bool
    """Whether the sources answer the question, regardless of whether they support this answer."""


def check_against_sources(
    question: str,
    answer: str,
    messages: Sequence[BaseMessage],
    findings: Findings,
    *,
    embedder: Embedder,
    card: ModelCard,
) -> SourceCheck:
    """Which of the likeliest sentences support the answer. Blocks, because it computes embeddings.

    On ten passages that an adapter had learned (`make bench-learning PARTS=squad-10`), 17 of the 24 supported
    answers were right, and none of the 22 unsupported ones that had passed the gate.
    """
    ranked = rerank(question, shortlist(question, findings), embedder)
    supported = (
        supported_statements(question, answer, messages, ranked, embedder, card.declines) if ranked else None
    )
    return SourceCheck(
        citations=supported[1] if supported else (),
        answers=bool(ranked) and ranked[0].chance >= MIN_CHANCE,
    )


async def _reply(messages: Sequence[BaseMessage] | None, sampling: Sampling, ask: AskModel) -> Reply | None:
    """The model's reply; None without a prompt, or if it does not fit into the model's context."""
    if messages is None:
        return None
    try:
        return await ask(messages, sampling)
    except PromptTooLong:  # the prompt's length was only estimated
        return None


def sources_prompt(
    question: str, messages: Sequence[BaseMessage], ranked: Sequence[SentenceCandidate], card: ModelCard
) -> list[BaseMessage] | None:
    """The conversation with the likeliest sentences and their titles inserted into its last question.

    Drops what does not fit into the context: the least likely sentences, then the oldest messages. The
    system prompt and messages after the question stay. None if there is no room for a single sentence.
    """
    last = question_index(messages)
    earlier, after = messages[:last], messages[last + 1 :]
    system = [message for message in earlier if isinstance(message, SystemMessage)]
    room = card.context - min(card.answer_tokens, MAX_ANSWER_TOKENS) - TEMPLATE_TOKENS
    room -= sum(
        map(_message_tokens, (*system, *after, HumanMessage(PROMPT.format(sources="", question=question))))
    )
    sources = _fitting(ranked, min(room, int(card.context * CONTEXT_SHARE)))
    if not sources:
        return None
    text = "\n".join(sources)
    recent = _recent(earlier, room - estimated_tokens(text))
    return [*recent, HumanMessage(PROMPT.format(sources=text, question=question)), *after]


def _fitting(ranked: Sequence[SentenceCandidate], room: int) -> list[str]:
    """The likeliest sentences that fit into `room` tokens."""
    likely = [c for c in ranked if c.chance >= MIN_RELATIVE_CHANCE * ranked[0].chance]
    lines: list[str] = []
    for candidate in likely:
        title = candidate.passage.title
        line = f"{title}: {candidate.reading}" if title else candidate.reading
        room -= estimated_tokens(line) + 1
        if room < 0:
            break
        lines.append(line)
    return lines


def _recent(earlier: Sequence[BaseMessage], room: int) -> list[BaseMessage]:
    """The system messages, and the latest others that fit into `room` tokens.

    If some are dropped, the rest begins with a user message: results without their calls, and answers without
    their questions, confuse templates and models.
    """
    first = len(earlier)
    for index, message in reversed(list(enumerate(earlier))):
        room -= 0 if isinstance(message, SystemMessage) else _message_tokens(message)
        if room < 0:
            break
        if isinstance(message, HumanMessage) or index == 0:
            first = index
    return [m for index, m in enumerate(earlier) if index >= first or isinstance(m, SystemMessage)]


def _message_tokens(message: BaseMessage) -> int:
    calls = getattr(message, "tool_calls", None)
    return MESSAGE_TOKENS + estimated_tokens(message.text) + (estimated_tokens(str(calls)) if calls else 0)


def estimated_tokens(text: str) -> int:
    """Estimated number of tokens in the text, rarely too low."""
    data = text.encode(errors="replace")
    others = len(data.translate(None, _LETTERS))
    return -(-(len(data) - others) // LETTERS_PER_TOKEN) + others


def supported_statements(
    question: str,
    reply: str,
    messages: Sequence[BaseMessage],
    ranked: Sequence[SentenceCandidate],
    embedder: Embedder,
    declines: Sequence[str],
) -> tuple[str, tuple[Citation, ...]] | None:
    """The supported statements of the reply, with their citations; None if nothing is left.

    Only sentences with the most names of the question can support a statement, because "It is 55." does not
    say what it is about. Words dictated by the system prompt are kept without support. Blocks if it has to
    compute embeddings.
    """
    if not reply.strip() or admits_ignorance(reply, declines):
        return None
    system = [message.text for message in messages if isinstance(message, SystemMessage)]
    name_counts = [len(_question_names(question, candidate)) for candidate in ranked]
    about = [c for c, count in zip(ranked, name_counts, strict=True) if count == max(name_counts)]
    supported: list[str] = []
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
                supported.append(claim)
                cited.setdefault((candidate.passage.id, candidate.start), candidate.citation)
                break
    if supported:
        return " ".join(supported), tuple(cited.values())
    if system and set(words(reply)) <= set(words(" ".join(system))):
        return reply.strip(), ()
    return None


def find_contradiction(
    ranked: Sequence[SentenceCandidate],
) -> tuple[SentenceCandidate, SentenceCandidate] | None:
    """The likeliest sentence and the first other one that contradicts it, if any."""
    return next(
        ((ranked[0], other) for other in ranked[1:] if contradicts(ranked[0].reading, other.reading)), None
    )


def quotation(candidate: SentenceCandidate, language: str) -> str:
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
    """The context of a sentence: title, section and the text before it; for a table row only the headings."""
    passage = candidate.passage
    before = "" if candidate.text.startswith("|") else passage.text[: candidate.start]
    return f"{passage.title} {passage.section} {before}"


def _question_names(question: str, candidate: SentenceCandidate) -> list[Set[str]]:
    """The names and numbers of the question that occur in the sentence or its context."""
    present = word_roots(f"{candidate.reading} {_nearby(candidate)}")
    return [name for name in name_roots(question) if name <= present]


def _shortened(sentence: str) -> list[str]:
    """The sentence, then versions with clauses cut off its end, longest first."""
    starts = {sentence[: match.start()].rstrip(" ,;:") for match in _CLAUSE_END.finditer(sentence)}
    long_enough = [start for start in starts if len(start.split()) >= MIN_CLAUSE_WORDS]
    return [sentence, *(f"{start}." for start in sorted(long_enough, key=len, reverse=True))]


def _likeness(embedder: Embedder, first: str, second: str) -> float:
    one, two = embedder.embed([first, second])
    return float(one @ two)


PROMPT = """\
Read this:
{sources}

Give a short answer to this question: {question}"""
