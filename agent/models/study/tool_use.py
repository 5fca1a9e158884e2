"""Tests whether a model calls a search tool when needed, prompted in plain text for a line of JSON."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from agent.models.card import PromptMessage
from agent.models.study.answer_log import LoggedAnswer, StudyPrompt
from memory.records.base import Record

CASES = Path(__file__).with_name("tool_cases.jsonl")
MAX_TOKENS = 48
"""Maximum length of a call."""


class ToolCase(Record):
    """A conversation in which a tool should, or should not, be called."""

    id: str
    messages: tuple[PromptMessage, ...]
    tools: tuple[dict[str, Any], ...]
    needs_tool: bool
    must_contain: tuple[str, ...]
    """Texts that the call's arguments have to contain, ignoring case."""


class ToolUseScore(Record):
    """Number of cases handled correctly."""

    needed: int
    called: int
    """Cases that need the tool and got a correct call."""
    not_needed: int
    left_alone: int
    """Cases that need no tool and got no call."""


def read_cases(path: Path = CASES) -> tuple[ToolCase, ...]:
    """The shipped cases."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(TypeAdapter(ToolCase).validate_json(line) for line in lines)


def tool_prompts(cases: Sequence[ToolCase], *, system: bool) -> list[StudyPrompt]:
    """Prompts with the tools described in text, in a system message if the template supports one."""
    prompts = []
    for case in cases:
        instructions = [turn.content for turn in case.messages if turn.role == "system"]
        tools = INSTRUCTIONS.format(tools=json.dumps([tool["function"] for tool in case.tools]))
        whole = "\n\n".join([*instructions, tools])
        turns = [turn for turn in case.messages if turn.role != "system"]
        if system:
            turns = [PromptMessage(role="system", content=whole), *turns]
        else:
            turns = [PromptMessage(role="user", content=f"{whole}\n\n{turns[0].content}"), *turns[1:]]
        prompts.append(StudyPrompt(messages=tuple(turns), max_tokens=MAX_TOKENS))
    return prompts


def score_tool_use(cases: Sequence[ToolCase], answers: Sequence[LoggedAnswer]) -> ToolUseScore:
    """Grades the answers to `tool_prompts`."""
    right = [_is_correct(case, answer.text) for case, answer in zip(cases, answers, strict=True)]
    needed = [ok for case, ok in zip(cases, right, strict=True) if case.needs_tool]
    others = [ok for case, ok in zip(cases, right, strict=True) if not case.needs_tool]
    return ToolUseScore(
        needed=len(needed), called=sum(needed), not_needed=len(others), left_alone=sum(others)
    )


def _is_correct(case: ToolCase, text: str) -> bool:
    call = _first_call(text)
    if not case.needs_tool:
        return call is None
    if call is None or call.get("tool") not in {tool["function"]["name"] for tool in case.tools}:
        return False
    arguments = json.dumps(call.get("arguments", {}), ensure_ascii=False).lower()
    return all(part.lower() in arguments for part in case.must_contain)


def _first_call(text: str) -> dict[str, Any] | None:
    """The first JSON object with a "tool" key."""
    for start in (match.start() for match in re.finditer(r"\{", text)):
        try:
            value, _ = json.JSONDecoder().raw_decode(text[start:])
        except ValueError:
            continue
        if isinstance(value, dict) and "tool" in value:
            return value
    return None


INSTRUCTIONS = """\
You can use these tools: {tools}
If a tool is needed, reply with one line of JSON and nothing else: \
{{"tool": "NAME", "arguments": {{"query": "..."}}}}
If none is needed, answer in plain words."""
