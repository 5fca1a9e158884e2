"""Runs single turns of the chat graph."""

from collections.abc import Callable, Sequence
from typing import Any

from agent.chat.conversation import messages_from_pairs
from agent.engines.scripted import Line, ScriptedEngine
from graphs.chat import Chat, chat, initial_state
from graphs.state import Runtime
from graphs.turn import Turn

Changed = Callable[..., Runtime]
Pairs = Sequence[tuple[str, str]]


async def hold(graph: Chat, runtime: Runtime, pairs: Pairs, **more: Any) -> Turn:
    return await chat(graph, runtime, initial_state(messages_from_pairs(pairs), **more))


async def say(graph: Chat, runtime: Runtime, text: str, **more: Any) -> Turn:
    return await hold(graph, runtime, [("user", text)], **more)


class Untouchable:
    """A store or database of which nothing may be asked."""


UNSURE = ScriptedEngine({"How deep is the Mariana trench?": Line(text="about five miles", entropy=2.0)})
