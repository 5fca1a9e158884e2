"""The scripted engine: a fake that answers from a script, with chosen entropies.

It follows the whole Engine contract (the conformance suite runs over it) without a model.

    engine = ScriptedEngine(
        {"What is a lemur?": Line("a small primate", entropy=0.1)},
        adapters={"rust": {"What is a borrow?": Line("a reference to a value", entropy=0.1)}},
    )
"""

import asyncio
import math
import re
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path

from langchain_core.messages import BaseMessage, HumanMessage

from agent.engines.adapter_files import check_name
from agent.engines.base import GREEDY, Alternative, Reply, Sampling, Token, ToolCall
from agent.engines.tokens import cut_at_stop
from agent.errors import AdapterNotLoaded, AdapterRefused, EngineUnavailable, PromptTooLong
from memory.records.base import Interval, Record


class Line(Record):
    """A scripted answer; every token gets this entropy (nats) and log-probability."""

    text: str
    entropy: float = 0.05
    logprob: float = math.log(0.9)
    doubts: Mapping[int, float] = {}
    """Token index (from 0) -> an entropy of its own."""
    pause: float = 0.0
    """Seconds before each token."""
    calls: tuple[ToolCall, ...] = ()
    """Tools to call, if the request has tools."""


Script = Mapping[str, Line] | Callable[[Sequence[BaseMessage]], Line | None]
"""The last message's exact text -> a line; or a function of the conversation, None for no match."""

BREAKING_OFF = math.log(1e-4)
"""Log-probability that an unfinished text ends where it does."""
UNKNOWN = Line(text="I do not know.", entropy=4.0, logprob=math.log(0.05))


class ScriptedEngine:
    """An Engine with scripted answers.

    `script` is the base model. `adapters` maps an adapter's name, or a domain (all its adapters), to a
    script that overrides the base; an adapter without a script loads but changes nothing, like a broken one
    in a real engine. `default` answers everything else. `refused` maps adapter names to the reason for
    refusing them, and `check` may inspect a folder and raise AdapterRefused; by default paths are ignored.
    Texts in `unfinished` score as unlikely to end. `context` is the longest prompt, in words.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        adapters: Mapping[str, Script] | None = None,
        default: Line = UNKNOWN,
        refused: Mapping[str, str] | None = None,
        check: Callable[[Path], object] | None = None,
        unfinished: Collection[str] = (),
        context: int = 1024,
        model: str = "scripted",
    ) -> None:
        self.available = True
        """If False, every call raises EngineUnavailable, and answers in progress too."""
        self.answering = 0
        """Number of answers in progress."""
        self._script: Script = script if script is not None else {}
        self._adapters = dict(adapters or {})
        self._default = default
        self._refused = dict(refused or {})
        self._check = check
        self._unfinished = frozenset(unfinished)
        self._context = context
        self._model = model
        self._loaded: set[str] = set()

    async def chat(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> Reply:
        """See Engine.chat; temperature, top_p and seed have no effect."""
        async with aclosing(self.stream(messages, adapter=adapter, sampling=sampling)) as parts:
            async for part in parts:
                if isinstance(part, Reply):
                    return part
        raise AssertionError("a stream ends with its reply")

    async def stream(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> AsyncGenerator[Token | Reply, None]:
        """See Engine.stream."""
        self._require_available()
        if not messages:
            raise ValueError("a conversation needs at least one message")
        if adapter is not None:
            self._require_loaded(adapter)
        words = self._require_room(messages)
        line = self._line(messages, adapter)
        tokens, finished = _cut(_tokens(line, sampling), sampling)
        calls = line.calls if sampling.tools else ()
        self.answering += 1
        try:
            for token in tokens:
                if line.pause:
                    await asyncio.sleep(line.pause)
                    self._require_available()
                yield token
        finally:
            self.answering -= 1
        yield Reply(
            text="".join(token.text for token in tokens),
            tokens=tokens,
            model=self._model,
            adapter=adapter,
            finish_reason="tool_calls" if calls else "stop" if finished else "length",
            prompt_tokens=words,
            tool_calls=calls,
        )

    async def complete(
        self, prompt: str, *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> AsyncGenerator[Token | Reply, None]:
        """See TextCompleter.complete; the prompt is looked up like a message."""
        async with aclosing(self.stream([HumanMessage(prompt)], adapter=adapter, sampling=sampling)) as parts:
            async for part in parts:
                yield part

    async def logprobs_of(
        self, messages: Sequence[BaseMessage], answer: str, *, adapter: str | None = None
    ) -> tuple[float, ...]:
        """See AnswerScorer.logprobs_of; per word, the script's log-probability if it says this answer, else
        that of UNKNOWN."""
        self._require_available()
        if not messages or not answer.split():
            raise ValueError("there is no conversation or no answer to score")
        if adapter is not None:
            self._require_loaded(adapter)
        self._require_room(messages)
        line = self._line(messages, adapter)
        value = line.logprob if line.text == answer else UNKNOWN.logprob
        return (value,) * len(answer.split())

    async def ending_logprobs(self, prompt: str, texts: Sequence[str]) -> tuple[float, ...]:
        """See EndingScorer.ending_logprobs."""
        self._require_available()
        if not all(text.strip() for text in texts):
            raise ValueError("no text to score: it is empty")
        if any(len(f"{prompt}{text}".split()) > self._context for text in texts):
            raise PromptTooLong(f"a text to score is longer than the context of {self._context} words")
        return tuple(
            BREAKING_OFF if text.strip() in self._unfinished else Line(text=text).logprob for text in texts
        )

    async def continuation_logprobs(
        self, prompts: Sequence[str], continuations: Sequence[str], *, adapter: str | None = None
    ) -> tuple[tuple[float, ...], ...]:
        """See ContinuationScorer.continuation_logprobs; scored as by `logprobs_of`."""
        rows = []
        for prompt in prompts:
            scored = [
                await self.logprobs_of([HumanMessage(prompt)], c, adapter=adapter) for c in continuations
            ]
            rows.append(tuple(map(sum, scored)))
        return tuple(rows)

    async def load(self, adapter: str, path: Path) -> None:
        """See Engine.load."""
        self._require_available()
        check_name(adapter)
        if adapter in self._loaded:
            return
        if adapter in self._refused:
            raise AdapterRefused(f"{adapter}: {self._refused[adapter]}")
        if self._check is not None:
            self._check(path)
        self._loaded.add(adapter)

    async def unload(self, adapter: str) -> None:
        """See Engine.unload."""
        self._require_available()
        self._require_loaded(adapter)
        self._loaded.remove(adapter)

    async def loaded(self) -> tuple[str, ...]:
        """See Engine.loaded."""
        self._require_available()
        return tuple(sorted(self._loaded))

    def restart(self) -> None:
        """Unloads every adapter, like a restart of the engine process."""
        self._loaded.clear()

    def _require_available(self) -> None:
        if not self.available:
            raise EngineUnavailable("the scripted engine was switched off: set `available` to True")

    def _require_loaded(self, adapter: str) -> None:
        if adapter not in self._loaded:
            raise AdapterNotLoaded(f"adapter {adapter} is not loaded: load it first")

    def _require_room(self, messages: Sequence[BaseMessage]) -> int:
        """The number of words in the messages; raises PromptTooLong."""
        words = sum(len(str(message.text).split()) for message in messages)
        if words >= self._context:
            raise PromptTooLong(f"the prompt has {words} words, the context {self._context}: shorten it")
        return words

    def _line(self, messages: Sequence[BaseMessage], adapter: str | None) -> Line:
        scripts = [self._script]
        if adapter is not None:
            domain = re.sub(r"-v[0-9]+-[0-9a-f]{8}$", "", adapter)
            scripts = [self._adapters[key] for key in (adapter, domain) if key in self._adapters] + scripts
        for script in scripts:
            line = script(messages) if callable(script) else script.get(str(messages[-1].text))
            if line is not None:
                return line
        return self._default


def _tokens(line: Line, sampling: Sampling) -> list[Token]:
    """One token per word with its leading space; its only alternative is itself."""
    tokens: list[Token] = []
    for index, text in enumerate(re.findall(r"\s*\S+|\s+$", line.text)):
        entropy = line.doubts.get(index, line.entropy)
        itself = Alternative(text=text, logprob=line.logprob)
        tokens.append(
            Token(
                text=text,
                logprob=line.logprob,
                entropy=Interval(lower=entropy, upper=entropy),
                alternatives=(itself,) if sampling.top_logprobs else (),
            )
        )
    return tokens


def _cut(tokens: Sequence[Token], sampling: Sampling) -> tuple[tuple[Token, ...], bool]:
    """Applies `max_tokens` and the stop strings; the flag is False if `max_tokens` cut the answer."""
    emitted: list[Token] = []
    for token in tokens:
        if len(emitted) == sampling.max_tokens:
            return tuple(emitted), False
        emitted.append(token)
        trimmed = cut_at_stop(emitted, sampling.stop)
        if trimmed is not None:
            return trimmed, True
    return tuple(emitted), True
