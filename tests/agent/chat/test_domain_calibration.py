"""A gate that is refitted on people's own questions keeps its promise for them, or makes none."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pytest
from pydantic import ValidationError

from agent.chat.calibration import MIN_OWN_QUESTIONS, Label, StatedChance, refit
from agent.chat.domain_calibration import CalibrationReport, LabelledQuestion, calibrate_domain
from agent.chat.routing import Route, Routes, resolve_route, route_of_domain
from agent.engines.scripted import Line, ScriptedEngine
from agent.errors import EngineUnavailable
from memory.adapters.calibrations import VolatileCalibrationStore
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.errors import UnknownAdapter
from memory.records.access import EVERYTHING
from tests.agent.chat.test_calibration import signals_of
from tests.support.adapters import adapter, curriculum
from tests.support.cards import DIGEST, card, gate

BASE = Route(domain="general", adapter=None, gate=gate())
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class World:
    """A model that is sure of `right` answers, unsure of `wrong` ones, and sure of `sure_and_wrong` ones."""

    right: int
    wrong: int = 0
    sure_and_wrong: int = 0
    declining: int = 0
    base: str | None = DIGEST
    saved: VolatileCalibrationStore = field(default_factory=VolatileCalibrationStore)

    def __post_init__(self) -> None:
        total = self.right + self.wrong + self.sure_and_wrong + self.declining
        self.questions = [
            LabelledQuestion(question=f"Who is {i}?", answers=(f"person {i}",)) for i in range(total)
        ]
        lines = [Line(text=f"It is person {i}.", entropy=0.3 + i / 10_000) for i in range(self.right)]
        lines += [Line(text="A dog, I think.", entropy=2.0 + i / 10_000) for i in range(self.wrong)]
        lines += [Line(text="A cat.", entropy=0.1 + i / 10_000) for i in range(self.sure_and_wrong)]
        lines += [Line(text="I do not know.", entropy=0.1) for _ in range(self.declining)]
        script = {q.question: line for q, line in zip(self.questions, lines, strict=True)}
        self.engine = ScriptedEngine(script)
        self.registry = VolatileAdapterRegistry(base=self.base)
        self.routes = Routes(self.registry, lambda digest: curriculum(), self.saved)

    async def calibrated(self) -> CalibrationReport:
        await self.routes.refresh()
        return await calibrate_domain(
            self.questions,
            route_of_domain("general", routes=self.routes, base=BASE),
            engine=self.engine,
            routes=self.routes,
            card=card(),
            clock=lambda: NOW,
        )

    async def now(self) -> Route:
        return await resolve_route(
            "", None, routes=self.routes, base=BASE, base_name="nightschool", access=EVERYTHING
        )


async def test_a_domain_that_the_model_knows_gets_a_threshold_and_its_promise() -> None:
    world = World(right=90, wrong=40)
    found = await world.calibrated()
    assert (found.labels, found.right, found.refitted) == (130, 90, True)
    assert found.auroc == 1.0
    assert found.risk == 0.2
    assert found.threshold is not None
    assert found.confident >= 90 / 130
    assert (await world.now()).gate.forms["short"].threshold == found.threshold
    assert (await world.now()).gate.fitted_on != BASE.gate.fitted_on


async def test_with_too_few_labels_nothing_is_promised_and_the_gate_stays() -> None:
    world = World(right=MIN_OWN_QUESTIONS - 1, declining=50)
    found = await world.calibrated()
    assert (found.refitted, found.risk, found.declined) == (False, None, 50)
    assert str(MIN_OWN_QUESTIONS) in found.reasons[0]
    assert world.saved.list() == ()
    assert (await world.now()).gate == BASE.gate


async def test_a_domain_where_the_surest_answers_are_wrong_is_never_confident() -> None:
    world = World(right=60, wrong=20, sure_and_wrong=60)
    found = await world.calibrated()
    assert (found.refitted, found.risk, found.threshold, found.confident) == (True, None, None, 0.0)
    assert all(fitted.threshold is None for fitted in (await world.now()).gate.forms.values())


async def test_what_cannot_be_known_is_answered_wrongly_whatever_is_said() -> None:
    world = World(right=0, sure_and_wrong=MIN_OWN_QUESTIONS)
    world.questions = [q.model_copy(update={"answers": ()}) for q in world.questions]
    assert (await world.calibrated()).right == 0


async def test_a_question_twice_counts_once_towards_the_promise() -> None:
    world = World(right=MIN_OWN_QUESTIONS - 1)
    world.questions *= 2
    assert not (await world.calibrated()).refitted


async def test_the_calibration_of_another_base_model_or_adapter_is_not_used() -> None:
    world = World(right=MIN_OWN_QUESTIONS)
    await world.calibrated()
    assert (await world.now()).gate != BASE.gate
    other = World(right=0, base="cd" * 32, saved=world.saved)
    await other.routes.refresh()
    assert (await other.now()).gate == BASE.gate


async def test_a_gate_that_a_new_study_made_is_not_replaced_by_an_old_calibration() -> None:
    world = World(right=MIN_OWN_QUESTIONS)
    await world.calibrated()
    assert (await world.now()).gate != BASE.gate
    studied = BASE.model_copy(update={"gate": gate(0.7)})
    assert world.routes.calibrated(studied) == studied


async def test_a_second_calibration_takes_the_place_of_the_first() -> None:
    world = World(right=MIN_OWN_QUESTIONS)
    for _ in range(2):
        assert (await world.calibrated()).refitted
    (saved,) = world.saved.list()
    assert (await world.now()).gate == saved.gate


async def test_a_calibration_of_another_base_model_leaves_the_first_ones() -> None:
    world = World(right=MIN_OWN_QUESTIONS)
    await world.calibrated()
    refitted = await world.now()
    await World(right=MIN_OWN_QUESTIONS, base="cd" * 32, saved=world.saved).calibrated()
    await world.routes.refresh()
    assert await world.now() == refitted


async def test_an_adapter_is_asked_about_its_domain_and_its_gate_alone_changes() -> None:
    world = World(right=MIN_OWN_QUESTIONS)
    world.engine = ScriptedEngine(
        adapters={"rust": {q.question: Line(text=q.answers[0]) for q in world.questions}}
    )
    made = adapter("rust")
    world.registry.register(made)
    world.registry.promote(made.name)
    await world.routes.refresh()
    await world.engine.load(made.name, made.path)  # type: ignore[arg-type]  # nothing looks at it
    chosen = route_of_domain("rust", routes=world.routes, base=BASE)
    found = await calibrate_domain(
        world.questions, chosen, engine=world.engine, routes=world.routes, card=card(), clock=lambda: NOW
    )
    assert (found.adapter, found.right, found.refitted) == (made.name, MIN_OWN_QUESTIONS, True)
    named = await resolve_route(
        "", "rust", routes=world.routes, base=BASE, base_name="nightschool", access=EVERYTHING
    )
    assert named.gate.fitted_on != made.gate.fitted_on
    assert (await world.now()).gate == BASE.gate


async def test_an_engine_that_is_away_is_said_so() -> None:
    world = World(right=3)
    world.engine.available = False
    with pytest.raises(EngineUnavailable):
        await world.calibrated()


async def test_a_domain_that_nothing_serves_is_unknown() -> None:
    world = World(right=1)
    with pytest.raises(UnknownAdapter, match="general"):
        route_of_domain("cooking", routes=world.routes, base=BASE)


@pytest.mark.parametrize(
    "fields", [{"question": " ", "answers": []}, {"question": "What?", "answers": ["?"]}]
)
def test_a_question_that_cannot_be_asked_or_graded_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LabelledQuestion.model_validate(fields)


def test_the_promise_is_kept_in_all_but_delta_of_the_draws() -> None:
    """Chances that say nothing of a model that is right in two of three: any promise of 20% would break."""
    rng = np.random.default_rng(0)
    broken = 0
    for draw in range(200):
        right = rng.random(150) < 2 / 3
        stated = [
            StatedChance(Label(str(i), "short", signals_of(1.0), bool(r)), float(rng.random()))
            for i, r in enumerate(right)
        ]
        found = refit(stated, gate(), fitted_on="a draw", seed=draw).gate
        promised = any(fitted.threshold is not None for fitted in found.forms.values())
        broken += promised and found.risk < 1 / 3
    assert broken <= 0.1 * 200
