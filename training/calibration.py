"""Fits an adapter's answer gate on the graded answers of its evaluation."""

from collections.abc import Sequence

from agent.chat.calibration import RISKS, Label, calibrate
from agent.chat.gate import answer_form, gate_features, right_probability
from memory.records.adapters import GatePassRates
from memory.records.interactions import AnswerGate
from training.evaluate import ANSWER_TOKENS, GradedAnswer, SetName


def fit_gate(
    answers: Sequence[GradedAnswer], base: AnswerGate, *, risks: Sequence[float] = RISKS
) -> AnswerGate:
    """The gate for one adapter, with the first of `risks` that its answers support.

    It is fitted on the answers to the taught facts, general questions and invented names, except those cut
    off by the evaluation's token limit, because chat sees longer answers. An answer form with too few answers
    keeps the base model's gate, and the risk is then at least the base model's. If no form gets a threshold,
    the base model's gate is returned.
    """
    labels = [
        Label(
            group=answer.fact_id or answer.question,
            form=answer_form(answer.signals),
            seen=answer.signals,
            right=answer.right,
        )
        for answer in answers
        if answer.group != "attacked"  # nobody asks like that
        and not answer.abstained
        and 0 < answer.signals.tokens < ANSWER_TOKENS
    ]
    gate = calibrate(labels, fitted_on="its own evaluation", risks=risks).gate
    if all(form_gate.threshold is None for form_gate in gate.forms.values()):
        return base
    inherited = {form: form_gate for form, form_gate in base.forms.items() if form not in gate.forms}
    has_inherited = any(form_gate.threshold is not None for form_gate in inherited.values())
    risk = max(gate.risk, base.risk) if has_inherited else gate.risk
    return gate.model_copy(update={"forms": inherited | dict(gate.forms), "risk": risk})


def gate_pass_rates(
    answers: Sequence[GradedAnswer], gate: AnswerGate, *, group: SetName = "in_distribution"
) -> GatePassRates:
    """The shares of one set's questions, by default those about taught facts, whose answers pass the gate,
    right and wrong."""
    asked = [answer for answer in answers if answer.group == group]
    confident = [answer.right for answer in asked if _is_confident(answer, gate)]
    count = max(1, len(asked))
    return GatePassRates(right=sum(confident) / count, wrong=(len(confident) - sum(confident)) / count)


def _is_confident(answer: GradedAnswer, gate: AnswerGate) -> bool:
    form_gate = gate.forms.get(answer_form(answer.signals))
    complete = 0 < answer.signals.tokens < ANSWER_TOKENS
    if form_gate is None or form_gate.threshold is None or answer.abstained or not complete:
        return False
    return right_probability(form_gate.model, gate_features(answer.signals)) >= form_gate.threshold
