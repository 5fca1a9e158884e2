"""People's own labelled questions: asked of what serves a domain, graded, and its gate refitted on them."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from langchain_core.messages import HumanMessage
from pydantic import Field, field_validator

from agent.chat.calibration import Label, StatedChance, refit
from agent.chat.conversation import prompt_messages
from agent.chat.gate import JUDGED_TOKENS, measure
from agent.chat.model_calls import ask_model
from agent.chat.routing import Route, Routes
from agent.concurrency import gather_limited
from agent.engines.base import Engine, Reply, Sampling
from agent.grading import admits_ignorance, is_correct, normalise
from agent.models.card import ModelCard
from memory.adapters.calibrations import Calibration, digest_of_gate
from memory.records.base import Record, Share
from memory.records.interactions import AnswerForm, AnswerGate, Uncertainty

TOGETHER = 32
"""Questions under way at once: half of what the engine takes, so that chat goes on beside them."""


class LabelledQuestion(Record):
    """A question with its right answers, each in some wording; without any, nobody can know the answer."""

    question: str = Field(min_length=1, max_length=8000)
    answers: tuple[str, ...]

    @field_validator("question")
    @classmethod
    def _asks_something(cls, question: str) -> str:
        if not question.strip():
            raise ValueError("the question is blank")
        return question.strip()

    @field_validator("answers")
    @classmethod
    def _can_be_graded(cls, answers: tuple[str, ...]) -> tuple[str, ...]:
        if any(not normalise(answer) for answer in answers):
            raise ValueError("an answer has no letters or digits; [] stands for what cannot be known")
        return answers


class CalibrationReport(Record):
    """What the questions showed of one domain."""

    domain: str
    adapter: str | None
    """What answered; None: the base model."""
    asked: int
    labels: int
    """Answers that can be judged: neither empty, nor declining, nor of a form without a regression."""
    right: int
    """Of the labels."""
    declined: int
    auroc: float | None
    """Of the stated chances; None where all labels are right, or none is."""
    error: Share | None
    """Expected calibration error of the stated chances; None without labels."""
    refitted: bool
    """Whether the domain's threshold is a new one."""
    threshold: float | None
    """Least chance of a confident answer now, where all forms have the same; None where nothing is
    confident, or nothing was refitted."""
    risk: Share | None
    """Promised share of wrong answers among the confident ones, at most; None where nothing is promised."""
    delta: Share
    """The chance that the promise is broken, at most."""
    confident: Share
    """Of all questions, those whose answer counts as confident now."""
    reasons: tuple[str, ...]
    """Why nothing is promised."""


async def calibrate_domain(
    questions: Sequence[LabelledQuestion],
    route: Route,
    *,
    engine: Engine,
    routes: Routes,
    card: ModelCard,
    clock: Callable[[], datetime],
) -> CalibrationReport:
    """Asks and grades the questions; where they suffice, the route's gate is refitted from now on.

    `route` has the gate of the adapter's record or the model's card; the one in effect is looked up here.
    Raises ValueError without questions, and what `ask_model` raises.
    """
    if not questions:
        raise ValueError("there are no questions: give at least one")

    gate = routes.calibrated(route).gate

    async def put(question: str) -> Reply:
        messages = prompt_messages([HumanMessage(question)], card)
        sampling = Sampling(max_tokens=JUDGED_TOKENS)
        return await ask_model(
            messages, route.adapter, engine=engine, routes=routes, card=card, sampling=sampling
        )

    replies = await gather_limited((partial(put, q.question) for q in questions), TOGETHER)
    seen = [
        measure(reply.tokens, gate, abstained=admits_ignorance(reply.text, card.declines))
        for reply in replies
    ]
    stated = [
        StatedChance(
            Label(
                group=normalise(question.question),
                form=mark.form,
                seen=mark,
                right=bool(question.answers) and is_correct(reply.text, question.answers),
            ),
            mark.confidence,
        )
        for question, reply, mark in zip(questions, replies, seen, strict=True)
        if mark.confidence is not None
    ]
    fitted_on = f"{len(stated)} answers to people's own questions about {route.domain}"
    found = refit(stated, gate, fitted_on=fitted_on)
    refitted = found.gate is not gate
    if refitted:
        await routes.recalibrate(
            Calibration(
                domain=route.domain,
                adapter=route.adapter,
                base=routes.base,
                replaces=digest_of_gate(route.gate),
                gate=found.gate,
                created_at=clock(),
            )
        )
    thresholds = _thresholds(found.gate)
    cut = next(iter(thresholds.values()), None) if refitted else None
    return CalibrationReport(
        domain=route.domain,
        adapter=route.adapter,
        asked=len(questions),
        labels=len(stated),
        right=sum(one.label.right for one in stated),
        declined=sum(mark.abstained for mark in seen),
        auroc=found.quality.auroc if found.quality is not None else None,
        error=found.quality.error if found.quality is not None else None,
        refitted=refitted,
        threshold=cut,
        risk=found.gate.risk if cut is not None else None,
        delta=found.gate.delta,
        confident=sum(_confident(mark, thresholds) for mark in seen) / len(seen),
        reasons=found.reasons,
    )


def _thresholds(gate: AnswerGate) -> dict[AnswerForm, float]:
    return {form: fitted.threshold for form, fitted in gate.forms.items() if fitted.threshold is not None}


def _confident(mark: Uncertainty, thresholds: dict[AnswerForm, float]) -> bool:
    threshold = thresholds.get(mark.form)
    return mark.confidence is not None and threshold is not None and mark.confidence >= threshold
