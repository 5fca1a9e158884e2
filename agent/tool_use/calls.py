"""Asks a model for its next tool call, whatever its chat template makes of tools."""

import json
from collections.abc import Sequence
from typing import cast

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agent.chat.conversation import ChatFormat, prompt_messages
from agent.engines.base import Engine, Reply, Sampling
from agent.tool_use.tools import ToolName, argument_of, instructions, schemas
from memory.records.base import Record

MAX_TOKENS = 64
"""Of a call; the longest argument that makes sense is the name of a document."""
MAX_ARGUMENT = 200
"""Characters."""


class Call(Record):
    """What the model wants to do next."""

    tool: ToolName | None
    """None if what it said is no call of a tool."""
    argument: str = ""
    tokens: int = 0
    """What it read and wrote for it."""


class Step(Record):
    """A call that was made, and what came of it."""

    call: Call
    result: str


async def next_call(
    question: str, steps: Sequence[Step], *, engine: Engine, chat: ChatFormat, adapter: str | None = None
) -> Call:
    """The model's next call, greedily. Raises what `Engine.chat` raises."""
    messages = prompt_messages(conversation(question, steps, in_text=chat.template.tool_parser is None), chat)
    sampling = Sampling(max_tokens=MAX_TOKENS, tools=schemas(), tool_choice="required")
    return parsed(await engine.chat(messages, adapter=adapter, sampling=sampling))


def conversation(question: str, steps: Sequence[Step], *, in_text: bool) -> list[BaseMessage]:
    """The question and what was done so far; `in_text` describes the tools in words."""
    messages: list[BaseMessage] = [
        SystemMessage(instructions(in_text=in_text)),
        HumanMessage(f"Question: {question}"),
    ]
    for number, step in enumerate(steps):
        if step.call.tool is None:
            messages.append(HumanMessage(step.result))
            continue
        name = argument_of(step.call.tool)
        arguments = {name: step.call.argument} if name else {}
        call = {"name": step.call.tool, "args": arguments, "id": f"call-{number}"}
        messages.append(AIMessage("", tool_calls=[call]))
        messages.append(ToolMessage(step.result, tool_call_id=f"call-{number}", name=step.call.tool))
    return messages


def parsed(reply: Reply) -> Call:
    """The first call of a reply. Whatever is no call of one of the tools is None."""
    tokens = reply.prompt_tokens + reply.completion_tokens
    nothing = Call(tool=None, tokens=tokens)
    if not reply.tool_calls:
        return nothing
    call = reply.tool_calls[0]
    name = argument_of(call.name)
    try:
        arguments = json.loads(call.arguments or "{}")
        json.dumps(arguments, ensure_ascii=False).encode()
    except (ValueError, RecursionError):  # no JSON, nested too deeply, or half a character
        return nothing
    if name is None or not isinstance(arguments, dict):
        return nothing
    argument = arguments.get(name, "") if name else ""
    if not isinstance(argument, str) or (name and not argument.strip()):
        return nothing
    words = " ".join(argument.split())[:MAX_ARGUMENT]
    return Call(tool=cast(ToolName, call.name), argument=words, tokens=tokens)
