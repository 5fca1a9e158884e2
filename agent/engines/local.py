"""The in-process engine: transformers and PEFT, several adapters, concurrent chats decoded as one batch.

One worker thread, without paging or a prefix cache; vLLM is the engine for serving.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from jinja2 import TemplateError
from langchain_core.messages import BaseMessage, HumanMessage
from peft import LoraConfig, PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from agent.engines.adapter_files import WEIGHTS, AdapterFiles, check_name, inspect_adapter
from agent.engines.base import GREEDY, Reply, Sampling, Token, escape_control_tokens
from agent.engines.bfloat16 import native_bfloat16
from agent.engines.continuations import continuation_logprobs
from agent.engines.decoding import (
    DecodedAnswer,
    DecodingRequest,
    complete_batch,
    context_length,
    control_tokens,
    end_tokens,
    ending_logprobs,
    speed_up_head,
)
from agent.errors import AdapterNotLoaded, EngineUnavailable, PromptTooLong
from agent.models.card import ChatTemplate

PLAIN = ChatTemplate()
VLLM_ONLY = ("response_format", "tools", "logit_bias", "presence_penalty", "frequency_penalty")
"""Fields of `Sampling` that this engine does not support."""
SCORING_BATCH = 32
"""Texts scored per batch; waiting chats run between batches."""
_ROLES = {"human": "user", "ai": "assistant", "system": "system"}


@dataclass(eq=False)
class _Request:
    """A chat request that waits for its batch."""

    prompt: DecodingRequest
    adapter: str | None
    done: asyncio.Future[DecodedAnswer]


class LocalEngine:
    """An Engine that runs a Hugging Face causal language model in this process.

    Chats with the same adapter that arrive within `window` seconds share a batch of at most `batch` rows.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        name: str,
        template: ChatTemplate = PLAIN,
        window: float = 0.003,
        batch: int = 128,
    ) -> None:
        speed_up_head(model)
        self._model = model
        self._tokenizer = tokenizer
        self._name = name
        self._template = template
        self._control = control_tokens(tokenizer)
        self._window = window
        self._batch = batch
        self._context = context_length(model)
        self._ends = end_tokens(model, tokenizer)
        self._linear = {
            module_name: (module.out_features, module.in_features)
            for module_name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear)
        }
        self._adapted: PeftModel | None = None
        self._loaded: set[str] = set()
        self._waiting: list[_Request] = []
        self._runner: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    @classmethod
    def open(cls, model: str | Path, template: ChatTemplate = PLAIN, *, device: str | None = None) -> Self:
        """Loads a model folder or Hugging Face id, safetensors only; on the GPU if there is one.

        `template` comes from the model's card, if it has one. Computes in the dtype of the weights, as vLLM
        does, but in float32 on a CPU without native bfloat16. Raises EngineUnavailable if the model cannot be
        loaded or has no chat template.
        """
        device_name = device or ("cuda" if torch.cuda.is_available() else "cpu")
        dtype = "auto" if device_name != "cpu" or native_bfloat16() else torch.float32
        try:
            tokenizer = AutoTokenizer.from_pretrained(model)
            weights = AutoModelForCausalLM.from_pretrained(model, dtype=dtype, use_safetensors=True)
        except (OSError, ValueError) as error:
            raise EngineUnavailable(f"cannot load the model {model}: {error}") from error
        if tokenizer.chat_template is None:
            raise EngineUnavailable(f"the model {model} has no chat template: use an instruction-tuned one")
        weights.to(torch.device(device_name))  # type: ignore[arg-type]  # its decorator hides the signature
        return cls(weights, tokenizer, name=str(model), template=template)

    async def chat(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> Reply:
        """See Engine.chat; an answer that fills the context ends with finish reason `length`."""
        prompt = self._prompt(messages, adapter, sampling)
        return self._reply(prompt, adapter, await self._submit(prompt, adapter))

    async def stream(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> AsyncGenerator[Token | Reply, None]:
        """See Engine.stream; text that may begin a stop string is held back until that is decided."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Token | None] = asyncio.Queue()

        def enqueue(token: Token) -> None:
            loop.call_soon_threadsafe(queue.put_nowait, token)

        prompt = self._prompt(messages, adapter, sampling)
        done = self._submit(replace(prompt, on_token=enqueue), adapter)
        done.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            while (token := await queue.get()) is not None:
                yield token
            completion = await done
        finally:
            done.cancel()  # no effect if done; otherwise the consumer closed the stream
        yield self._reply(prompt, adapter, completion)

    async def load(self, adapter: str, path: Path) -> None:
        """See Engine.load; ranks up to `adapter_files.MAX_RANK`."""
        check_name(adapter)
        async with self._turn:
            if adapter not in self._loaded:
                await asyncio.to_thread(
                    lambda: self._attach(adapter, inspect_adapter(path, base=self._linear))
                )
                self._loaded.add(adapter)

    async def unload(self, adapter: str) -> None:
        """See Engine.unload."""
        async with self._turn:
            self._require_loaded(adapter)
            assert self._adapted is not None
            self._loaded.remove(adapter)
            if self._loaded:
                self._adapted.delete_adapter(adapter)
            else:  # PEFT needs at least one adapter: without any, remove its layers from the model
                self._adapted.unload()
                self._adapted = None

    async def loaded(self) -> tuple[str, ...]:
        """See Engine.loaded."""
        return tuple(sorted(self._loaded))

    async def hidden_states(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None
    ) -> np.ndarray[tuple[int, int, int], np.dtype[np.float32]]:
        """Hidden states of the prompt, float32 [layers + 1, tokens, width]: the embedding, then each layer.

        Raises what `chat` raises.
        """
        prompt = self._prompt(messages, adapter, GREEDY)
        async with self._turn:
            return await asyncio.to_thread(self._observe, prompt.ids, adapter)

    async def logprobs_of(
        self, messages: Sequence[BaseMessage], answer: str, *, adapter: str | None = None
    ) -> tuple[float, ...]:
        """See AnswerScorer.logprobs_of."""
        prompt = self._prompt(messages, adapter, GREEDY)
        answer_ids = self._ids(answer)
        if not answer_ids:
            raise ValueError("there is no answer to score")
        scored = answer_ids[: self._context - len(prompt.ids)]
        async with self._turn:
            return await asyncio.to_thread(self._score, prompt.ids, scored, adapter)

    async def ending_logprobs(self, prompt: str, texts: Sequence[str]) -> tuple[float, ...]:
        """See EndingScorer.ending_logprobs."""
        before: list[int] = self._tokenizer(escape_control_tokens(prompt, self._control))["input_ids"]
        rows = [before + self._ids(text) for text in texts]
        if any(len(row) < 2 or len(row) == len(before) for row in rows):
            raise ValueError("no text to score: it is empty, or one token without a prompt")
        if max(map(len, rows), default=0) > self._context:
            raise PromptTooLong(f"a text to score is longer than the context of {self._context} tokens")
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))  # similar lengths need little padding
        scores_by_row: dict[int, float] = {}
        for start in range(0, len(order), SCORING_BATCH):
            batch = order[start : start + SCORING_BATCH]
            async with self._turn:
                scores = await asyncio.to_thread(self._score_endings, [rows[i] for i in batch])
            scores_by_row |= zip(batch, scores, strict=True)
        return tuple(scores_by_row[i] for i in range(len(rows)))

    async def continuation_logprobs(
        self, prompts: Sequence[str], continuations: Sequence[str], *, adapter: str | None = None
    ) -> tuple[tuple[float, ...], ...]:
        """See ContinuationScorer.continuation_logprobs."""
        rows = [self._prompt([HumanMessage(prompt)], adapter, GREEDY).ids for prompt in prompts]
        ends = [self._ids(each) for each in continuations]
        if not ends or not all(ends):
            raise ValueError("there is no continuation to score")
        if max(map(len, rows), default=0) + max(map(len, ends)) > self._context:
            raise PromptTooLong(f"a text to score is longer than the context of {self._context} tokens")
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))  # similar lengths need little padding
        scores: dict[int, tuple[float, ...]] = {}
        for start in range(0, len(order), SCORING_BATCH):
            batch = order[start : start + SCORING_BATCH]
            async with self._turn:
                found = await asyncio.to_thread(
                    self._score_continuations, [rows[i] for i in batch], ends, adapter
                )
            scores |= zip(batch, found, strict=True)
        return tuple(scores[i] for i in range(len(rows)))

    def _ids(self, text: str) -> list[int]:
        """Token ids of a text, with control tokens escaped."""
        ids: list[int] = self._tokenizer(
            escape_control_tokens(text, self._control), add_special_tokens=False
        )["input_ids"]
        return ids

    def _prompt(
        self, messages: Sequence[BaseMessage], adapter: str | None, sampling: Sampling
    ) -> DecodingRequest:
        """The conversation as a decoding request, after all checks."""
        if not messages:
            raise ValueError("a conversation needs at least one message")
        _require_supported(sampling)
        if adapter is not None:
            self._require_loaded(adapter)
        turns = [
            {"role": _role(message), "content": escape_control_tokens(str(message.text), self._control)}
            for message in messages
        ]
        options: dict[str, Any] = dict(self._template.options)
        try:
            text = self._tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=True, **options
            )
        except TemplateError as error:
            raise ValueError(f"the model's chat template rejects this conversation: {error}") from error
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(ids) >= self._context:
            raise PromptTooLong(
                f"the prompt has {len(ids)} tokens, the context {self._context}: shorten the conversation"
            )
        most = min(sampling.max_tokens or self._context, self._context - len(ids))
        stop = (*sampling.stop, *self._template.stop)
        return DecodingRequest(ids, sampling.model_copy(update={"max_tokens": most, "stop": stop}))

    def _reply(self, prompt: DecodingRequest, adapter: str | None, completion: DecodedAnswer) -> Reply:
        return Reply(
            text="".join(token.text for token in completion.tokens),
            tokens=completion.tokens,
            model=self._name,
            adapter=adapter,
            finish_reason=completion.finish_reason,
            prompt_tokens=len(prompt.ids),
        )

    def _require_loaded(self, adapter: str) -> None:
        if adapter not in self._loaded:
            raise AdapterNotLoaded(f"adapter {adapter} is not loaded: load it first")

    def _submit(self, prompt: DecodingRequest, adapter: str | None) -> asyncio.Future[DecodedAnswer]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[DecodedAnswer] = loop.create_future()
        cancellable = replace(prompt, is_cancelled=done.cancelled)
        self._waiting.append(_Request(cancellable, adapter, done))
        if self._runner is None or self._runner.done():
            self._runner = loop.create_task(self._run_batches())
        return done

    async def _run_batches(self) -> None:
        """Decodes batches until no request is waiting."""
        while self._waiting:
            await asyncio.sleep(self._window)
            async with self._turn:
                batch = self._next_batch()
                if not batch:
                    continue
                adapter = batch[0].adapter
                (result,) = await asyncio.gather(
                    asyncio.to_thread(self._complete, [request.prompt for request in batch], adapter),
                    return_exceptions=True,
                )
            if isinstance(result, BaseException):
                for request in batch:
                    if not request.done.done():
                        request.done.set_exception(result)
            else:
                for request, completion in zip(batch, result, strict=True):
                    if not request.done.done():
                        request.done.set_result(completion)

    def _next_batch(self) -> list[_Request]:
        """Takes the oldest request and those that can share its batch; drops cancelled ones."""
        self._waiting = [request for request in self._waiting if not request.done.done()]
        if not self._waiting:
            return []
        adapter = self._waiting[0].adapter
        batch = [request for request in self._waiting if request.adapter == adapter][: self._batch]
        taken = set(map(id, batch))
        self._waiting = [request for request in self._waiting if id(request) not in taken]
        return batch

    def _complete(self, prompts: Sequence[DecodingRequest], adapter: str | None) -> list[DecodedAnswer]:
        with self._using(adapter):
            return complete_batch(self._model, self._tokenizer, prompts, self._ends)

    def _score_endings(self, rows: Sequence[Sequence[int]]) -> list[float]:
        with self._using(None):
            return ending_logprobs(self._model, rows)

    def _score_continuations(
        self, rows: Sequence[Sequence[int]], continuations: Sequence[Sequence[int]], adapter: str | None
    ) -> list[tuple[float, ...]]:
        with self._using(adapter):
            return continuation_logprobs(self._model, rows, continuations)

    @torch.inference_mode()
    def _observe(
        self, ids: Sequence[int], adapter: str | None
    ) -> np.ndarray[tuple[int, int, int], np.dtype[np.float32]]:
        with self._using(adapter):
            inputs = torch.tensor([list(ids)], device=self._model.device)
            states = self._model(input_ids=inputs, output_hidden_states=True).hidden_states
            return torch.cat(states).float().cpu().numpy()

    @torch.inference_mode()
    def _score(self, ids: Sequence[int], answer: Sequence[int], adapter: str | None) -> tuple[float, ...]:
        with self._using(adapter):
            inputs = torch.tensor([[*ids, *answer]], device=self._model.device)
            logits = self._model(input_ids=inputs).logits[0, len(ids) - 1 : -1]
            targets = torch.tensor(answer, device=logits.device)
            logprobs = logits.float().log_softmax(-1).gather(-1, targets[:, None])[:, 0]
            return tuple(logprobs.tolist())

    def _using(self, adapter: str | None) -> AbstractContextManager[None]:
        """Activates the adapter, or none, for the calls inside."""
        if adapter is None:
            return nullcontext() if self._adapted is None else self._adapted.disable_adapter()
        self._require_loaded(adapter)  # it may have been unloaded while the request waited
        assert self._adapted is not None
        self._adapted.set_adapter(adapter, inference_mode=True)
        return nullcontext()

    def _attach(self, adapter: str, files: AdapterFiles) -> None:
        """Adds the weights with our own PEFT config, because the file's could make PEFT change the base."""
        config = LoraConfig(
            r=files.rank,
            lora_alpha=files.alpha,  # type: ignore[arg-type]  # PEFT computes with it as a float
            use_rslora=files.rank_stabilised,
            target_modules=list(files.shapes),
            task_type="CAUSAL_LM",
            inference_mode=True,
        )
        if self._adapted is None:
            # Otherwise PEFT keeps adapters in float32 and casts every activation twice.
            self._adapted = PeftModel(self._model, config, adapter, autocast_adapter_dtype=False)
        else:
            self._adapted.add_adapter(adapter, config, autocast_adapter_dtype=False)
        set_peft_model_state_dict(self._adapted, load_file(files.path / WEIGHTS), adapter_name=adapter)
        self._adapted.eval()


def _require_supported(sampling: Sampling) -> None:
    """Raises ValueError for parameters that this engine does not support."""
    for field in VLLM_ONLY:
        if getattr(sampling, field):
            raise ValueError(
                f"{field} is not supported by the in-process engine: leave it out, or set"
                " NIGHTSCHOOL_ENGINE=vllm"
            )


def _role(message: BaseMessage) -> str:
    if message.type not in _ROLES:
        raise ValueError(f"unsupported message type {message.type!r}: use system, human or ai")
    return _ROLES[message.type]
