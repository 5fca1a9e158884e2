"""The vLLM engine: chats with vLLM's OpenAI server, adapters loaded while it runs.

How that server is started is in `vllm_server`, what it is sent and sends in `vllm_wire`; adapters that a
restart forgot are the caller's.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import aiohttp
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from langchain_core.messages import BaseMessage
from pydantic import ValidationError
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from agent.engines.adapter_files import base_shapes, check_name, inspect
from agent.engines.base import GREEDY, FinishReason, Reply, Sampling, Token, escape_control_tokens
from agent.engines.entropy import TOP_LOGPROBS
from agent.engines.tokens import fit_to_text
from agent.engines.vllm import protocol
from agent.engines.vllm.protocol import ChatAnswer, Continuation, ScoredTexts, ServedModel, ServedModels
from agent.errors import AdapterNotLoaded, AdapterRefused, EngineError, EngineUnavailable, PromptTooLong
from agent.models.card import ChatTemplate
from memory.records.base import ADAPTER_PATTERN

_Kind = TypeVar("_Kind", ChatAnswer, Continuation, ScoredTexts)

LARGEST_VOCABULARY = 1 << 20
"""More tokens than any published model has: entropy bounds made with it are valid, but wider."""
REFUSAL = "Call to add_lora method failed"
"""How vLLM says, with a status of 500, that it does not take an adapter, as for a rank above its limit."""
CONNECT_SECONDS = 5.0
KEPT_SECONDS = 2.0
"""How long an idle connection is kept: the server gives it up after 5."""
LONGEST_LINE = 1 << 20
SCORED = 16
"""Texts that are scored by one request: a quarter of what the server works on at a time, as chats go on."""


class _Said(NamedTuple):
    """A server's answer to a request that is no chat."""

    status: int
    text: str

    @property
    def refused(self) -> bool:
        return self.status >= 400

    def __str__(self) -> str:
        """The server's own words, shortened."""
        return f"HTTP {self.status} {self.text[:500]}"


class VllmEngine:
    """An Engine over a vLLM server at `url` that serves the base model under the name `model`.

    `template` is the one of the model's card.
    `url` has no `/v1`. `timeout` is in seconds, for each next piece of an answer. Entropies are bounds from
    the top 20 log-probabilities. It has to be made in the event loop; close it with `aclose`.
    """

    def __init__(
        self, url: str, model: str, template: ChatTemplate, *, key: str = "none", timeout: float = 60.0
    ) -> None:
        self._template = template
        self._url = url.rstrip("/")
        self._name = model
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_SECONDS),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=timeout),
            headers={"Authorization": f"Bearer {key}"},
            read_bufsize=LONGEST_LINE,
        )
        self._size: int | None = None
        self._loading = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections; the server goes on."""
        await self._http.close()

    async def chat(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> Reply:
        """See Engine.chat. Raises EngineError for an answer that the server did not score."""
        _require_messages(messages)
        vocabulary = await self._vocabulary()
        async with self._answering(messages, adapter, sampling, streamed=False) as answering:
            answer = self._read(await answering.read(), adapter, ChatAnswer)
        calls = protocol.ToolCallCollector()
        calls.add(answer)
        text = answer.text.lstrip()
        tokens = answer.tokens(vocabulary, sampling.top_logprobs)
        if text and not tokens:
            raise self._unscored()
        said = fit_to_text(tokens, text)
        return Reply(
            text=text,
            tokens=said,
            model=self._name,
            adapter=adapter,
            finish_reason=answer.finish_reason or "stop",
            prompt_tokens=answer.prompt_tokens,
            tool_calls=calls.whole(),
            call_tokens=calls.tokens(answer.completion_tokens, len(said)),
        )

    async def stream(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> AsyncGenerator[Token | Reply, None]:
        """See Engine.stream; the server holds back text that may be the start of a stop string.

        Raises EngineError, once the answer has ended, if the server scored none of it.
        """
        _require_messages(messages)
        vocabulary = await self._vocabulary()
        waiting: list[Token] = []
        told: list[Token] = []
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
                    if not begun:  # an answer begins with no space
                        text, label = text.lstrip(), label.lstrip()
                    if not text.startswith(label):
                        break
                    begun = begun or label != ""
                    text = text.removeprefix(label)
                    told.append(waiting.pop(0).model_copy(update={"text": label}))
                    yield told[-1]
        if text.strip() and not scored:
            raise self._unscored()
        for token in fit_to_text(waiting, text):
            told.append(token)
            yield token
        yield Reply(
            text="".join(token.text for token in told),
            tokens=tuple(told),
            model=self._name,
            adapter=adapter,
            finish_reason=reason,
            tool_calls=calls.whole(),
            call_tokens=calls.tokens(completion_tokens, len(told)),
            prompt_tokens=prompt_tokens,
        )

    async def complete(
        self, prompt: str, *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> AsyncGenerator[Token | Reply, None]:
        """See TextCompleter.complete."""
        vocabulary = await self._vocabulary()
        told: list[Token] = []
        reason: FinishReason = "stop"
        prompt_tokens = 0
        body = protocol.completion_body(prompt, adapter or self._name, sampling)
        async with self._posted("/v1/completions", body, adapter) as answering:
            async for line in answering.content:
                if (carried := protocol.event_data(line)) is None:
                    continue
                chunk = self._read(carried, adapter, Continuation)
                for token in fit_to_text(
                    chunk.tokens(vocabulary, sampling.top_logprobs),
                    "".join(choice.text for choice in chunk.choices),
                ):
                    told.append(token)
                    yield token
                if chunk.choices and chunk.choices[0].finish_reason == "length":
                    reason = "length"
                prompt_tokens += chunk.usage.prompt_tokens if chunk.usage else 0
        yield Reply(
            text="".join(token.text for token in told),
            tokens=tuple(told),
            model=self._name,
            adapter=adapter,
            finish_reason=reason,
            prompt_tokens=prompt_tokens,
        )

    async def ending_logprobs(self, prompt: str, texts: Sequence[str]) -> tuple[float, ...]:
        """See EndingScorer.ending_logprobs; here prompt and text are cut into tokens together."""
        if not all(texts):
            raise ValueError("there is no text to score")
        control = self._template.control
        whole = [
            escape_control_tokens(prompt, control) + escape_control_tokens(text, control) for text in texts
        ]
        found: list[float] = []
        for start in range(0, len(whole), SCORED):
            found += await self._ending_logprobs(whole[start : start + SCORED])
        return tuple(found)

    async def _ending_logprobs(self, texts: Sequence[str]) -> tuple[float, ...]:
        async with self._posted("/v1/completions", protocol.scoring_body(texts, self._name), None) as answering:
            endings = self._read(await answering.read(), None, ScoredTexts).logprobs()
        if len(endings) != len(texts):
            raise EngineError(f"{self._url} scored {len(endings)} of {len(texts)} texts")
        return endings

    async def _chunks(
        self, messages: Sequence[BaseMessage], adapter: str | None, sampling: Sampling
    ) -> AsyncGenerator[ChatAnswer, None]:
        """What the server sends, piece by piece; closing it ends the request, and with it the server's work.

        Raises what `chat` raises.
        """
        async with self._answering(messages, adapter, sampling, streamed=True) as answering:
            async for line in answering.content:
                if (carried := protocol.event_data(line)) is not None:
                    yield self._read(carried, adapter, ChatAnswer)

    @asynccontextmanager
    async def _answering(
        self, messages: Sequence[BaseMessage], adapter: str | None, sampling: Sampling, *, streamed: bool
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The server's response, once its status says that it answers; left unread, it is cut off."""
        body = protocol.chat_body(messages, adapter or self._name, sampling, self._template, streamed=streamed)
        async with self._posted("/v1/chat/completions", body, adapter) as response:
            yield response

    @asynccontextmanager
    async def _posted(
        self, path: str, body: Mapping[str, Any], adapter: str | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if adapter is not None:
            _require_possible(adapter)
        try:
            async for attempt in _connecting():
                with attempt:
                    response = await self._http.post(f"{self._url}{path}", json=body)
            async with response:
                if not response.ok:
                    raise self._explain(_Said(response.status, await response.text()), adapter)
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from error

    async def load(self, adapter: str, path: Path) -> None:
        """See Engine.load. The folder is checked first: weights that do not fit can stop the server.

        The server must see the same path, and reads it again whenever its cache of adapters has overflowed.
        """
        check_name(adapter)
        async with self._loading:
            if adapter in await self.loaded():
                return
            folder = await self._folder()
            base = await asyncio.to_thread(base_shapes, folder) if folder else None
            files = await asyncio.to_thread(lambda: inspect(path, base=base))
            body = {"lora_name": adapter, "lora_path": str(files.path)}
            said = await self._request("POST", "/v1/load_lora_adapter", body)
        if said.refused:
            raise AdapterRefused(f"{adapter}: vLLM refused it: {said}")

    async def unload(self, adapter: str) -> None:
        """See Engine.unload."""
        _require_possible(adapter)
        said = await self._request("POST", "/v1/unload_lora_adapter", {"lora_name": adapter})
        if said.refused:
            raise AdapterNotLoaded(f"adapter {adapter} is not loaded: {said}")

    async def loaded(self) -> tuple[str, ...]:
        """See Engine.loaded."""
        return tuple(sorted(card.id for card in await self._served() if card.parent is not None))

    async def _vocabulary(self) -> int:
        if self._size is None:
            self._size = await asyncio.to_thread(_vocabulary_of, await self._folder())
        return self._size

    async def _folder(self) -> Path | None:
        """Where the base model's files lie on this machine, or None where they are on another."""
        cards = [card for card in await self._served() if card.id == self._name]
        if not cards:
            raise EngineUnavailable(
                f"{self._url} serves no model named {self._name}: start it with that name"
            )
        return await asyncio.to_thread(_found, cards[0].root or self._name)

    async def _served(self) -> list[ServedModel]:
        said = await self._request("GET", "/v1/models")
        if said.refused:
            raise EngineUnavailable(f"{self._url} does not list its models: {said}")
        try:
            return ServedModels.model_validate_json(said.text).data
        except ValidationError as error:
            raise EngineUnavailable(
                f"{self._url} is not an OpenAI server: it lists no models at /v1/models; set its right URL"
            ) from error

    async def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> _Said:
        try:
            async for attempt in _connecting():
                with attempt:
                    async with self._http.request(method, f"{self._url}{path}", json=body) as response:
                        said = _Said(response.status, await response.text(errors="replace"))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from error
        if said.status in (401, 403):
            raise EngineUnavailable(f"{self._url} refuses the API key: {said}")
        if said.status >= 500 and REFUSAL not in said.text:
            raise EngineUnavailable(f"{self._url} failed: {said}; see the engine's log")
        return said

    def _read(self, body: bytes, adapter: str | None, kind: type[_Kind]) -> _Kind:
        try:
            return protocol.parse_reply(body, kind)
        except EngineError as error:
            raise self._explain(_Said(200, str(error)), adapter) from error

    def _explain(self, said: _Said, adapter: str | None) -> Exception:
        """What a refusal means here: the caller's mistake, or something for the operator."""
        if "not JSON compliant" in said.text:
            return EngineError(
                f"{self._url} answered what is no number: {adapter or self._name} is damaged or its "
                "weights are far too large. Restart the engine: its cache keeps that for other chats"
            )
        if said.status == 404:
            if adapter is not None:
                return AdapterNotLoaded(f"adapter {adapter} is not loaded: load it first")
            return EngineUnavailable(
                f"{self._url} serves no model named {self._name}: start it with that name"
            )
        if said.status == 400:
            if "context length" in said.text or "max_model_len" in said.text:
                return PromptTooLong(f"shorten the conversation: {said}")
            return ValueError(f"vLLM does not take this request: {said}")
        if said.status >= 500 or said.status == 401:
            return EngineUnavailable(f"{self._url} failed: {said}; see the engine's log")
        return EngineError(f"{self._url} failed: {said.text[:500]}; see the engine's log")

    def _unscored(self) -> EngineError:
        return EngineError(
            f"{self._url} answered without log-probabilities, so nothing tells how sure it was: "
            f"start it with --max-logprobs {TOP_LOGPROBS}, as `nightschool up` does"
        )

    def _unreachable(self, error: BaseException) -> EngineUnavailable:
        return EngineUnavailable(
            f"no answer from vLLM at {self._url} ({type(error).__name__}: {error}): "
            "start it with `nightschool up`, or set NIGHTSCHOOL_ENGINE_URL"
        )


def _connecting() -> AsyncRetrying:
    """Tries three times to connect; a request that reached the server is never sent twice."""
    return AsyncRetrying(
        retry=retry_if_exception_type(aiohttp.ClientConnectorError),
        stop=stop_after_attempt(3),
        wait=wait_exponential(multiplier=0.2, max=1.0),
        reraise=True,
    )


def _require_messages(messages: Sequence[BaseMessage]) -> None:
    if not messages:
        raise ValueError("a conversation needs at least one message")


def _require_possible(adapter: str) -> None:
    """Keeps names that are no adapter's, such as the base model's, from being asked for as one."""
    if not re.fullmatch(ADAPTER_PATTERN, adapter):
        raise AdapterNotLoaded(f"adapter {adapter!r} is not loaded, and that is no adapter's name")


def _found(root: str) -> Path | None:
    folder = Path(root)
    if folder.is_dir():
        return folder
    try:
        return Path(snapshot_download(root, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def _vocabulary_of(folder: Path | None) -> int:
    """What the model's config names, or LARGEST_VOCABULARY without its files. Raises EngineUnavailable."""
    if folder is None:
        return LARGEST_VOCABULARY
    file = folder / "config.json"
    try:
        config = json.loads(file.read_bytes())
        return int(config.get("text_config", config)["vocab_size"])
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise EngineUnavailable(
            f"{file} does not tell the model's vocab_size ({error!r}), so no answer can be judged: "
            "repair the file, or serve another base model"
        ) from error
