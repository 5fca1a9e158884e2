"""Calibrates a domain's gate on labelled questions: asks the model, grades the answers, refits the gate."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from langchain_core.messages import HumanMessage
from pydantic import Field, field_validator

from agent.chat.calibration import Label, StatedChance, refit
from agent.chat.conversation import prompt_messages
from agent.chat.gate import JUDGED_TOKENS, measure_uncertainty
from agent.chat.model_calls import ask_model
from agent.chat.routing import Route, Routes
from agent.concurrency import gather_limited
from agent.engines.base import Engine, Reply, Sampling
from agent.grading import admits_ignorance, is_correct, normalise
from agent.models.card import ModelCard
from memory.adapters.calibrations import Calibration, digest_of_gate
from memory.records.base import Record, Share
from memory.records.interactions import AnswerForm, AnswerGate, Uncertainty

CONCURRENCY = 32
"""Concurrent questions: half of the engine's batch, so that chat goes on."""


class LabelledQuestion(Record):
    """A question with its accepted answers; an empty tuple marks a question that nobody can answer."""

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
            raise ValueError("an answer has no letters or digits: use [] for a question without an answer")
        return answers


class CalibrationReport(Record):
    """Result of calibrating one domain."""

    domain: str
    adapter: str | None
    """The adapter that answered; None: the base model."""
    asked: int
    labels: int
    """Answers with a confidence: not empty, not declining, and of a form that has a regression."""
    right: int
    """Correct answers among the labels."""
    declined: int
    auroc: float | None
    """Of the confidences; None if all labels are right, or none is."""
    error: Share | None
    """Expected calibration error of the confidences; None without labels."""
    refitted: bool
    """Whether the domain has a new threshold."""
    threshold: float | None
    """The new confidence threshold, the same for all forms; None if nothing is confident or was refitted."""
    risk: Share | None
    """Guaranteed upper bound on the share of wrong answers among confident ones; None without guarantee."""
    delta: Share
    """Upper bound on the probability that the guarantee fails."""
    confident: Share
    """Share of all questions whose answer is confident under the new gate."""
    reasons: tuple[str, ...]
    """Why there is no guarantee."""


async def calibrate_domain(
    questions: Sequence[LabelledQuestion],
    route: Route,
    *,
    engine: Engine,
    routes: Routes,
    card: ModelCard,
    clock: Callable[[], datetime],
) -> CalibrationReport:
    """Asks and grades the questions; if there are enough, stores a refitted gate for the route.

    `route` carries the gate of the adapter's record or the model's card; the gate in effect is looked up
    here. Raises ValueError without questions, and what `ask_model` raises.
    """
    if not questions:
        raise ValueError("there are no questions: give at least one")

    gate = routes.calibrated(route).gate

    async def answer(question: str) -> Reply:
        messages = prompt_messages([HumanMessage(question)], card)
        sampling = Sampling(max_tokens=JUDGED_TOKENS)
        return await ask_model(
            messages, route.adapter, engine=engine, routes=routes, card=card, sampling=sampling
        )

    replies = await gather_limited((partial(answer, q.question) for q in questions), CONCURRENCY)
    measured = [
        measure_uncertainty(reply.tokens, gate, abstained=admits_ignorance(reply.text, card.declines))
        for reply in replies
    ]
    labelled = [
        StatedChance(
            Label(
                group=normalise(question.question),
                form=uncertainty.form,
                seen=uncertainty,
                right=bool(question.answers) and is_correct(reply.text, question.answers),
            ),
            uncertainty.confidence,
        )
        for question, reply, uncertainty in zip(questions, replies, measured, strict=True)
        if uncertainty.confidence is not None
    ]
    fitted_on = f"{len(labelled)} answers to people's own questions about {route.domain}"
    result = refit(labelled, gate, fitted_on=fitted_on)
    refitted = result.gate is not gate
    if refitted:
        await routes.recalibrate(
            Calibration(
                domain=route.domain,
                adapter=route.adapter,
                base=routes.base,
                replaces=digest_of_gate(route.gate),
                gate=result.gate,
                created_at=clock(),
            )
        )
    thresholds = _thresholds(result.gate)
    threshold = next(iter(thresholds.values()), None) if refitted else None
    return CalibrationReport(
        domain=route.domain,
        adapter=route.adapter,
        asked=len(questions),
        labels=len(labelled),
        right=sum(answer.label.right for answer in labelled),
        declined=sum(uncertainty.abstained for uncertainty in measured),
        auroc=result.quality.auroc if result.quality is not None else None,
        error=result.quality.error if result.quality is not None else None,
        refitted=refitted,
        threshold=threshold,
        risk=result.gate.risk if threshold is not None else None,
        delta=result.gate.delta,
        confident=sum(_is_confident(uncertainty, thresholds) for uncertainty in measured) / len(measured),
        reasons=result.reasons,
    )


def _thresholds(gate: AnswerGate) -> dict[AnswerForm, float]:
    return {form: fitted.threshold for form, fitted in gate.forms.items() if fitted.threshold is not None}


def _is_confident(uncertainty: Uncertainty, thresholds: dict[AnswerForm, float]) -> bool:
    threshold, confidence = thresholds.get(uncertainty.form), uncertainty.confidence
    return confidence is not None and threshold is not None and confidence >= threshold
