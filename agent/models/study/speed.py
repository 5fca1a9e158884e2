"""Measures how fast a served model answers on this machine."""

import os
import time
from collections.abc import Sequence

from agent.engines.base import Engine
from agent.models.card import Speed
from agent.models.study.answer_log import AnswerLog, StudyPrompt, ask_all, question_prompt
from agent.models.study.study_server import StudyServer
from memory.results import machine

SEQUENTIAL, CONCURRENT = 3, 32
"""Number of answers timed one after the other, and concurrently."""
TOKENS = 64


async def measure_speed(server: StudyServer, texts: Sequence[str]) -> Speed:
    """Measures tokens per second of greedy answers to `texts`; about 20 s for a small model on two cores."""
    prompts = [question_prompt(text, TOKENS) for text in texts]
    await _rate(server.engine, prompts[:1])  # warm-up
    alone = [await _rate(server.engine, [prompt]) for prompt in prompts[1 : SEQUENTIAL + 1]]
    together = await _rate(server.engine, prompts[SEQUENTIAL + 1 : SEQUENTIAL + 1 + CONCURRENT])
    return Speed(
        machine=machine(),
        threads=len(os.sched_getaffinity(0)),
        tokens_per_second=sum(tokens for tokens, _ in alone) / sum(seconds for _, seconds in alone),
        tokens_per_second_batched=together[0] / together[1],
        memory_mb=round(server.memory_mb()),
    )


async def _rate(engine: Engine, prompts: Sequence[StudyPrompt]) -> tuple[int, float]:
    """Number of generated tokens, and the seconds they took."""
    started = time.perf_counter()
    answers = await ask_all(engine, prompts, AnswerLog())
    return sum(len(answer.tokens) for answer in answers), time.perf_counter() - started
