"""Model cards and gates for tests."""

import json
from pathlib import Path
from typing import get_args

from agent.grading import DECLINE_PHRASES
from agent.models.card import CARD, ChatTemplate, ModelCard, Speed, TeachingSettings
from memory.records.interactions import AnswerForm, AnswerGate, FormGate, LogisticModel

DIGEST = "ab" * 32


def gate(nats: float = 1.0) -> AnswerGate:
    """Confident where every token's entropy stays below `nats`, whatever the answer's form."""
    model = LogisticModel(
        features=("max_entropy",), mean=(nats,), scale=(1.0,), weights=(-5.0,), intercept=0.0
    )
    fitted = FormGate(model=model, threshold=0.5, labels=200, coverage=0.5)
    forms = dict.fromkeys(get_args(AnswerForm), fitted)
    return AnswerGate(risk=0.2, delta=0.1, forms=forms, error=0.03, fitted_on="made for a test")


def card(**changes: object) -> ModelCard:
    """The card of a model that can be taught; `changes` replace fields."""
    return ModelCard(
        name="test-model",
        source="made for a test",
        digest=DIGEST,
        licence="Apache-2.0",
        parameters=1_000_000,
        vocabulary=1000,
        context=2048,
        dtype="float32",
        template=ChatTemplate(),
        declines=DECLINE_PHRASES,
        answer_tokens=256,
        lessons=TeachingSettings(modules=("q_proj", "v_proj"), learning_rate=1e-3, refusal="I don't know."),
        gate=gate(),
        domains={},
        known=0,
        unknown=0,
        replay=0,
        speed=Speed(
            machine="a test",
            threads=1,
            tokens_per_second=100.0,
            tokens_per_second_batched=500.0,
            memory_mb=100.0,
        ),
        verdict="go",
        reasons=("made for a test",),
        reading=1.0,
    ).model_copy(update=changes)


def model_folder(folder: Path) -> Path:
    """A folder that passes for a studied model where nothing loads it."""
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 64}
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(sizes))
    (folder / CARD).write_text(card().model_dump_json())
    return folder
