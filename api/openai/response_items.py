"""Requests and replies in OpenAI's Responses format, and their conversion from and to chat turns."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agent.chat.routing import AUTO
from api.errors import first_problem
from api.openai.messages import Message
from api.openai.replies import TurnDetails, turn_details
from api.openai.requests import MAX_MESSAGES, ChatRequest, NightschoolOptions
from graphs.turn import Turn


class TextFormat(BaseModel):
    """The format of the answer. In this API the schema is beside the type."""

    model_config = ConfigDict(extra="allow")

    type: Literal["text", "json_object", "json_schema"] = "text"


class TextOptions(BaseModel):
    """Options of text answers."""

    format: TextFormat = TextFormat()


class ResponsesRequest(BaseModel):
    """A request of the Responses API. Stateless: each request has the whole conversation."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(AUTO, max_length=200)
    input: str | Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MAX_MESSAGES)]
    instructions: str | None = None
    max_output_tokens: int | None = None
    temperature: float | None = Field(None, allow_inf_nan=False)
    top_p: float | None = Field(None, allow_inf_nan=False)
    stream: bool | None = None
    text: TextOptions = TextOptions()
    tools: list[dict[str, Any]] = []
    tool_choice: str | dict[str, Any] | None = None
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    """As in chat completions."""
    previous_response_id: str | None = None
    background: bool | None = None
    nightschool: NightschoolOptions | None = None

    @model_validator(mode="after")
    def _stateless(self) -> Self:
        if self.previous_response_id is not None:
            raise ValueError("previous_response_id: responses are not stored; send the whole conversation")
        if self.background:
            raise ValueError("background is not supported: leave it out")
        return self

    def chat(self) -> ChatRequest:
        """The same as a chat request. Raises ValueError for fields that chat requests do not support."""
        messages = [{"role": "user", "content": self.input}] if isinstance(self.input, str) else []
        if not isinstance(self.input, str):
            messages = [_message(item) for item in self.input]
        if self.instructions:
            messages.insert(0, {"role": "system", "content": self.instructions})
        fields = {
            "model": self.model,
            "messages": messages,
            "max_tokens": self.max_output_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "stream": self.stream,
            "response_format": _format(self.text.format),
            "tools": [_tool(tool) for tool in self.tools] or None,
            "tool_choice": _choice(self.tool_choice),
            "user": self.user,
            "metadata": self.metadata,
            "store": self.store,
            "nightschool": self.nightschool,
        }
        try:
            return ChatRequest.model_validate(fields)
        except ValidationError as error:
            field, reason = first_problem(error.errors(include_url=False, include_input=False))
            raise ValueError(f"{field or 'request'}: {reason}") from None


class OutputText(BaseModel):
    """A text in an answer."""

    type: Literal["output_text"] = "output_text"
    text: str
    annotations: list[dict[str, Any]] = []
    logprobs: list[dict[str, Any]] = []


class OutputMessage(BaseModel):
    """An answer in words."""

    id: str
    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"
    status: Literal["in_progress", "completed", "incomplete"] = "completed"
    content: list[OutputText]


class OutputCall(BaseModel):
    """A function call by the model."""

    id: str
    type: Literal["function_call"] = "function_call"
    call_id: str
    name: str
    arguments: str
    status: Literal["completed"] = "completed"


class InputDetails(BaseModel):
    """Details of the prompt's tokens; always zero, because the engine's cache hits are not known."""

    cached_tokens: int = 0
    cache_write_tokens: int = 0


class OutputDetails(BaseModel):
    """Details of the answer's tokens; always zero, because thinking is off."""

    reasoning_tokens: int = 0


class ResponseUsage(BaseModel):
    """Tokens of the prompt and the answer."""

    input_tokens: int
    input_tokens_details: InputDetails = InputDetails()
    output_tokens: int
    output_tokens_details: OutputDetails = OutputDetails()
    total_tokens: int


class Incomplete(BaseModel):
    """Why an answer is incomplete."""

    reason: Literal["max_output_tokens"] = "max_output_tokens"


class Response(BaseModel):
    """A response in OpenAI's format, with details of the turn in `nightschool`."""

    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: Literal["in_progress", "completed", "incomplete"]
    model: str
    output: list[OutputMessage | OutputCall]
    error: None = None
    incomplete_details: Incomplete | None = None
    instructions: str | None = None
    metadata: dict[str, Any] = {}
    parallel_tool_calls: bool = True
    temperature: float | None = None
    top_p: float | None = None
    tool_choice: str | dict[str, Any] = "auto"
    tools: list[dict[str, Any]] = []
    text: dict[str, Any] = {"format": {"type": "text"}}
    usage: ResponseUsage | None = None
    nightschool: TurnDetails | None = None


def started_response(request: ResponsesRequest, *, id: str, model: str, created_at: int) -> Response:
    """The response before the answer."""
    return Response(
        id=id,
        created_at=created_at,
        status="in_progress",
        model=model,
        output=[],
        instructions=request.instructions,
        metadata=request.metadata or {},
        temperature=request.temperature,
        top_p=request.top_p,
        tool_choice=request.tool_choice or "auto",
        tools=request.tools,
        text=request.text.model_dump(),
    )


def finished_response(started: Response, turn: Turn, ignored: tuple[str, ...] = ()) -> Response:
    """The response with the turn's answer, usage and details; `ignored` is what the model could not use."""
    complete = turn.finish_reason != "length"
    return started.model_copy(
        update={
            "status": "completed" if complete else "incomplete",
            "incomplete_details": None if complete else Incomplete(),
            "model": turn.route.adapter or started.model,
            "output": output_of(turn),
            "usage": ResponseUsage(
                input_tokens=turn.prompt_tokens,
                output_tokens=turn.completion_tokens,
                total_tokens=turn.prompt_tokens + turn.completion_tokens,
            ),
            "nightschool": turn_details(turn, ignored),
        }
    )


def output_of(turn: Turn) -> list[OutputMessage | OutputCall]:
    """The turn's answer as a message, if it has any text, followed by its tool calls."""
    output: list[OutputMessage | OutputCall] = []
    if turn.answer or not turn.tool_calls:
        status: Literal["completed", "incomplete"] = (
            "incomplete" if turn.finish_reason == "length" else "completed"
        )
        output.append(
            OutputMessage(id=message_id(turn.id), status=status, content=[OutputText(text=turn.answer)])
        )
    output += [
        OutputCall(id=f"fc_{turn.id}_{index}", call_id=call.id, name=call.name, arguments=call.arguments)
        for index, call in enumerate(turn.tool_calls)
    ]
    return output


def message_id(turn_id: str) -> str:
    """The id of a turn's message, in OpenAI's format."""
    return f"msg_{turn_id}"


_PART_TYPES = {"input_text": "text", "output_text": "text", "input_image": "image_url", "input_file": "file"}


def _message(item: dict[str, Any]) -> dict[str, Any]:
    """An input item as a chat message. Raises ValueError for unsupported types."""
    kind = item.get("type", "message")
    if kind == "function_call":
        call = {
            "id": str(item.get("call_id", "")),
            "function": {"name": item.get("name"), "arguments": item.get("arguments", "")},
        }
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    if kind == "function_call_output":
        output = item.get("output")
        text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
        return {"role": "tool", "content": text, "tool_call_id": str(item.get("call_id", ""))}
    if kind == "reasoning":
        return Message(role="assistant").model_dump()
    if kind != "message":
        raise ValueError(f"input: items of type {kind!r} are not supported: send messages and function calls")
    content = item.get("content")
    if isinstance(content, Sequence) and not isinstance(content, str):
        content = [_part(part) for part in content]
    return {"role": item.get("role"), "content": content}


def _part(part: object) -> object:
    if not isinstance(part, dict):
        return part
    kind = part.get("type")
    return part | {"type": _PART_TYPES.get(kind, kind)} if isinstance(kind, str) else part


def _format(text_format: TextFormat) -> dict[str, Any]:
    fields = text_format.model_dump()
    kind = fields.pop("type")
    return {"type": kind, "json_schema": fields} if kind == "json_schema" else {"type": kind}


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool in the chat format, which is nested. Types other than functions are rejected by ChatRequest."""
    function = {key: value for key, value in tool.items() if key != "type"}
    return {"type": tool.get("type"), "function": function}


def _choice(choice: str | dict[str, Any] | None) -> str | dict[str, Any] | None:
    if isinstance(choice, dict):
        return {"type": "function", "function": {"name": choice.get("name")}}
    return choice
