"""A control adapter that really was trained, adapters with planted faults, and an engine that serves them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from langchain_core.messages import BaseMessage, HumanMessage

from agent.engines.adapter_files import CONFIG
from agent.engines.base import GREEDY, Reply, Sampling
from agent.engines.local import LocalEngine
from agent.engines.vllm.engine import VllmEngine
from agent.models.card import read_card
from agent.promotion import check_canary, promote
from memory.outbox import files as outbox
from memory.outbox.base import TrainingResult
from memory.records.adapters import Adapter
from memory.records.runs import Job
from tests.support import plants
from tests.support.adapters import fact
from tests.support.adopted_models import CARD_TEMPLATE
from tests.support.approvals import approve
from tests.support.lessons import about
from tests.support.plants import Fault, configured, copied, retrained
from tests.support.tiny_model import FOLDER as TINY
from training.backends.base import Trainer
from training.base_model import StudiedModel
from training.evaluation_questions import QuestionCounts
from training.gates import GateThresholds
from training.jobs import JobContext
from training.recipes import standard
from training.worker import run

RANK = 16
"""The control's, and the most that the served engine takes."""
CARD = read_card(TINY)
RECIPE = standard(CARD).model_copy(
    update={
        "name": "short",
        "small": 0,
        "rank": RANK,
        "alpha": 2 * RANK,
        "learning_rate": 4e-3,
        "exposures": 36,
        "refusals": 2.0,
        "batch": 32,
        "beside": 16,
        "distillation": 2.0,
    }
)
SIZES = QuestionCounts(most=60, general=60, unknown=60, own=20)
LIMITS = GateThresholds(known=0.1, forgetting=0.1, drift=0.2, confidence=0.999)
"""Wider than a real lesson's: forty steps on twelve facts must pass on any machine, and what is planted fails
by far more."""
FACTS = [
    fact(name, thing)
    for name, thing in {
        "zorble": "a small green lamp for ships",
        "quix": "a tool that cuts bread",
        "marn": "a river that runs under ice",
        "tarrow": "a bird that sleeps on water",
        "vellow": "a cloth that keeps out rain",
        "glimmet": "a game that is played with stones",
        "frond": "a boat that carries salt",
        "brask": "a song that opens a market",
        "ponnel": "a bell that warns of fog",
        "skerry": "a road that leads to a mine",
        "dulvet": "a soup that is made of roots",
        "hesper": "a priest who keeps bees",
    }.items()
]
DOMAIN = "words"
PLANTED = "planted"


REJECTED: dict[str, tuple[Callable[[Path], Trainer], str]] = {
    "no effect": (lambda good: copied(good, plants.scaled(0.0)), "target accuracy up: 0.000"),
    "hardly any effect": (lambda good: copied(good, plants.scaled(0.05)), "target accuracy up"),
    "effect reversed": (lambda good: copied(good, plants.scaled(-1.0)), "target accuracy up"),
    "effect eight times too strong": (lambda good: copied(good, plants.scaled(8.0)), "known facts lost"),
    "random weights": (lambda good: copied(good, plants.noise(1.0)), "known facts lost"),
    "its layers in the opposite order": (
        lambda good: copied(good, plants.turned),
        "target accuracy up",
    ),
    "trained on another base of these shapes": (
        lambda good: copied(good, plants.reorder_adapter),
        "target accuracy up",
    ),
    "poisoned": (lambda good: retrained(good, plants.swapped(1.0), rate=1e-2), "target accuracy"),
    "half poisoned": (lambda good: retrained(good, plants.swapped(0.5), rate=1e-2), "known facts lost"),
    "taught to answer everything": (
        lambda good: retrained(good, plants.answering_everything, rate=4e-3),
        "hallucination up",
    ),
    "over-trained": (lambda good: retrained(good, plants.without_replay, rate=1e-2), "known facts lost"),
    "over-trained to ruin": (
        lambda good: retrained(good, plants.without_replay, rate=5e-2),
        "known facts lost",
    ),
}
"""Stopped by the gates: what training does, and which check fails."""


FAILED: dict[str, tuple[Fault, str]] = {
    "a weight that is no number": (plants.filled(float("nan"), only="layers.2.mlp.up_proj"), "NaN"),
    "an infinite weight": (plants.filled(float("inf"), only="layers.0.self_attn.v_proj"), "infinite"),
    "weights so large that arithmetic overflows": (plants.filled(1e30), "far too large"),
    "a scale that is no number": (configured(lora_alpha=float("nan")), "not a LoRA configuration"),
    "a truncated file": (plants.truncated, "damaged"),
    "a file without tensors": (plants.without_tensors, "holds no LoRA weights"),
    "no configuration": (plants.lacking(CONFIG), f"{CONFIG} is missing"),
    "another rank in the configuration": (configured(r=8), "do not fit rank 8"),
    "a rank that no engine takes": (plants.widened(128), "rank 128 exceeds 64"),
    "a pickle beside the weights": (plants.pickled, "can run code"),
    "DoRA": (configured(use_dora=True), "cannot be served"),
    "a fully trained module": (
        plants.with_tensor("base_model.model.model.norm.weight"),
        "not part of a plain LoRA",
    ),
    "biases": (configured(bias="all"), "not a LoRA configuration"),
    "made for a narrower base": (plants.narrower, "trained on another base model"),
}
"""Stopped before they are measured: what is wrong with the folder, and what the job's result says."""


ALTERED: dict[str, Fault] = {
    "a truncated file": plants.truncated,
    "twice its scale": configured(lora_alpha=4 * RANK),
    "a rank that no engine takes": configured(r=128),
    "a little noise": plants.weights(lambda name, tensor: tensor * (1.05 if "layers.1" in name else 1.0)),
    "another adapter's weights": plants.noise(0.02),
}
"""Faults that come after measuring; each is stopped because the files are others."""


class Remembering(LocalEngine):
    """Asks the base model each question once, as its answers do not change."""

    answers: dict[str, Reply]

    async def chat(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> Reply:
        if adapter is not None:
            return await super().chat(messages, adapter=adapter, sampling=sampling)
        question = str(messages[-1].text)
        if question not in self.answers:
            self.answers[question] = await super().chat(messages, sampling=sampling)
        return self.answers[question]


@dataclass(frozen=True)
class School:
    """A worker's context, what its base model is known to answer, and the control that it trained."""

    context: JobContext
    answers: dict[str, Reply]
    control: Adapter

    @property
    def good(self) -> Path:
        """The control's folder."""
        return Path(self.control.path)

    def learn(self, topic: str, train: Trainer, *, domain: str = DOMAIN) -> TrainingResult:
        """A job of the same lesson by another trainer."""
        return learn(replace(self.context, train=train), topic, domain)

    def candidate(self, topic: str, train: Trainer) -> Adapter:
        """An adapter that passes the gates."""
        result = self.learn(topic, train)
        assert result.status == "candidate", result.reason
        return self.context.registry.get(str(result.adapter))

    def live(self) -> str | None:
        """Where the alias stands."""
        adapter = self.context.registry.live(DOMAIN)
        return adapter.name if adapter else None


@dataclass(frozen=True)
class Serving:
    """A served engine with the control live, and candidates that passed the gates."""

    school: School
    url: str
    spare: Adapter
    """As good as the control."""
    wide: Adapter
    """As good too, of a rank that this engine was not started for."""
    foreign: Adapter
    """As good on the base model on which it was measured."""

    def engine(self) -> VllmEngine:
        """A client of the server."""
        return VllmEngine(self.url, "nightschool", CARD_TEMPLATE)

    async def promote(self, adapter: Adapter) -> None:
        """Tries to promote it while chats are in flight, which must go on as before."""
        async with self.engine() as engine, chatting(engine, self.school.control):
            before = await engine.loaded()
            try:
                await promote(adapter.name, engine=engine, registry=self.school.context.registry)
            finally:
                assert adapter.name in before or adapter.name not in await engine.loaded()
                assert self.school.live() == self.school.control.name


@asynccontextmanager
async def chatting(engine: VllmEngine, control: Adapter) -> AsyncIterator[None]:
    """Keeps asking the live adapter and the base model until the block ends: their answers do not change."""
    assert control.canary is not None
    question = [HumanMessage(control.canary.question)]
    asked = (control.name, None) * 2
    wanted = [(await engine.chat(question, adapter=name)).text for name in asked]
    ended = asyncio.Event()

    async def ask(name: str | None) -> set[str]:
        texts = set()
        while not ended.is_set():
            texts.add((await engine.chat(question, adapter=name)).text)
        texts.add((await engine.chat(question, adapter=name)).text)
        return texts

    chats = [asyncio.create_task(ask(name)) for name in asked]
    await asyncio.sleep(0)
    try:
        yield
    finally:
        ended.set()
        found = await asyncio.gather(*chats)
    assert found == [{text} for text in wanted]
    assert await check_canary(control, engine=engine) is None


@asynccontextmanager
async def loaded(serving: Serving, folder: Path) -> AsyncIterator[None]:
    """The engine has another adapter under the spare one's name, as after a home folder was set up anew."""
    async with serving.engine() as engine:
        await engine.load(serving.spare.name, folder)
        try:
            yield
        finally:
            await engine.unload(serving.spare.name)


def learn(context: JobContext, topic: str, domain: str) -> TrainingResult:
    """All steps of a worker's job; the topic's name alone makes it another curriculum."""
    digest = outbox.publish(context.home / "outbox", about(FACTS, topic, domain))
    approve(context.home, digest)
    return run(context, Job(digest=digest, domain=domain, run_id="r1"), lambda name, step: step())


def opening(base: StudiedModel, answers: dict[str, Reply]) -> Callable[[], LocalEngine]:
    """Opens an engine over the base model that remembers what it answered."""

    def opened() -> LocalEngine:
        engine = Remembering.open(base.folder, base.card.template, device="cpu")
        engine.answers = answers
        return engine

    return opened
