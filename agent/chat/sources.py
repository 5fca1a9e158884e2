"""Answers from sources: the model reads the likeliest sentences, and what it says is checked.

What a source supports stays and is cited; sentences and clauses that none supports are cut. Where nothing is
left, the sentence that is likeliest to answer is quoted; where no sentence is likely to, there is no answer.
Sources that contradict each other are quoted side by side.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence, Set
from functools import partial
from itertools import product

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from agent.chat.candidates import Candidate, compared, names, roots, shortlist
from agent.chat.support import clash, foreign, supports
from agent.engine import Reply, Sampling
from agent.grading import declined
from agent.models.card import ModelCard
from memory.embedding import Embedder
from memory.language import sentences, words
from memory.records import Citation, Findings, Record

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
TOKEN_CHARS = 3
"""Characters of a token, at least: what is certain not to overflow the context."""

_CLAUSE_END = re.compile(r"[,;:](?=\s)|\s(?=(?:which|who|because|while|although)\s)")

Ask = Callable[[Sequence[BaseMessage], Sampling], Awaitable[Reply]]
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
    ask: Ask,
    embedder: Embedder,
    card: ModelCard,
) -> SourcedAnswer | None:
    """Answers `question`, the last message of the conversation on its own, or None if the sources do not.

    Raises what `ask` raises.
    """
    listed = shortlist(question, findings)
    if not listed or listed[0].chance < ANSWERS:
        return None
    sampling = Sampling(max_tokens=min(card.answer_tokens, LONGEST))
    asking = asyncio.ensure_future(ask(prompt(question, messages, listed, card), sampling))
    try:  # the model reads while the sentences are compared, which takes as long as retrieval itself
        found = await asyncio.to_thread(compared, question, listed, embedder)
        likely = [c for c in found if c.chance >= ANSWERS]
        if not likely:
            return None
        if disputed := contradiction(found):
            text = DISAGREE.format(*map(quotation, disputed))
            return _quoting(text, disputed, None, contradiction=True)
        reply = await asking
    finally:
        asking.cancel()  # changes nothing where it is done
        await asyncio.gather(asking, return_exceptions=True)
    said = await asyncio.to_thread(checked, question, reply.text, messages, found, embedder, card.declines)
    if said is not None:
        text, citations = said
        return SourcedAnswer(text=text, citations=citations, quoted=False, reply=reply)
    quotes = [c for c in likely if c.chance >= AS_LIKELY * likely[0].chance][:MOST_QUOTES]
    return _quoting("\n".join(map(quotation, quotes)), quotes, reply)


def prompt(
    question: str, messages: Sequence[BaseMessage], found: Sequence[Candidate], card: ModelCard
) -> list[BaseMessage]:
    """The conversation with the likeliest sentences, under their headings, put into its last message."""
    room = int(card.context * CONTEXT_SHARE * TOKEN_CHARS)
    likely = [c for c in found if c.chance >= AS_LIKELY * found[0].chance]
    text = "\n".join(f"{c.passage.title}: {c.reading}" if c.passage.title else c.reading for c in likely)
    return [*messages[:-1], HumanMessage(PROMPT.format(sources=text[:room], question=question))]


def checked(
    question: str,
    reply: str,
    messages: Sequence[BaseMessage],
    found: Sequence[Candidate],
    embedder: Embedder,
    declines: Sequence[str],
) -> tuple[str, tuple[Citation, ...]] | None:
    """The statements of the reply that a sentence supports, and these; None where nothing is left.

    Only sentences that hold as many of the question's names as any can support a statement, for "It is 55."
    does not say what it is about. Words that the system prompt dictates are kept as they are: there is
    nothing to support. Blocks where it has to embed.
    """
    if not reply.strip() or declined(reply, declines):
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
                translated=bool(system) or foreign(question),
            ):
                kept.append(claim)
                cited.setdefault((candidate.passage.id, candidate.start), candidate.citation)
                break
    if kept:
        return " ".join(kept), tuple(cited.values())
    if system and set(words(reply)) <= set(words(" ".join(system))):
        return reply.strip(), ()
    return None


def contradiction(found: Sequence[Candidate]) -> tuple[Candidate, Candidate] | None:
    """The likeliest sentence and the first of the others that contradicts it."""
    return next(((found[0], other) for other in found[1:] if clash(found[0].reading, other.reading)), None)


def quotation(candidate: Candidate) -> str:
    """The sentence in quotation marks, with the title of its document."""
    title = candidate.passage.title
    return f"\u201c{candidate.reading}\u201d" + (f" ({title})" if title else "")


def _quoting(
    text: str, quotes: Sequence[Candidate], reply: Reply | None, *, contradiction: bool = False
) -> SourcedAnswer:
    return SourcedAnswer(
        text=text,
        citations=tuple(c.citation for c in quotes),
        quoted=True,
        contradiction=contradiction,
        reply=reply,
    )


def _nearby(candidate: Candidate) -> str:
    """What a sentence stands under and after; a table row stands under its headings alone."""
    passage = candidate.passage
    before = "" if candidate.text.startswith("|") else passage.text[: candidate.start]
    return f"{passage.title} {passage.section} {before}"


def _named(question: str, candidate: Candidate) -> list[Set[str]]:
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
DISAGREE = "The sources disagree: {}, but {}."
