"""Owns how a question is put to the model, with and without sources, and when sources support an answer.

Whether an answer is sure enough is measured in `entropy`; what to do then is the chat graph's business.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import aclosing

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agent.engine import GREEDY, Engine, Reply, Sampling, Token
from agent.errors import AdapterNotLoaded
from agent.grading import declined, normalise
from agent.promotion import load
from agent.routing import Routes
from agent.terms import content, coverage, occurs
from agent.wordings import with_context
from memory.language import key, sentences, words
from memory.records import Citation, Fact, Findings, Passage

CONTEXT_WORDS = 110
"""The shipped model was taught to read up to about 120 words, and a larger one loses nothing by few."""
SUPPORTING_SHARE = 0.5
"""Share of the question's content words that a cited sentence, with its headings, has to hold."""

_CHOICE = re.compile(r"^(yes|no)\b", re.IGNORECASE)


def question_of(messages: Sequence[BaseMessage]) -> str:
    """The conversation's last user message, stripped. Raises ValueError if there is none with text."""
    for message in reversed(messages):
        if isinstance(message, HumanMessage):
            text = message.text.strip()
            if text:
                return text
            break
    raise ValueError("the conversation needs a last user message with text")


def conversation(roles: Sequence[tuple[str, str]]) -> list[BaseMessage]:
    """Messages from (role, text) pairs. Raises ValueError for an unknown role."""
    kinds: dict[str, Callable[[str], BaseMessage]] = {
        "system": SystemMessage,
        "user": HumanMessage,
        "assistant": AIMessage,
        "tool": lambda text: ToolMessage(text, tool_call_id=""),  # which call it answers is in the text
    }
    unknown = {role for role, _ in roles} - set(kinds)
    if unknown:
        raise ValueError(f"unknown role {sorted(unknown)[0]!r}: use system, user, assistant or tool")
    return [kinds[role](text) for role, text in roles]


def closed_book(question: str) -> list[BaseMessage]:
    """The prompt without sources: the plain question, as it was in training."""
    return [HumanMessage(question)]


def with_results(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """The last question alone, for a model that knows no conversations, over what tools said since then.

    Earlier turns are left out: they make such a model unsure of what it knows.
    """
    results: list[str] = []
    for message in reversed(messages):
        if isinstance(message, HumanMessage):
            break
        if isinstance(message, ToolMessage):
            results.insert(0, message.text)
    question = question_of(messages)
    return [HumanMessage(with_context(question, results) if results else question)]


def in_turns(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """The whole conversation; what tools said is told by the user, as most chat templates know no tools.

    Messages of one role in a row become one, for many templates want the roles to alternate.
    """
    turns: list[BaseMessage] = []
    for message in messages:
        turn = HumanMessage(f"{RESULT}\n{message.text}") if isinstance(message, ToolMessage) else message
        if turns and turns[-1].type == turn.type:
            turn = type(turn)(f"{turns[-1].text}\n\n{turn.text}")
            turns.pop()
        turns.append(turn)
    return turns


def from_sources(question: str, findings: Findings) -> list[BaseMessage]:
    """The prompt with the sentences that bear on the question, at most 110 words of them."""
    return [HumanMessage(with_context(question, excerpts(question, findings)))]


async def ask(
    prompt: Sequence[BaseMessage],
    adapter: str | None,
    *,
    engine: Engine,
    routes: Routes,
    sampling: Sampling = GREEDY,
    heard: Callable[[Token], None] | None = None,
) -> Reply:
    """Puts the prompt to the adapter, or to the base model; an adapter that a restart lost is loaded again.

    `heard` gets each token as soon as the engine has it. Raises what Engine.chat raises, and where the
    adapter has to be loaded UnknownAdapter, AdapterNotServable, AdapterRefused and CanaryFailed.
    """
    try:
        return await _put(prompt, adapter, engine, sampling, heard)
    except AdapterNotLoaded:
        if adapter is None:
            raise
        await load(await routes.servable(adapter), engine=engine)
        return await _put(prompt, adapter, engine, sampling, heard)


def excerpts(question: str, findings: Findings) -> tuple[str, ...]:
    """The most telling sentences of the passages, in document order, one text per passage.

    A sentence ranks by the share of the question's content words it holds; one that states a fact about
    something the question names ranks above all others.
    """
    wanted = content(question)
    stated = {f.sentence for f in findings.facts if occurs(f.subject, question)}
    ranked = sorted(
        (
            (-coverage(wanted, text) - (text in stated), rank, start, text)
            for rank, hit in enumerate(findings.evidence)
            for start, end in sentences(hit.passage.text)
            for text in [hit.passage.text[start:end]]
            if not text.startswith("#")
        ),
    )
    chosen: list[tuple[int, int, str]] = []
    spent = 0
    for _, rank, start, text in ranked:
        size = len(text.split())
        if chosen and spent + size > CONTEXT_WORDS:
            continue
        chosen.append((rank, start, " ".join(text.split()[:CONTEXT_WORDS])))
        spent += size
    by_passage: dict[int, list[str]] = {}
    for rank, _, text in sorted(chosen):
        by_passage.setdefault(rank, []).append(text)
    return tuple(" ".join(texts) for texts in by_passage.values())


def citations(question: str, answer: str, findings: Findings) -> tuple[Citation, ...]:
    """The sentences that support the answer, with their spans; none means that nothing supports it.

    A sentence supports an answer whose words it holds in order, if it also speaks of what was asked: of that
    very thing where the question names one that memory has facts about. A plain "Yes" is supported by a
    sentence that holds all content words of the question; a "No" never is.
    """
    if declined(answer) or not normalise(answer):
        return ()
    wanted = content(question)
    choice = _CHOICE.match(answer)
    named = _named(question, findings.facts)
    found: list[Citation] = []
    for hit in findings.evidence:
        for start, end in sentences(hit.passage.text):
            quote = hit.passage.text[start:end]
            if choice:
                holds = choice.group(1).lower() == "yes" and coverage(wanted, quote) == 1.0
            else:
                holds = (
                    _states(answer, quote)
                    and _speaks_of(wanted, quote, hit.passage)
                    and (not named or any(_is_about(fact, quote) for fact in named))
                )
            if holds:
                found.append(_citation(hit.passage, start, end))
    return tuple(found)


async def _put(
    prompt: Sequence[BaseMessage],
    adapter: str | None,
    engine: Engine,
    sampling: Sampling,
    heard: Callable[[Token], None] | None,
) -> Reply:
    if heard is None:
        return await engine.chat(prompt, adapter=adapter, sampling=sampling)
    async with aclosing(engine.stream(prompt, adapter=adapter, sampling=sampling)) as parts:
        async for part in parts:
            if isinstance(part, Reply):
                return part
            heard(part)
    raise AssertionError("a stream ends with its reply")


def _states(answer: str, quote: str) -> bool:
    return f" {normalise(answer)} " in f" {normalise(quote)} " and len(words(answer)) > 0


def _speaks_of(wanted: tuple[str, ...], quote: str, passage: Passage) -> bool:
    named = coverage(wanted, f"{passage.title} {passage.section} {quote}")
    return coverage(wanted, quote) > 0 and named >= SUPPORTING_SHARE


def _named(question: str, facts: Sequence[Fact]) -> list[Fact]:
    """The facts about what the question names; a name within another one that it names does not count."""
    named = [fact for fact in facts if occurs(fact.subject, question)]
    names = {key(fact.subject): fact.subject for fact in named}
    within = {a for a in names for b in names if a != b and occurs(names[a], names[b])}
    return [fact for fact in named if key(fact.subject) not in within]


def _is_about(fact: Fact, quote: str) -> bool:
    """Whether the sentence names the fact's subject, or is the `It ...` of the fact's own quote."""
    return occurs(fact.subject, quote) or quote in fact.sentence


def _citation(passage: Passage, start: int, end: int) -> Citation:
    return Citation(
        source=passage.source,
        title=passage.title,
        start=passage.start + start,
        end=passage.start + end,
        quote=passage.text[start:end],
    )


RESULT = "Result of the call:"
ABSTENTION = "I do not know, and the sources that I have do not say. I have noted the question."
ABSTENTION_DESPITE_SOURCES = (
    "I do not know, for the sources that I have contradict each other. I have noted the question."
)
ABSTENTION_WITHOUT_SOURCES = "I do not know, and I have no sources about it. I have noted the question."
