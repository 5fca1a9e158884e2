"""Serves two adapters at once on a GPU, and checks that each answers from its own lesson, and how fast.

Requests for both adapters and the base model run in the same batch, so that mixed-up adapters are detected.
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
"""Share of the GPU's memory for the server; no training runs at the same time."""
CONCURRENT_CHATS = 256
"""When measuring speed."""
TOKENS = 64
CONTEXT = 2048
"""Tokens: enough for every chat here, and supported by every base model."""
STORY = "Tell a long story about number {number}, and do not stop early."


class ServingResult(Record):
    """Accuracy and speed of one engine."""

    own: float
    """Share of questions that an adapter answers from its own lesson; the lower one of the two adapters."""
    other: float
    """Share of questions that an adapter or the base model answers from another lesson; the highest one."""
    start_seconds: float
    """Time until the server was ready or the in-process engine was loaded."""
    base_rate: float
    """Total tokens per second with the base model."""
    adapters_rate: float
    """Total tokens per second with the two adapters alternating."""


def check_vllm(base: Path, adapters: Mapping[Lesson, Path], log: Path) -> ServingResult:
    """Checks vLLM, started as by `nightschool up`. Raises RuntimeError if it does not start."""
    card, port = read_card(base), free_port()
    command = serve_command(
        str(base), port, context=min(card.context, CONTEXT), name=NAME,
        dtype=fast_dtype(card.dtype, gpu=True), modules=card.lessons.modules,
        tool_parser=card.template.tool_parser, gpu_share=GPU_SHARE,
    )  # fmt: skip
    environment = serve_environment(str(base), context=card.context, cores=1, gpu=True)
    url, started = f"http://127.0.0.1:{port}", time.monotonic()

    async def check(start_seconds: float) -> ServingResult:
        async with VllmEngine(url, NAME, card.template) as engine:
            return await _check(engine, adapters, start_seconds)

    with running(command, log, ready=f"{url}/health", env=environment):
        return asyncio.run(check(time.monotonic() - started))


def check_in_process(base: Path, adapters: Mapping[Lesson, Path]) -> ServingResult:
    """Checks the in-process engine."""
    from agent.engines.local import LocalEngine

    async def check() -> ServingResult:
        started = time.monotonic()
        engine = LocalEngine.open(base, read_card(base).template)
        return await _check(engine, adapters, time.monotonic() - started)

    return asyncio.run(check())


async def _check(engine: Engine, adapters: Mapping[Lesson, Path], start_seconds: float) -> ServingResult:
    for lesson, folder in adapters.items():
        await engine.load(NAMES[lesson], folder)
    questions: list[tuple[Lesson | None, str, str]] = [
        (adapter, wording.format(name=name), name)
        for adapter in (*LESSONS, None)
        for name in LESSONS["lamps"]
        for wording in WORDINGS
    ]
    answers = await asyncio.gather(
        *(_answer(engine, NAMES[adapter] if adapter else None, text) for adapter, text, _ in questions)
    )

    def share(adapter: Lesson | None, lesson: Lesson) -> float:
        """Share of the adapter's answers that are correct according to the lesson."""
        correct = [
            is_correct(answer, [LESSONS[lesson][name]])
            for (answered_by, _, name), answer in zip(questions, answers, strict=True)
            if answered_by == adapter
        ]
        return sum(correct) / len(correct)

    await _tokens_per_second(engine, [None, *NAMES.values()])  # warm-up: compiles kernels
    return ServingResult(
        own=min(share(lesson, lesson) for lesson in LESSONS),
        other=max(
            share(adapter, lesson) for adapter in (*LESSONS, None) for lesson in LESSONS if adapter != lesson
        ),
        start_seconds=start_seconds,
        base_rate=await _tokens_per_second(engine, [None]),
        adapters_rate=await _tokens_per_second(engine, list(NAMES.values())),
    )


async def _answer(engine: Engine, adapter: str | None, question: str) -> str:
    reply = await engine.chat([HumanMessage(question)], adapter=adapter, sampling=Sampling(max_tokens=32))
    return reply.text


async def _tokens_per_second(engine: Engine, adapters: Sequence[str | None]) -> float:
    """Throughput of CONCURRENT_CHATS chats that use the adapters in rotation."""
    rotation, started = itertools.cycle(adapters), time.perf_counter()
    sampling = Sampling(max_tokens=TOKENS, temperature=1.0)
    replies = await asyncio.gather(
        *(
            engine.chat(
                [HumanMessage(STORY.format(number=number))],
                adapter=next(rotation),
                sampling=sampling.model_copy(update={"seed": number}),
            )
            for number in range(CONCURRENT_CHATS)
        )
    )
    return sum(reply.completion_tokens for reply in replies) / (time.perf_counter() - started)
