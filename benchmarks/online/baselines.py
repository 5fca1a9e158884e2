"""Other ways to learn from the first week's pairs, beside the service's own adapter of that week.

Plain fine-tuning on the preferred answers, and DPO without replay; both start from the base model, as the
first week's adapter does. All models answer the held-out prompts and the known questions in this process,
without gate and sources, so only the weights differ.
"""

import asyncio
import hashlib
import shutil
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from langchain_core.messages import HumanMessage

from agent.concurrency import gather_limited
from agent.engines.base import Sampling
from agent.engines.local import LocalEngine
from agent.grading import is_correct
from agent.models.card import GeneralQuestion
from benchmarks.online.month import KNOWN_TOKENS
from benchmarks.online.population import User, win_rate
from benchmarks.online.records import Compared
from memory.records.feedback import Algorithm, PreferencePair
from training.backends.choice import choose_trainer
from training.base_model import StudiedModel
from training.errors import TrainingError
from training.preferences.base import Beside
from training.preferences.recipes import RECIPES
from training.preferences.trainer import make_trainer
from training.recipes import standard

OURS = "ours"
ALONE: Mapping[str, Algorithm] = {"plain SFT on liked answers": "sft", "DPO without replay": "dpo"}
"""Baselines by name; nothing is held beside them."""
TOGETHER = 64


def compare(
    base: StudiedModel,
    pairs: Sequence[PreferencePair],
    ours: Path,
    users: Sequence[User],
    prompts: Sequence[str],
    known: Sequence[GeneralQuestion],
    home: Path,
) -> list[Compared]:
    """Trains the baselines into folders of `home`, and measures them, ours and the base model."""
    folders, took, failed = {OURS: ours}, {OURS: 0.0}, {}
    for name, algorithm in ALONE.items():
        folders[name], started = home / algorithm, time.monotonic()
        try:
            train_alone(base, pairs, algorithm, folders[name])
        except TrainingError as error:
            failed[name] = str(error)
            continue
        took[name] = time.monotonic() - started
    trained = {name: folder for name, folder in folders.items() if name not in failed}
    measured = asyncio.run(_measure(base, trained, users, prompts, known))
    rows = [row.model_copy(update={"seconds": took.get(row.name, 0.0)}) for row in measured]
    return [*rows, *(Compared(name=name, failed=reason) for name, reason in failed.items())]


def train_alone(base: StudiedModel, pairs: Sequence[PreferencePair], algorithm: Algorithm, out: Path) -> None:
    """Trains the pairs by the product's trainer and recipe, with nothing held beside them."""
    recipe = RECIPES[algorithm](base.card, standard(base.card)).model_copy(
        update={"beside": 0, "distillation": 0.0}
    )
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    trainer = make_trainer(choose_trainer())
    trainer(base, pairs, Beside(replay=(), lessons=()), recipe, out, lambda step, steps, loss: None)


async def _measure(
    base: StudiedModel,
    folders: Mapping[str, Path],
    users: Sequence[User],
    prompts: Sequence[str],
    known: Sequence[GeneralQuestion],
) -> list[Compared]:
    engine = LocalEngine.open(base.folder, base.card.template)
    first = await _answers(engine, None, prompts, base.card.answer_tokens)
    rows = [Compared(name="base model", win_rate=0.5, known=await _known(engine, None, known))]
    for name, folder in folders.items():
        adapter = f"bench-v1-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        await engine.load(adapter, folder)
        answers = await _answers(engine, adapter, prompts, base.card.answer_tokens)
        rate = win_rate(users, [(text, 0) for text in first], [(text, 0) for text in answers])
        rows.append(Compared(name=name, win_rate=rate, known=await _known(engine, adapter, known)))
    return rows


async def _known(engine: LocalEngine, adapter: str | None, known: Sequence[GeneralQuestion]) -> float | None:
    if not known:
        return None
    replies = await _answers(engine, adapter, [question.wordings[-1] for question in known], KNOWN_TOKENS)
    right = [is_correct(text, each.answers) for text, each in zip(replies, known, strict=True)]
    return sum(right) / len(right)


async def _answers(
    engine: LocalEngine, adapter: str | None, prompts: Sequence[str], tokens: int
) -> list[str]:
    sampling = Sampling(max_tokens=tokens)
    asks = (
        partial(engine.chat, [HumanMessage(prompt)], adapter=adapter, sampling=sampling) for prompt in prompts
    )
    return [reply.text for reply in await gather_limited(asks, TOGETHER)]
