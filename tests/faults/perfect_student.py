"""A model that is a script, and a trainer for it: an adapter answers exactly what its lessons teach.

The trainer writes a real LoRA that fits the tiny model, with the answers in the header of its weights; the
engine reads them from there. So files are validated, digested, loaded and served as real ones are.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from langchain_core.messages import BaseMessage
from safetensors import safe_open
from safetensors.numpy import save_file

from agent.engines.adapter_files import CONFIG, WEIGHTS, base_shapes, inspect_adapter
from agent.engines.scripted import Line, ScriptedEngine
from memory.records.curricula import Curriculum
from tests.support.tiny_model import FOLDER
from training.backends.base import Example, OnProgress, TrainingSummary
from training.base_model import StudiedModel
from training.recipes import Recipe

RANK = 2
ANSWERS = "answers"
"""Key of the answers in the header of the weights."""


def base_script(base: StudiedModel) -> Callable[[Sequence[BaseMessage]], Line | None]:
    """The base model: knows what its card says that it knows, and nothing else."""
    said = {
        wording: question.answers[0]
        for question in base.questions
        if question.known
        for wording in question.wordings
    } | {own.messages[-1].content: own.answer for own in base.replay}

    def answer(messages: Sequence[BaseMessage]) -> Line | None:
        found = said.get(str(messages[-1].text))
        return None if found is None else Line(text=found)

    return answer


class AdapterEngine(ScriptedEngine):
    """A scripted engine whose adapters answer what their files hold."""

    async def load(self, adapter: str, path: Path) -> None:
        """See Engine.load. Raises AdapterRefused for a folder that is not whole."""
        inspect_adapter(path)
        await super().load(adapter, path)
        self._adapters[adapter] = {question: Line(text=text) for question, text in answers_in(path).items()}


def answers_in(folder: Path) -> Mapping[str, str]:
    """What the adapter in the folder answers, by question."""
    with safe_open(folder / WEIGHTS, framework="numpy") as file:
        return json.loads(file.metadata()[ANSWERS])  # type: ignore[no-any-return]


class PerfectTrainer:
    """See Trainer. It reads the lessons of the domain from the outbox, held-out questions included."""

    def __init__(self, outbox: Path) -> None:
        self._outbox = outbox

    def __call__(
        self,
        base: StudiedModel,
        examples: Sequence[Example],
        recipe: Recipe,
        out: Path,
        on_progress: OnProgress,
        *,
        start: Path | None = None,
    ) -> TrainingSummary:
        domain = out.name.strip(".").rpartition("-v")[0]
        answers = {} if start is None else dict(answers_in(start))
        for file in sorted(self._outbox.glob("*.json")):
            if file.name.count(".") > 1:  # progress, or preferences
                continue
            curriculum = Curriculum.model_validate_json(file.read_bytes())
            if curriculum.domain == domain:
                answers |= {pair.question: pair.answer for pair in (*curriculum.pairs, *curriculum.held_out)}
        write_adapter(out, answers)
        on_progress(1, 1, 0.5)
        return TrainingSummary(steps=1, tokens=len(examples), seconds=0.1, loss=0.5)


def write_adapter(folder: Path, answers: Mapping[str, str]) -> None:
    """Writes a LoRA over the tiny model's first module, with the answers."""
    module, (outputs, inputs) = min(
        (name, shape) for name, shape in base_shapes(FOLDER).items() if name.endswith("q_proj")
    )
    key = f"base_model.model.{module}.lora_"
    weights = {
        f"{key}A.weight": np.full((RANK, inputs), 0.01, np.float32),
        f"{key}B.weight": np.zeros((outputs, RANK), np.float32),
    }
    save_file(weights, folder / WEIGHTS, metadata={ANSWERS: json.dumps(answers)})
    config = {
        "peft_type": "LORA",
        "r": RANK,
        "lora_alpha": RANK,
        "target_modules": [module.rpartition(".")[2]],
    }
    (folder / CONFIG).write_text(json.dumps(config))
