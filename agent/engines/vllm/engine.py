"""The vLLM engine: an Engine over a running vLLM server, with adapters loaded at runtime.

`server` has the server's command line, `protocol` the request bodies and replies. After a restart of the
server its adapters have to be loaded again by the caller.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from langchain_core.messages import BaseMessage
from opentelemetry.trace import SpanKind
from pydantic import ValidationError
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from agent.engines.adapter_files import base_shapes, check_name, inspect_adapter
from agent.engines.base import GREEDY, FinishReason, Reply, Sampling, Token, escape_control_tokens
from agent.engines.tokens import fit_to_text
from agent.engines.vllm import failures, protocol
from agent.engines.vllm.address import base_url, socket_of
from agent.engines.vllm.base_files import local_folder, vocabulary_of
from agent.engines.vllm.failures import Response
from agent.engines.vllm.protocol import (
    ChatAnswer,
    Continuation,
    ScoredTexts,
    ServedModel,
    ServedModels,
    Tokenized,
)
from agent.errors import (
    AdapterNotLoaded,
    AdapterRefused,
    EngineError,
    EngineUnavailable,
    PromptTooLong,
    RequestFailed,
)
from agent.models.card import ChatTemplate
from memory import tracing
from memory.records.base import ADAPTER_PATTERN

_Kind = TypeVar("_Kind", ChatAnswer, Continuation, ScoredTexts, Tokenized)

ADAPTER_REFUSED_MESSAGE = "Call to add_lora method failed"
"""vLLM's message, with status 500, when it refuses an adapter, for example for a rank above its limit."""
CONNECT_SECONDS = 5.0
KEEPALIVE_SECONDS = 2.0
"""How long an idle connection is kept; the server closes it after 5 seconds."""
LONGEST_LINE = 1 << 20
SCORING_BATCH = 16
"""Texts scored per request: a quarter of the server's batch, so that chats go on."""


class VllmEngine:
    """An Engine over a vLLM server at `url` that serves the base model under the name `model`.

    `url` has no `/v1`; `unix:PATH` is a Unix socket. `template` comes from the model's card. `timeout` is in
    seconds: for each next piece of a streamed answer, and for the whole of one that is not. Entropies are
    bounds from the top 20 log-probabilities. Create it inside the event loop and close it with `aclose`.
    """

    def __init__(
        self, url: str, model: str, template: ChatTemplate, *, key: str = "none", timeout: float = 300.0
    ) -> None:
        self._template = template
        self._url = url.rstrip("/")
        self._base = base_url(url)
        self._timeout = timeout
        self._name = model
        self._http = aiohttp.ClientSession(
            connector=connector(url),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=timeout),
            headers={"Authorization": f"Bearer {key}"},
            read_bufsize=LONGEST_LINE,
        )
        self._vocabulary_size: int | None = None
        self._loading = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections; the server keeps running."""
        await self._http.close()

    async def chat(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> Reply:
        """See Engine.chat. Raises EngineError for an answer without log-probabilities."""
        _require_messages(messages)
        vocabulary = await self._vocabulary()
        async with self._chat_response(messages, adapter, sampling, streamed=False) as response:
            answer = self._parse(await response.read(), adapter, ChatAnswer)
        calls = protocol.ToolCallCollector()
        calls.add(answer)
        text = answer.text.lstrip()
        tokens = answer.tokens(vocabulary, sampling.top_logprobs)
        if text and not tokens:
            raise failures.unscored(self._url)
        fitted = fit_to_text(tokens, text)
        return Reply(
            text=text,
            tokens=fitted,
            model=self._name,
            adapter=adapter,
            finish_reason=answer.finish_reason or "stop",
            prompt_tokens=answer.prompt_tokens,
            tool_calls=calls.calls(),
            call_tokens=calls.token_count(answer.completion_tokens, len(fitted)),
        )

    async def stream(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> AsyncGenerator[Token | Reply, None]:
        """See Engine.stream; the server holds back text that may begin a stop string.

        Raises EngineError at the end of an answer without log-probabilities.
        """
        _require_messages(messages)
        vocabulary = await self._vocabulary()
        waiting: list[Token] = []
        emitted: list[Token] = []
        text = ""
        begun = scored = False
        reason: FinishReason = "stop"
        calls = protocol.ToolCallCollector()
        prompt_tokens = completion_tokens = 0
        async with aclosing(self._chunks(messages, adapter, sampling)) as chunks:
            async for chunk in chunks:
                waiting += chunk.tokens(vocabulary, sampling.top_logprobs)
                scored = scored or bool(waiting)
                text += chunk.text
                calls.add(chunk)
                reason = chunk.finish_reason or reason
                prompt_tokens += chunk.prompt_tokens
                completion_tokens += chunk.completion_tokens
                while waiting:
                    label = waiting[0].text
                    if not begun:  # answers have no leading whitespace
                        text, label = text.lstrip(), label.lstrip()
                    if not text.startswith(label):
                        break
                    begun = begun or label != ""
                    text = text.removeprefix(label)
                    emitted.append(waiting.pop(0).model_copy(update={"text": label}))
                    yield emitted[-1]
        if text.strip() and not scored:
            raise failures.unscored(self._url)
        for token in fit_to_text(waiting, text):
            emitted.append(token)
            yield token
        yield Reply(
            text="".join(token.text for token in emitted),
            tokens=tuple(emitted),
            model=self._name,
            adapter=adapter,
            finish_reason=reason,
            tool_calls=calls.calls(),
            call_tokens=calls.token_count(completion_tokens, len(emitted)),
            prompt_tokens=prompt_tokens,
        )

    async def complete(
        self, prompt: str, *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> AsyncGenerator[Token | Reply, None]:
        """See TextCompleter.complete."""
        vocabulary = await self._vocabulary()
        emitted: list[Token] = []
        reason: FinishReason = "stop"
        prompt_tokens = 0
        body = protocol.completion_body(prompt, adapter or self._name, sampling)
        async with self._post("/v1/completions", body, adapter) as response:
            async for data in self._events(response):
                chunk = self._parse(data, adapter, Continuation)
                for token in fit_to_text(
                    chunk.tokens(vocabulary, sampling.top_logprobs),
                    "".join(choice.text for choice in chunk.choices),
                ):
                    emitted.append(token)
                    yield token
                if chunk.choices and chunk.choices[0].finish_reason == "length":
                    reason = "length"
                prompt_tokens += chunk.usage.prompt_tokens if chunk.usage else 0
        yield Reply(
            text="".join(token.text for token in emitted),
            tokens=tuple(emitted),
            model=self._name,
            adapter=adapter,
            finish_reason=reason,
            prompt_tokens=prompt_tokens,
        )

    async def logprobs_of(
        self, messages: Sequence[BaseMessage], answer: str, *, adapter: str | None = None
    ) -> tuple[float, ...]:
        """See AnswerScorer.logprobs_of."""
        _require_messages(messages)
        if not answer:
            raise ValueError("there is no answer to score")
        conversation = await self._tokenize(
            protocol.conversation_tokens_body(messages, self._name, self._template)
        )
        room = conversation.max_model_len - len(conversation.tokens) - 1  # the server needs one for itself
        if room < 1:
            raise PromptTooLong(f"the prompt has {len(conversation.tokens)} tokens: shorten the conversation")
        scored = (await self._tokenize(protocol.text_tokens_body(answer, self._name, self._template))).tokens
        body = protocol.scoring_body([*conversation.tokens, *scored[:room]], adapter or self._name)
        async with self._post("/v1/completions", body, adapter) as response:
            reply = self._parse(await response.read(), adapter, ScoredTexts)
        return reply.last_logprobs(min(len(scored), room))

    async def _tokenize(self, body: Mapping[str, Any]) -> Tokenized:
        async with self._post("/tokenize", body, None) as response:
            return self._parse(await response.read(), None, Tokenized)

    async def ending_logprobs(self, prompt: str, texts: Sequence[str]) -> tuple[float, ...]:
        """See EndingScorer.ending_logprobs; prompt and text are tokenized together."""
        if not all(texts):
            raise ValueError("no text to score: it is empty")
        control = self._template.control
        whole = [
            escape_control_tokens(prompt, control) + escape_control_tokens(text, control) for text in texts
        ]
        logprobs: list[float] = []
        for start in range(0, len(whole), SCORING_BATCH):
            logprobs += await self._ending_logprobs(whole[start : start + SCORING_BATCH])
        return tuple(logprobs)

    async def _ending_logprobs(self, texts: Sequence[str]) -> tuple[float, ...]:
        async with self._post("/v1/completions", protocol.scoring_body(texts, self._name), None) as response:
            endings = self._parse(await response.read(), None, ScoredTexts).logprobs()
        if len(endings) != len(texts):
            raise EngineError(f"{self._url} scored {len(endings)} of {len(texts)} texts")
        return endings

    async def _chunks(
        self, messages: Sequence[BaseMessage], adapter: str | None, sampling: Sampling
    ) -> AsyncGenerator[ChatAnswer, None]:
        """The answer's chunks; closing the generator ends the request and the server's work on it.

        Raises what `chat` raises.
        """
        async with self._chat_response(messages, adapter, sampling, streamed=True) as response:
            async for data in self._events(response):
                yield self._parse(data, adapter, ChatAnswer)

    async def _events(self, response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
        """The data of a stream's events. Raises EngineUnavailable if the end mark is missing."""
        async for line in response.content:
            if protocol.is_end(line):
                return
            if (data := protocol.event_data(line)) is not None:
                yield data
        raise EngineUnavailable(
            f"{self._url} broke off its answer ({response.content_type}, no end mark): see the engine's log,"
            " and whether there is a proxy in between"
        )

    @asynccontextmanager
    async def _chat_response(
        self, messages: Sequence[BaseMessage], adapter: str | None, sampling: Sampling, *, streamed: bool
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response to a chat request, after its status was checked; closed on exit."""
        body = protocol.chat_body(
            messages, adapter or self._name, sampling, self._template, streamed=streamed
        )
        async with self._post("/v1/chat/completions", body, adapter) as response:
            yield response

    @asynccontextmanager
    async def _post(
        self, path: str, body: Mapping[str, Any], adapter: str | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if adapter is not None:
            _require_adapter_name(adapter)
        call = tracing.open_span(
            f"POST {path}", {"gen_ai.request.model": adapter or self._name}, kind=SpanKind.CLIENT
        )
        try:
            async for attempt in _connecting():
                with attempt:
                    response = await self._http.post(
                        f"{self._base}{path}", json=body, headers=tracing.headers(call)
                    )
            async with response:
                if not response.ok:
                    text = await response.text(errors="replace")
                    raise self._explained(Response(response.status, text), adapter)
                yield response
        except (aiohttp.ClientError, HttpProcessingError, TimeoutError) as error:
            tracing.failed(call, error)
            raise failures.unreachable(self._url, error, self._timeout) from error
        finally:
            call.end()

    async def load(self, adapter: str, path: Path) -> None:
        """See Engine.load. Validates the folder first, because weights that do not fit can stop the server.

        The server must see the same path, and reads it again whenever its adapter cache has overflowed.
        """
        check_name(adapter)
        async with self._loading:
            if adapter in await self.loaded():
                return
            folder = await self._folder()
            base = await asyncio.to_thread(base_shapes, folder) if folder else None
            files = await asyncio.to_thread(lambda: inspect_adapter(path, base=base))
            body = {"lora_name": adapter, "lora_path": str(files.path)}
            response = await self._request("POST", "/v1/load_lora_adapter", body)
        if response.failed:
            raise AdapterRefused(f"vLLM refused the adapter {adapter}: {response}")

    async def unload(self, adapter: str) -> None:
        """See Engine.unload."""
        _require_adapter_name(adapter)
        response = await self._request("POST", "/v1/unload_lora_adapter", {"lora_name": adapter})
        if response.failed:
            raise AdapterNotLoaded(f"adapter {adapter} is not loaded: {response}")

    async def loaded(self) -> tuple[str, ...]:
        """See Engine.loaded."""
        return tuple(sorted(card.id for card in await self._served() if card.parent is not None))

    async def _vocabulary(self) -> int:
        if self._vocabulary_size is None:
            self._vocabulary_size = await asyncio.to_thread(vocabulary_of, await self._folder())
        return self._vocabulary_size

    async def _folder(self) -> Path | None:
        """The base model's folder, or None if its files are on another machine."""
        cards = [card for card in await self._served() if card.id == self._name]
        if not cards:
            raise EngineUnavailable(
                f"{self._url} serves no model named {self._name}: start it with that name"
            )
        return await asyncio.to_thread(local_folder, cards[0].root or self._name)

    async def _served(self) -> list[ServedModel]:
        response = await self._request("GET", "/v1/models")
        if response.failed:
            raise EngineUnavailable(f"{self._url} does not list its models: {response}")
        try:
            return ServedModels.model_validate_json(response.text).data
        except ValidationError as error:
            raise EngineUnavailable(
                f"{self._url} is not an OpenAI server: it lists no models at /v1/models; set its right URL"
            ) from error

    async def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Response:
        try:
            async for attempt in _connecting():
                with attempt:
                    async with self._http.request(method, f"{self._base}{path}", json=body) as raw:
                        response = Response(raw.status, await raw.text(errors="replace"))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise failures.unreachable(self._url, error, self._timeout) from error
        if response.status in (401, 403):
            raise EngineUnavailable(f"{self._url} refuses the API key: {response}")
        if response.status >= 500 and ADAPTER_REFUSED_MESSAGE not in response.text:
            raise EngineUnavailable(f"{self._url} failed: {response}; see the engine's log")
        return response

    def _parse(self, body: bytes, adapter: str | None, kind: type[_Kind]) -> _Kind:
        try:
            return protocol.parse_reply(body, kind)
        except EngineError as error:
            reported = isinstance(error, RequestFailed)
            raise self._explained(Response(200, str(error), reported), adapter) from error

    def _explained(self, response: Response, adapter: str | None) -> Exception:
        return failures.explain(response, self._url, model=self._name, adapter=adapter)


def connector(url: str) -> aiohttp.BaseConnector:
    """Connections to the server at a URL or `unix:PATH`, without a limit of their number."""
    path = socket_of(url)
    if path is not None:
        return aiohttp.UnixConnector(path, limit=0, keepalive_timeout=KEEPALIVE_SECONDS)
    return aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_SECONDS)


def _connecting() -> AsyncRetrying:
    """Three attempts to connect; a request that reached the server is never sent twice."""
    return AsyncRetrying(
        retry=retry_if_exception_type(aiohttp.ClientConnectorError),
        stop=stop_after_attempt(3),
        wait=wait_exponential(multiplier=0.2, max=1.0),
        reraise=True,
    )


def _require_messages(messages: Sequence[BaseMessage]) -> None:
    if not messages:
        raise ValueError("a conversation needs at least one message")


def _require_adapter_name(adapter: str) -> None:
    """Rejects names that are not adapter names, such as the base model's."""
    if not re.fullmatch(ADAPTER_PATTERN, adapter):
        raise AdapterNotLoaded(f"adapter {adapter!r} is not loaded: this is not an adapter name")
