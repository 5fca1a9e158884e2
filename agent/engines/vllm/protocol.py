"""Requests and replies of vLLM's OpenAI server: chats whole or in chunks, continued texts, its models.

Read without OpenAI's client, which takes longer over an answer than the rest of a turn does. Asks nothing.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

from langchain_core.messages import BaseMessage, convert_to_openai_messages
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.engines.base import Alternative, FinishReason, Sampling, Token, ToolCall, escape_control_tokens
from agent.engines.entropy import TOP_LOGPROBS, entropy_bounds
from agent.errors import EngineError
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
    """An answer, or a chunk of one."""

    choices: list[_Choice]
    usage: _Usage | None = None

    @property
    def text(self) -> str:
        """The words."""
        return "".join(choice.message.content or "" for choice in self.choices)

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the answer ended, or None where it goes on."""
        reason = self.choices[0].finish_reason if self.choices else None
        if reason is None:
            return None
        return "length" if reason == "length" else "tool_calls" if reason == "tool_calls" else "stop"

    @property
    def tool_calls(self) -> list[_ToolCall]:
        """The calls, or pieces of calls."""
        return [call for choice in self.choices for call in choice.message.tool_calls or ()]

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the conversation, or 0 where the server does not say."""
        return self.usage.prompt_tokens if self.usage else 0

    @property
    def completion_tokens(self) -> int:
        """Tokens of the answer and its tool calls, or 0 where the server does not say."""
        return self.usage.completion_tokens if self.usage else 0

    def tokens(self, vocabulary: int, top: int) -> list[Token]:
        """The tokens that it scores, under the server's labels, with `top` alternatives each."""
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
    """A chunk of a continued text."""

    choices: list[_TextChoice]
    usage: _Usage | None = None

    def tokens(self, vocabulary: int, top: int) -> list[Token]:
        """The tokens that it scores, with `top` alternatives each."""
        found: list[Token] = []
        for scores in (choice.logprobs for choice in self.choices if choice.logprobs is not None):
            others = scores.top_logprobs or [None] * len(scores.tokens)
            for text, logprob, likeliest in zip(scores.tokens, scores.token_logprobs, others, strict=True):
                known = {name: min(value, 0.0) for name, value in (likeliest or {}).items()}
                sure = min(logprob or 0.0, 0.0)
                found.append(
                    Token(
                        text=text,
                        logprob=sure,
                        entropy=entropy_bounds(list(known.values()) or [sure], vocabulary),
                        alternatives=tuple(
                            Alternative(text=name, logprob=value)
                            for name, value in sorted(known.items(), key=lambda item: -item[1])[:top]
                        ),
                    )
                )
        return found


class _Ending(BaseModel):
    index: int
    logprobs: _TextScores


class ScoredTexts(BaseModel):
    """Texts that were sent to be scored, each with the log-probabilities of all its tokens."""

    choices: list[_Ending]

    def logprobs(self) -> tuple[float, ...]:
        """Of each text's last token, in the order in which they were sent.

        Raises EngineError where one has none.
        """
        ordered = sorted(self.choices, key=lambda choice: choice.index)
        last = [choice.logprobs.token_logprobs[-1:] for choice in ordered]
        found = tuple(min(value, 0.0) for values in last for value in values if value is not None)
        if len(found) < len(ordered):
            raise EngineError("it scored a text without its last token")
        return found


_Kind = TypeVar("_Kind", ChatAnswer, Continuation, ScoredTexts)


class ToolCallCollector:
    """Tool calls, put together from the pieces of a stream or taken from a whole answer."""

    def __init__(self) -> None:
        self._calls: dict[int, tuple[str, str, str]] = {}

    def add(self, answer: ChatAnswer) -> None:
        """Takes what the answer or chunk holds; whole answers number no calls, so they are counted here."""
        numbered = len({call.index for call in answer.tool_calls}) == len(answer.tool_calls)
        for place, call in enumerate(answer.tool_calls):
            index = call.index if numbered else place
            id, name, arguments = self._calls.get(index, ("", "", ""))
            function = call.function
            self._calls[index] = (
                call.id or id,
                function.name or name,
                arguments + (function.arguments or ""),
            )

    def tokens(self, answered: int, said: int) -> int:
        """How many of the `answered` tokens the calls took, where `said` made up the text."""
        return max(0, answered - said) if self._calls else 0

    def whole(self) -> tuple[ToolCall, ...]:
        """All calls so far, in order."""
        return tuple(
            ToolCall(id=id, name=name, arguments=arguments)
            for _, (id, name, arguments) in sorted(self._calls.items())
        )


class _Failure(BaseModel):
    error: dict[str, Any]


class ServedModel(BaseModel):
    """A model, or an adapter, which has a parent."""

    id: str
    root: str | None = None
    parent: str | None = None


class ServedModels(BaseModel):
    """All that a server serves."""

    data: list[ServedModel]


def chat_body(
    messages: Sequence[BaseMessage],
    model: str,
    sampling: Sampling,
    template: ChatTemplate,
    *,
    streamed: bool,
) -> dict[str, Any]:
    """The body of a request for an answer, with all that its entropies are measured by.

    Raises ValueError for a choice among tools by a model whose template takes none.
    """
    plain = [
        message.model_copy(update={"content": escape_control_tokens(str(message.text), template.control)})
        for message in messages
    ]
    more: dict[str, Any] = {}
    if streamed:
        more = {"stream": True, "stream_options": {"include_usage": True}}
    if template.options:
        more["chat_template_kwargs"] = template.options
    if sampling.max_tokens is not None:
        more["max_tokens"] = sampling.max_tokens
    if sampling.response_format is not None:
        more["response_format"] = sampling.response_format
    if sampling.tools:
        choice = sampling.tool_choice or "auto"
        if choice == "auto" and template.tool_parser is None:
            raise ValueError(
                "this model's chat template takes no tools, so it cannot choose one: force a call with"
                ' tool_choice ("required" or a function\'s name), or serve a model that takes tools'
            )
        more |= {"tools": list(sampling.tools), "tool_choice": choice}
    if sampling.logit_bias:
        more["logit_bias"] = sampling.logit_bias
    return {
        "model": model,
        "messages": convert_to_openai_messages(plain),
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,  # also 1.0: else the model's generation config cuts the distribution
        "seed": sampling.seed,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "stop": [*sampling.stop, *template.stop],
        "logprobs": True,
        "top_logprobs": TOP_LOGPROBS,
        "top_k": 0,
        "min_p": 0.0,
    } | more


def completion_body(prompt: str, model: str, sampling: Sampling) -> dict[str, Any]:
    """The body of a request to continue a text, streamed."""
    more = {} if sampling.max_tokens is None else {"max_tokens": sampling.max_tokens}
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
    } | more


def scoring_body(texts: Sequence[str], model: str) -> dict[str, Any]:
    """The body of a request that scores whole texts and continues none."""
    return {"model": model, "prompt": list(texts), "echo": True, "max_tokens": 0, "logprobs": 0}


def parse_reply(body: bytes, kind: type[_Kind]) -> _Kind:
    """An answer or a chunk from its JSON. Raises EngineError for anything else, with what it says."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        wrong = error
    try:
        said = _Failure.model_validate_json(body).error.get("message")
    except ValidationError:
        first = wrong.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise EngineError(f"it sent no answer ({place}: {first['msg']}): is it a chat model?") from wrong
    raise EngineError(f"it broke off: {said}")


def event_data(line: bytes) -> bytes | None:
    """What a line of a stream carries; None for the empty line between two events, comments and the end."""
    if not line.startswith(DATA) or (carried := line.removeprefix(DATA).strip()) == DONE:
        return None
    return carried
