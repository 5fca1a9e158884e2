"""Owns the served engine: langchain-openai towards vLLM's OpenAI server, adapters loaded while it runs.

It says how to start that server but starts nothing; adapters that a restart forgot are the caller's.
"""

import asyncio
import json
import re
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Literal, Self, cast

import httpx
import openai
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, ValidationError
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential

from agent.adapter_files import MAX_RANK, base_shapes, check_name, inspect
from agent.engine import GREEDY, Alternative, Reply, Sampling, Token, defused
from agent.entropy import bounds
from agent.errors import AdapterNotLoaded, AdapterRefused, EngineError, EngineUnavailable, PromptTooLong
from agent.tokens import fit_to_text
from memory.records import ADAPTER_PATTERN

TOP = 20
"""Most log-probabilities a token that vLLM returns by default."""
LARGEST_VOCABULARY = 1 << 20
"""More tokens than any published model has: entropy bounds made with it are valid, but wider."""
REFUSAL = "Call to add_lora method failed"
"""How vLLM says, with a status of 500, that it does not take an adapter, as for a rank above its limit."""


class _Alternative(BaseModel):
    token: str
    logprob: float


class _Scored(BaseModel):
    token: str
    logprob: float
    top_logprobs: list[_Alternative]


class _Served(BaseModel):
    id: str
    root: str | None = None
    parent: str | None = None


class VllmEngine:
    """An Engine over a vLLM server at `url` that serves the base model under the name `model`.

    `url` has no `/v1`. `timeout` is in seconds, for one whole answer. Entropies are bounds from the top 20
    log-probabilities. Close it with `aclose`.
    """

    def __init__(self, url: str, model: str, *, key: str = "none", timeout: float = 60.0) -> None:
        self._url = url.rstrip("/")
        self._name = model
        limits = httpx.Timeout(timeout, connect=5.0)
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.AsyncClient(base_url=self._url, timeout=limits, headers=headers, trust_env=False)
        self._chat = ChatOpenAI(
            model=model,
            base_url=f"{self._url}/v1",
            api_key=lambda: key,
            http_async_client=httpx.AsyncClient(timeout=limits, trust_env=False),
            max_retries=0,
            logprobs=True,
            top_logprobs=TOP,
            use_responses_api=False,
            stream_usage=False,
        )
        self._size: int | None = None
        self._loading = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections; the server goes on."""
        await self._http.aclose()
        await self._chat.root_async_client.close()

    async def chat(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> Reply:
        """See Engine.chat. Raises EngineError for an answer that the server did not score."""
        vocabulary = await self._vocabulary(messages)
        arguments = self._arguments(adapter, sampling)
        try:
            async for attempt in _connecting():
                with attempt:
                    message = await self._chat.ainvoke(_defused(messages), **arguments)
        except openai.OpenAIError as error:
            raise self._explain(error, adapter) from error
        if not isinstance(message, AIMessage):
            raise EngineError(f"{self._url} answered with {type(message).__name__}: is it a chat model?")
        text = str(message.text).lstrip()
        tokens = _scored(message.response_metadata, vocabulary, sampling.top_logprobs)
        if text and not tokens:
            raise self._unscored()
        usage = message.usage_metadata
        return Reply(
            text=text,
            tokens=fit_to_text(tokens, text),
            model=self._name,
            adapter=adapter,
            finish_reason=_reason_of(message.response_metadata) or "stop",
            prompt_tokens=usage["input_tokens"] if usage else 0,
        )

    async def stream(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> AsyncGenerator[Token | Reply, None]:
        """See Engine.stream; the server holds back text that may be the start of a stop string.

        Raises EngineError, once the answer has ended, if the server scored none of it.
        """
        vocabulary = await self._vocabulary(messages)
        waiting: list[Token] = []
        told: list[Token] = []
        text = ""
        begun = scored = False
        reason: Literal["stop", "length"] = "stop"
        prompt_tokens = 0
        async with aclosing(self._chunks(messages, adapter, sampling)) as chunks:
            async for chunk in chunks:
                waiting += _scored(chunk.response_metadata, vocabulary, sampling.top_logprobs)
                scored = scored or bool(waiting)
                text += str(chunk.text)
                reason = _reason_of(chunk.response_metadata) or reason
                prompt_tokens += chunk.usage_metadata["input_tokens"] if chunk.usage_metadata else 0
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
            prompt_tokens=prompt_tokens,
        )

    async def _chunks(
        self, messages: Sequence[BaseMessage], adapter: str | None, sampling: Sampling
    ) -> AsyncGenerator[AIMessageChunk, None]:
        """What the server sends, piece by piece; closing it ends the request, and with it the server's work.

        Raises what `chat` raises.
        """
        arguments = self._arguments(adapter, sampling)
        try:
            async for attempt in _connecting():
                with attempt:  # which must hold no `yield`: it would keep the reader's way of closing
                    asked = self._chat.astream(_defused(messages), stream_usage=True, **arguments)
                    chunk = await anext(asked, None)
            async with aclosing(cast(AsyncGenerator[AIMessageChunk, None], asked)) as chunks:
                while chunk is not None:
                    yield chunk
                    chunk = await anext(chunks, None)
        except openai.OpenAIError as error:
            raise self._explain(error, adapter) from error

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
            answer = await self._request("POST", "/v1/load_lora_adapter", json=body)
        if answer.is_error:
            raise AdapterRefused(f"{adapter}: vLLM refused it: {_reason(answer)}")

    async def unload(self, adapter: str) -> None:
        """See Engine.unload."""
        _require_possible(adapter)
        answer = await self._request("POST", "/v1/unload_lora_adapter", json={"lora_name": adapter})
        if answer.is_error:
            raise AdapterNotLoaded(f"adapter {adapter} is not loaded: {_reason(answer)}")

    async def loaded(self) -> tuple[str, ...]:
        """See Engine.loaded."""
        return tuple(sorted(card.id for card in await self._served() if card.parent is not None))

    def _arguments(self, adapter: str | None, sampling: Sampling) -> dict[str, Any]:
        if adapter is not None:
            _require_possible(adapter)
        return {
            "model": adapter or self._name,
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,  # also 1.0: else the model's generation config cuts the distribution
            "seed": sampling.seed,
            "stop": list(sampling.stop) or None,
            # Abstention tokens such as <NEED_INFO> must show in the text, special or not.
            "extra_body": {"skip_special_tokens": False, "top_k": 0, "min_p": 0.0},
        }

    async def _vocabulary(self, messages: Sequence[BaseMessage]) -> int:
        if not messages:
            raise ValueError("a conversation needs at least one message")
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

    async def _served(self) -> list[_Served]:
        answer = await self._request("GET", "/v1/models")
        if answer.is_error:
            raise EngineUnavailable(f"{self._url} does not list its models: {_reason(answer)}")
        try:
            return [_Served.model_validate(card) for card in answer.json()["data"]]
        except (KeyError, TypeError, ValueError) as error:
            raise EngineUnavailable(
                f"{self._url} is not an OpenAI server: {error!r}; set its right URL"
            ) from error

    async def _request(self, method: str, path: str, json: object = None) -> httpx.Response:
        try:
            async for attempt in _connecting():
                with attempt:
                    answer = await self._http.request(method, path, json=json)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if answer.status_code in (401, 403):
            raise EngineUnavailable(f"{self._url} refuses the API key: {_reason(answer)}")
        if answer.is_server_error and REFUSAL not in answer.text:
            raise EngineUnavailable(f"{self._url} failed: {_reason(answer)}; see the engine's log")
        return answer

    def _explain(self, error: openai.OpenAIError, adapter: str | None) -> Exception:
        """What an error of the client means here: the caller's mistake, or something for the operator."""
        if isinstance(error, openai.APIConnectionError):  # timeouts too
            return self._unreachable(error.__cause__ or error)
        if isinstance(error, openai.NotFoundError):
            if adapter is not None:
                return AdapterNotLoaded(f"adapter {adapter} is not loaded: load it first")
            return EngineUnavailable(
                f"{self._url} serves no model named {self._name}: start it with that name"
            )
        if isinstance(error, openai.BadRequestError):
            if "context length" in str(error) or "max_model_len" in str(error):
                return PromptTooLong(f"shorten the conversation: {error}")
            if "not JSON compliant" in str(error):
                return EngineError(
                    f"{self._url} answered what is no number: {adapter or self._name} is damaged or its "
                    "weights are far too large. Restart the engine: its cache keeps that for other chats"
                )
            return ValueError(f"vLLM does not take this request: {error}")
        if isinstance(error, openai.InternalServerError | openai.AuthenticationError):
            return EngineUnavailable(f"{self._url} failed: {error}; see the engine's log")
        return EngineError(f"{self._url} failed: {error}; see the engine's log")

    def _unscored(self) -> EngineError:
        return EngineError(
            f"{self._url} answered without log-probabilities, so nothing tells how sure it was: "
            f"start it with --max-logprobs {TOP}, as `nightschool up` does"
        )

    def _unreachable(self, error: BaseException) -> EngineUnavailable:
        return EngineUnavailable(
            f"no answer from vLLM at {self._url} ({type(error).__name__}: {error}): "
            "start it with `nightschool up`, or set NIGHTSCHOOL_ENGINE_URL"
        )


def serve_command(
    model: str, port: int, *, name: str = "nightschool", python: str = sys.executable, context: int = 1024,
    gpu: bool = False,
) -> list[str]:  # fmt: skip
    """The command that serves `model` (a folder or Hugging Face name) as `name` on 127.0.0.1:`port`.

    It is the module and not the `vllm` command, which the CPU build does not have. It listens on loopback
    only: an API key would protect `/v1` alone, and whoever can load adapters can make the server read files.
    """
    common = [
        python, "-P", "-m", "vllm.entrypoints.openai.api_server",
        "--model", model, "--served-model-name", name,
        "--host", "127.0.0.1", "--port", str(port),
        "--enable-lora", "--max-lora-rank", str(MAX_RANK), "--max-loras", "4", "--max-cpu-loras", "16",
        "--max-logprobs", str(TOP), "--max-model-len", str(context),
        "--max-num-seqs", "64", "--disable-uvicorn-access-log",
    ]  # fmt: skip
    if gpu:
        return [*common, "--gpu-memory-utilization", "0.5"]
    # Eager, because vLLM compiles nothing on a CPU once LoRA is on; one process less to start.
    return [*common, "--enforce-eager", "--distributed-executor-backend", "uni"]


def serve_environment(model: str, *, cores: int, gpu: bool = False) -> dict[str, str]:
    """What the server's environment needs on top of the caller's; `cores` is how many the machine lends it.

    One of them is left to the server's front end: threads that wait for each other cost more than they add.
    """
    environment = {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if Path(model).is_dir():
        environment |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    if not gpu:
        environment |= {
            "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "OMP_NUM_THREADS": str(max(1, cores - 1)),
        }
    return environment


def _connecting() -> AsyncRetrying:
    """Tries three times to connect; a request that reached the server is never sent twice."""
    return AsyncRetrying(
        retry=retry_if_exception(_never_connected),
        stop=stop_after_attempt(3),
        wait=wait_exponential(multiplier=0.2, max=1.0),
        reraise=True,
    )


def _never_connected(error: BaseException) -> bool:
    cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
    return isinstance(cause, httpx.ConnectError)


def _require_possible(adapter: str) -> None:
    """Keeps names that are no adapter's, such as the base model's, from being asked for as one."""
    if not re.fullmatch(ADAPTER_PATTERN, adapter):
        raise AdapterNotLoaded(f"adapter {adapter!r} is not loaded, and that is no adapter's name")


def _defused(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    return [message.model_copy(update={"content": defused(str(message.text))}) for message in messages]


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


def _reason_of(metadata: Mapping[str, Any]) -> Literal["stop", "length"] | None:
    """Why the answer ended, or None where it goes on."""
    reason = metadata.get("finish_reason")
    return None if reason is None else "length" if reason == "length" else "stop"


def _scored(metadata: Mapping[str, Any], vocabulary: int, top: int) -> list[Token]:
    """The tokens that a reply or a chunk scores, under the server's labels, with `top` alternatives each."""
    logprobs = metadata.get("logprobs")
    if logprobs is None:
        return []
    try:
        scored = [_Scored.model_validate(item) for item in logprobs["content"] or ()]
    except ValidationError as error:
        raise EngineError(f"vLLM sent log-probabilities of an unknown form: {error}") from error
    return [
        Token(
            text=item.token,
            logprob=min(item.logprob, 0.0),
            entropy=bounds([min(other.logprob, 0.0) for other in item.top_logprobs], vocabulary),
            alternatives=tuple(
                Alternative(text=other.token, logprob=min(other.logprob, 0.0))
                for other in item.top_logprobs[:top]
            ),
        )
        for item in scored
    ]


def _reason(answer: httpx.Response) -> str:
    """The server's own words, shortened."""
    return f"HTTP {answer.status_code} {answer.text[:500]}"
