"""Two adapters served at once on a GPU: whether each answers by its own lesson, and how fast.

Chats of both adapters and of the base model go into one batch, where a mixed-up adapter would show.
"""

import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from langchain_core.messages import HumanMessage

from agent.engines.base import Engine, Sampling
from agent.engines.vllm.engine import VllmEngine
from agent.engines.vllm.server import fast_dtype, serve_command, serve_environment
from agent.grading import is_correct
from agent.models.card import read_card
from benchmarks.api.processes import free_port, running
from benchmarks.gpu.train import LESSONS, WORDINGS, Lesson
from memory.records.base import Record

NAMES: Mapping[Lesson, str] = {"lamps": "lamps-v1-00000001", "rivers": "rivers-v1-00000002"}
NAME = "nightschool"
GPU_SHARE = 0.5
"""Of the GPU's memory: nothing else runs beside the server by then."""
CHATS = 256
"""At once, where speed is measured."""
TOKENS = 64
CONTEXT = 2048
"""Tokens: more than any chat here takes, and short enough for every base model."""
STORY = "Tell a long story about number {number}, and do not stop early."


class Served(Record):
    """What the server was seen to do."""

    own: float
    """Share of the taught questions that an adapter answers by its own lesson; the worse of the two."""
    other: float
    """Share that an adapter, or the base model, answers by a lesson that is not its own; the worst."""
    start_seconds: float
    """Until it could be asked; for the engine in this process, until it was loaded."""
    base_rate: float
    """Tokens a second of all chats together, base model alone."""
    adapters_rate: float
    """The same with the two adapters by turns."""


def by_vllm(base: Path, adapters: Mapping[Lesson, Path], log: Path) -> Served:
    """Starts vLLM as `nightschool up` does, and asks. Raises RuntimeError where it does not start."""
    card, port = read_card(base), free_port()
    command = serve_command(
        str(base), port, context=min(card.context, CONTEXT), name=NAME,
        dtype=fast_dtype(card.dtype, gpu=True), modules=card.lessons.modules,
        tool_parser=card.template.tool_parser, gpu_share=GPU_SHARE,
    )  # fmt: skip
    environment = serve_environment(str(base), context=card.context, cores=1, gpu=True)
    url, started = f"http://127.0.0.1:{port}", time.monotonic()

    async def ask(start_seconds: float) -> Served:
        async with VllmEngine(url, NAME, card.template) as engine:
            return await _ask(engine, adapters, start_seconds)

    with running(command, log, ready=f"{url}/health", env=environment):
        return asyncio.run(ask(time.monotonic() - started))


def in_process(base: Path, adapters: Mapping[Lesson, Path]) -> Served:
    """The same with the engine that runs transformers in this process."""
    from agent.engines.local import LocalEngine

    async def ask() -> Served:
        started = time.monotonic()
        engine = LocalEngine.open(base, read_card(base).template)
        return await _ask(engine, adapters, time.monotonic() - started)

    return asyncio.run(ask())


async def _ask(engine: Engine, adapters: Mapping[Lesson, Path], start_seconds: float) -> Served:
    for lesson, folder in adapters.items():
        await engine.load(NAMES[lesson], folder)
    asked: list[tuple[Lesson | None, str, str]] = [
        (served, wording.format(name=name), name)
        for served in (*LESSONS, None)
        for name in LESSONS["lamps"]
        for wording in WORDINGS
    ]
    texts = await asyncio.gather(
        *(_answer(engine, NAMES[served] if served else None, question) for served, question, _ in asked)
    )

    def share(served: Lesson | None, lesson: Lesson) -> float:
        answers = [(name, text) for (by, _, name), text in zip(asked, texts, strict=True) if by == served]
        return sum(is_correct(text, [LESSONS[lesson][name]]) for name, text in answers) / len(answers)

    await _rate(engine, [None, *NAMES.values()])  # once unmeasured: kernels are chosen and compiled
    return Served(
        own=min(share(lesson, lesson) for lesson in LESSONS),
        other=max(
            share(served, lesson) for served in (*LESSONS, None) for lesson in LESSONS if served != lesson
        ),
        start_seconds=start_seconds,
        base_rate=await _rate(engine, [None]),
        adapters_rate=await _rate(engine, list(NAMES.values())),
    )


async def _answer(engine: Engine, adapter: str | None, question: str) -> str:
    reply = await engine.chat([HumanMessage(question)], adapter=adapter, sampling=Sampling(max_tokens=32))
    return reply.text


async def _rate(engine: Engine, adapters: Sequence[str | None]) -> float:
    """Tokens a second of CHATS chats at once, which ask the adapters by turns."""
    turns, started = itertools.cycle(adapters), time.perf_counter()
    sampling = Sampling(max_tokens=TOKENS, temperature=1.0)
    replies = await asyncio.gather(
        *(
            engine.chat(
                [HumanMessage(STORY.format(number=number))],
                adapter=next(turns),
                sampling=sampling.model_copy(update={"seed": number}),
            )
            for number in range(CHATS)
        )
    )
    return sum(reply.completion_tokens for reply in replies) / (time.perf_counter() - started)
