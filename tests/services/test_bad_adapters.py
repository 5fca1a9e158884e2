"""An adapter that is worse does not get out: planted ones are stopped for their reasons, while chats go on.

The control was really trained: it passes the gates, is promoted, and answers throughout.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from langchain_core.messages import BaseMessage, HumanMessage

from agent.engines.adapter_files import CONFIG, WEIGHTS
from agent.engines.base import GREEDY, Reply, Sampling
from agent.engines.local import LocalEngine
from agent.engines.vllm.engine import VllmEngine
from agent.errors import AdapterRefused, CanaryFailed
from agent.models.card import read_card
from agent.promotion import check_canary, promote, rollback
from memory.adapters.mlflow import MlflowAdapterRegistry
from memory.errors import AdapterNotServable
from memory.outbox import files as outbox
from memory.outbox.base import TrainingResult
from memory.records.adapters import Adapter
from memory.records.runs import Job
from tests.support import plants
from tests.support.adapters import fact
from tests.support.adopted_models import CARD_TEMPLATE
from tests.support.lessons import about
from tests.support.plants import Fault, configured, copied, retrained
from tests.support.serving import served
from tests.support.tiny_card import FOLDER as TINY
from training import worker
from training.backends import peft
from training.backends.base import Trainer
from training.base_model import StudiedModel, open_base_model
from training.evaluation_questions import QuestionCounts
from training.gates import GateThresholds
from training.jobs import JobContext
from training.recipes import standard
from training.worker import run

pytestmark = [
    pytest.mark.services,
    pytest.mark.timeout(900),
]

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
    return run(context, Job(digest=digest, domain=domain, run_id="r1"), lambda name, step: step())


def opening(base: StudiedModel, answers: dict[str, Reply]) -> Callable[[], LocalEngine]:
    """Opens an engine over the base model that remembers what it answered."""

    def opened() -> LocalEngine:
        engine = Remembering.open(base.folder, base.card.template, device="cpu")
        engine.answers = answers
        return engine

    return opened


@pytest.fixture(scope="module")
def base() -> StudiedModel:
    return open_base_model(TINY)


@pytest.fixture(scope="module", autouse=True)
def one_attempt() -> Iterator[None]:
    """A second attempt would change nothing about what is planted, and double the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "ATTEMPTS", 1)
        yield


@pytest.fixture(scope="module")
def school(base: StudiedModel, tmp_path_factory: pytest.TempPathFactory) -> School:
    """The control is trained here."""
    home = tmp_path_factory.mktemp("home").resolve()
    answers: dict[str, Reply] = {}
    context = JobContext(
        home=home,
        base=base,
        recipe=RECIPE,
        question_counts=SIZES,
        thresholds=LIMITS,
        registry=MlflowAdapterRegistry(home),
        train=peft.train,
        open_engine=opening(base, answers),
        clock=lambda: datetime.now(UTC),
        report=lambda digest, progress: None,
    )
    result = learn(context, "control", DOMAIN)
    assert result.status == "candidate", result.reason
    return School(context, answers, context.registry.get(str(result.adapter)))


@pytest.fixture(scope="module")
def serving(
    school: School, base: StudiedModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    """vLLM over the tiny model, started for the control's rank."""
    folder = tmp_path_factory.mktemp("serving")
    spare = school.candidate("spare", copied(school.good))
    wide = school.candidate("wide", copied(school.good, plants.widened(64)))
    other = replace(base, folder=plants.reorder_model(base.folder, folder / "other"))
    elsewhere = replace(
        school,
        context=replace(school.context, base=other, open_engine=opening(other, school.answers)),
    )
    foreign = elsewhere.candidate("foreign", copied(school.good, plants.reorder_adapter))
    with served(base.folder, folder / "engine.log", context=1024, rank=RANK) as url:
        running = Serving(school, url, spare, wide, foreign)
        asyncio.run(_promote_control(running))
        yield running


async def _promote_control(serving: Serving) -> None:
    async with serving.engine() as engine:
        await promote(serving.school.control.name, engine=engine, registry=serving.school.context.registry)


@pytest.mark.parametrize("plant", REJECTED)
def test_what_training_made_worse_is_rejected_with_its_reason(school: School, plant: str) -> None:
    make, reason = REJECTED[plant]
    result = school.learn(plant, make(school.good), domain=PLANTED)
    assert result.status == "rejected", f"{result}"
    assert reason in result.reason
    made = school.context.registry.get(str(result.adapter))
    assert made.status == "rejected"
    assert reason in str(school.context.registry.quarantined(made.curriculum))


@pytest.mark.parametrize("plant", FAILED)
def test_what_cannot_be_loaded_ends_its_job_with_its_reason(school: School, plant: str) -> None:
    fault, reason = FAILED[plant]
    known = school.context.registry.list(PLANTED)
    result = school.learn(plant, copied(school.good, fault), domain=PLANTED)
    assert (result.status, result.adapter) == ("failed", None)
    assert reason in result.reason
    assert school.context.registry.list(PLANTED) == known


def test_a_lesson_whose_adapter_was_damaged_can_be_learned_again(school: School) -> None:
    assert school.learn("again", copied(school.good, plants.truncated)).status == "failed"
    school.candidate("again", copied(school.good))


async def test_what_was_rejected_cannot_be_promoted_by_hand(serving: Serving) -> None:
    rejected = serving.school.context.registry.list(PLANTED)
    if not rejected:
        pytest.skip("the tests that plant them did not run")
    async with serving.engine() as engine, chatting(engine, serving.school.control):
        for adapter in rejected:
            with pytest.raises(AdapterNotServable, match=f"{adapter.name} is never served: "):
                await promote(adapter.name, engine=engine, registry=serving.school.context.registry)
        assert not {adapter.name for adapter in rejected} & set(await engine.loaded())
    assert serving.school.context.registry.live(PLANTED) is None


@pytest.mark.parametrize("plant", ALTERED)
async def test_files_that_changed_after_measuring_are_not_served(
    serving: Serving, tmp_path: Path, plant: str
) -> None:
    folder = Path(serving.spare.path)
    kept = Path(shutil.copytree(folder, tmp_path / "kept"))
    ALTERED[plant](folder)
    try:
        with pytest.raises(AdapterRefused, match="changed since evaluation"):
            await serving.promote(serving.spare)
    finally:
        shutil.copytree(kept, folder, dirs_exist_ok=True)


async def test_files_that_are_gone_or_joined_by_a_pickle_are_not_served(serving: Serving) -> None:
    weights = Path(serving.spare.path) / WEIGHTS
    content = weights.read_bytes()
    weights.unlink()
    with pytest.raises(AdapterRefused, match=f"{WEIGHTS} is missing"):
        await serving.promote(serving.spare)
    weights.write_bytes(content)
    plants.pickled(weights.parent)
    with pytest.raises(AdapterRefused, match="can run code"):
        await serving.promote(serving.spare)
    (weights.parent / "adapter_model.bin").unlink()


async def test_a_rank_above_the_served_engines_is_refused_by_it(serving: Serving) -> None:
    with pytest.raises(AdapterRefused, match="vLLM refused"):
        await serving.promote(serving.wide)


async def test_an_adapter_measured_on_another_base_fails_its_canary(serving: Serving) -> None:
    with pytest.raises(CanaryFailed, match=f"{serving.foreign.name}: it answer"):
        await serving.promote(serving.foreign)


async def test_an_adapter_that_is_loaded_without_its_effect_fails_its_canary(
    serving: Serving, tmp_path: Path
) -> None:
    blank = Path(shutil.copytree(serving.spare.path, tmp_path / "blank"))
    plants.scaled(0.0)(blank)
    async with loaded(serving, blank):
        with pytest.raises(CanaryFailed, match="no effect"):
            await serving.promote(serving.spare)


async def test_without_a_fault_the_same_adapter_is_promoted_and_rolled_back(serving: Serving) -> None:
    registry = serving.school.context.registry
    async with serving.engine() as engine, chatting(engine, serving.school.control):
        assert (await promote(serving.spare.name, engine=engine, registry=registry)).status == "live"
        back = await rollback(DOMAIN, engine=engine, registry=registry)
    assert back is not None
    assert back.name == serving.school.control.name == serving.school.live()
