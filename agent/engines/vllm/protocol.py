"""Request bodies and replies of vLLM's OpenAI API: chats, completions, scores, models.

OpenAI's client is not used: parsing an answer with it takes longer than the rest of a chat turn.
"""

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from langchain_core.messages import BaseMessage, convert_to_openai_messages
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.engines.base import Alternative, FinishReason, Sampling, Token, ToolCall, escape_control_tokens
from agent.engines.entropy import TOP_LOGPROBS, entropy_bounds
from agent.errors import EngineError, RequestFailed
from agent.models.card import ChatTemplate

DATA = b"data:"
DONE = b"[DONE]"


class _Alternative(BaseModel):
    token: str
    logprob: float


class _Scored(_Alternative):
    top_logprobs: list[_Alternative]


class _Scores(BaseModel):
    content: list[_Scored] | None = None


class _Function(BaseModel):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(BaseModel):
    index: int = 0
    id: str | None = None
    function: _Function = _Function()


class _Message(BaseModel):
    content: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    message: _Message = Field(_Message(), alias="delta")
    logprobs: _Scores | None = None
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class ChatAnswer(BaseModel):
    """A chat completion, or one chunk of it."""

    choices: list[_Choice]
    usage: _Usage | None = None

    @property
    def text(self) -> str:
        """The text of the answer or chunk."""
        return "".join(choice.message.content or "" for choice in self.choices)

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the answer ended, or None if it has not."""
        reason = self.choices[0].finish_reason if self.choices else None
        if reason is None:
            return None
        return "length" if reason == "length" else "tool_calls" if reason == "tool_calls" else "stop"

    @property
    def tool_calls(self) -> list[_ToolCall]:
        """The tool calls, or pieces of them."""
        return [call for choice in self.choices for call in choice.message.tool_calls or ()]

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the conversation, or 0 if not reported."""
        return self.usage.prompt_tokens if self.usage else 0

    @property
    def completion_tokens(self) -> int:
        """Tokens of the answer and its tool calls, or 0 if not reported."""
        return self.usage.completion_tokens if self.usage else 0

    def tokens(self, vocabulary: int, top: int) -> list[Token]:
        """The scored tokens with the server's token texts, each with `top` alternatives."""
        return [
            Token(
                text=item.token,
                logprob=min(item.logprob, 0.0),
                entropy=entropy_bounds([min(other.logprob, 0.0) for other in item.top_logprobs], vocabulary),
                alternatives=tuple(
                    Alternative(text=other.token, logprob=min(other.logprob, 0.0))
                    for other in item.top_logprobs[:top]
                ),
            )
            for choice in self.choices
            if choice.logprobs is not None
            for item in choice.logprobs.content or ()
        ]


class _TextScores(BaseModel):
    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None] | None = None


class _TextChoice(BaseModel):
    text: str
    logprobs: _TextScores | None = None
    finish_reason: str | None = None


class Continuation(BaseModel):
    """A chunk of a text completion."""

    choices: list[_TextChoice]
    usage: _Usage | None = None

    def tokens(self, vocabulary: int, top: int) -> list[Token]:
        """The scored tokens, each with `top` alternatives."""
        scored: list[Token] = []
        for scores in (choice.logprobs for choice in self.choices if choice.logprobs is not None):
            top_logprobs = scores.top_logprobs or [None] * len(scores.tokens)
            for text, logprob, likeliest in zip(
                scores.tokens, scores.token_logprobs, top_logprobs, strict=True
            ):
                known = {name: min(value, 0.0) for name, value in (likeliest or {}).items()}
                own_logprob = min(logprob or 0.0, 0.0)
                scored.append(
                    Token(
                        text=text,
                        logprob=own_logprob,
                        entropy=entropy_bounds(list(known.values()) or [own_logprob], vocabulary),
                        alternatives=tuple(
                            Alternative(text=name, logprob=value)
                            for name, value in sorted(known.items(), key=lambda item: -item[1])[:top]
                        ),
                    )
                )
        return scored


class _Ending(BaseModel):
    index: int
    logprobs: _TextScores


class ScoredTexts(BaseModel):
    """The reply to a scoring request: the log-probabilities of all tokens of each text."""

    choices: list[_Ending]

    def logprobs(self) -> tuple[float, ...]:
        """The log-probability of each text's last token, in request order; raises EngineError if missing."""
        ordered = sorted(self.choices, key=lambda choice: choice.index)
        last = [choice.logprobs.token_logprobs[-1:] for choice in ordered]
        scores = tuple(min(value, 0.0) for values in last for value in values if value is not None)
        if len(scores) < len(ordered):
            raise EngineError("its reply has no score for the last token of a text")
        return scores

    def last_logprobs(self, count: int) -> tuple[float, ...]:
        """The log-probabilities of a single text's last `count` tokens; raises EngineError if missing."""
        values = self.choices[0].logprobs.token_logprobs[-count:] if self.choices else []
        scores = tuple(min(value, 0.0) for value in values if value is not None)
        if len(scores) != count:
            raise EngineError(f"its reply scores {len(scores)} of {count} tokens")
        return scores


class Tokenized(BaseModel):
    """The reply to a tokenizing request: token ids, and the context length."""

    tokens: list[int]
    max_model_len: int


_Kind = TypeVar("_Kind", ChatAnswer, Continuation, ScoredTexts, Tokenized)


class ToolCallCollector:
    """Assembles tool calls from the chunks of a stream, or from a whole answer."""

    def __init__(self) -> None:
        self._calls: dict[int, tuple[str, str, str]] = {}

    def add(self, answer: ChatAnswer) -> None:
        """Adds the calls of an answer or chunk; whole answers carry no index, so position is used."""
        numbered = len({call.index for call in answer.tool_calls}) == len(answer.tool_calls)
        for position, call in enumerate(answer.tool_calls):
            index = call.index if numbered else position
            id, name, arguments = self._calls.get(index, ("", "", ""))
            function = call.function
            self._calls[index] = (
                call.id or id,
                function.name or name,
                arguments + (function.arguments or ""),
            )

    def token_count(self, completion_tokens: int, text_tokens: int) -> int:
        """How many of the completion's tokens are tool calls, given the number of tokens in its text."""
        return max(0, completion_tokens - text_tokens) if self._calls else 0

    def calls(self) -> tuple[ToolCall, ...]:
        """The assembled calls, in order."""
        return tuple(
            ToolCall(id=id, name=name, arguments=arguments)
            for _, (id, name, arguments) in sorted(self._calls.items())
        )


class _Failure(BaseModel):
    error: dict[str, Any]


class ServedModel(BaseModel):
    """A model in the server's list; adapters have a parent."""

    id: str
    root: str | None = None
    parent: str | None = None


class ServedModels(BaseModel):
    """The server's list of models and adapters."""

    data: list[ServedModel]


def chat_body(
    messages: Sequence[BaseMessage],
    model: str,
    sampling: Sampling,
    template: ChatTemplate,
    *,
    streamed: bool,
) -> dict[str, Any]:
    """The body of a chat request, with the log-probabilities needed for entropies.

    Raises ValueError if the model should choose among tools but its template takes none.
    """
    optional: dict[str, Any] = {}
    if streamed:
        optional = {"stream": True, "stream_options": {"include_usage": True}}
    if template.options:
        optional["chat_template_kwargs"] = template.options
    if sampling.max_tokens is not None:
        optional["max_tokens"] = sampling.max_tokens
    if sampling.response_format is not None:
        optional["response_format"] = sampling.response_format
    if sampling.tools:
        choice = sampling.tool_choice or "auto"
        if choice == "auto" and template.tool_parser is None:
            raise ValueError(
                "this model's chat template takes no tools, so it cannot choose one: force a call with"
                ' tool_choice ("required" or a function\'s name), or serve a model that takes tools'
            )
        optional |= {"tools": list(sampling.tools), "tool_choice": choice}
    if sampling.logit_bias:
        optional["logit_bias"] = sampling.logit_bias
    return {
        "model": model,
        "messages": _openai_messages(messages, template),
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,  # sent even if 1.0: else the model's generation config applies its own
        "seed": sampling.seed,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "stop": [*sampling.stop, *template.stop],
        "logprobs": True,
        "top_logprobs": TOP_LOGPROBS,
        "top_k": 0,
        "min_p": 0.0,
    } | optional


def completion_body(prompt: str, model: str, sampling: Sampling) -> dict[str, Any]:
    """The body of a streamed text completion request."""
    optional = {} if sampling.max_tokens is None else {"max_tokens": sampling.max_tokens}
    return {
        "model": model,
        "prompt": prompt,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "stop": list(sampling.stop),
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "logit_bias": sampling.logit_bias or None,
        "logprobs": TOP_LOGPROBS,
        "top_k": 0,
        "min_p": 0.0,
        "stream": True,
        "stream_options": {"include_usage": True},
    } | optional


def scoring_body(texts: Sequence[str] | Sequence[int], model: str) -> dict[str, Any]:
    """The body of a request that scores whole texts, or one text as token ids, without continuing them."""
    return {"model": model, "prompt": list(texts), "echo": True, "max_tokens": 0, "logprobs": 0}


def conversation_tokens_body(
    messages: Sequence[BaseMessage], model: str, template: ChatTemplate
) -> dict[str, Any]:
    """The body of a request for the token ids of a conversation, up to where the answer begins."""
    optional = {"chat_template_kwargs": template.options} if template.options else {}
    return {"model": model, "messages": _openai_messages(messages, template)} | optional


def text_tokens_body(text: str, model: str, template: ChatTemplate) -> dict[str, Any]:
    """The body of a request for the token ids of a text alone."""
    escaped = escape_control_tokens(text, template.control)
    return {"model": model, "prompt": escaped, "add_special_tokens": False}


def _openai_messages(messages: Sequence[BaseMessage], template: ChatTemplate) -> list[dict[str, Any]]:
    """The messages in OpenAI's format, with control tokens escaped."""
    escaped = [
        message.model_copy(update={"content": escape_control_tokens(str(message.text), template.control)})
        for message in messages
    ]
    converted = convert_to_openai_messages(escaped)
    assert isinstance(converted, list)
    return converted


def parse_reply(body: bytes, kind: type[_Kind]) -> _Kind:
    """Parses an answer or chunk. Raises RequestFailed for an error message, EngineError for anything else."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        invalid = error
    try:
        message = _Failure.model_validate_json(body).error.get("message")
    except ValidationError:
        first = invalid.errors(include_url=False, include_input=False)[0]
        location = ".".join(str(part) for part in first["loc"])
        raise EngineError(f"unexpected reply ({location}: {first['msg']}): is it a chat model?") from invalid
    raise RequestFailed(f"it reported an error: {message}")


def is_json(text: str) -> bool:
    """Whether the text is a JSON object."""
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def is_end(line: bytes) -> bool:
    """Whether the line of a stream is the end mark."""
    return line.startswith(DATA) and line.removeprefix(DATA).strip() == DONE


def event_data(line: bytes) -> bytes | None:
    """The data of a server-sent event line; None for blank lines and comments."""
    return line.removeprefix(DATA).strip() if line.startswith(DATA) else None
