"""The gate of an adapter: how sure it has to be of an answer, fitted on the answers of its evaluation.

Works on answers that `evaluate` has graded; nothing is asked here.
"""

from collections.abc import Sequence

from agent.chat.calibration import Label, calibrate
from agent.chat.gate import chance, form_of, gate_features
from memory.records.adapters import GatePassRates
from memory.records.interactions import AnswerGate
from training.evaluate import ANSWER_TOKENS, GradedAnswer


def fit_gate(answers: Sequence[GradedAnswer], base: AnswerGate) -> AnswerGate:
    """The gate for one adapter, with the best promise that its own answers allow.

    Fitted on its answers to what it was taught, general questions and what nobody knows, but for those that
    the evaluation cut off: chat hears more of them before it judges. A form that it gave too few answers in
    keeps the base model's gate, and then no more is promised than that does; without any promise the base
    model's gate stays.
    """
    labels = [
        Label(
            group=answer.fact_id or answer.question,
            form=form_of(answer.signals),
            seen=answer.signals,
            right=answer.right,
        )
        for answer in answers
        if not answer.abstained and 0 < answer.signals.tokens < ANSWER_TOKENS
    ]
    gate = calibrate(labels, fitted_on="its own evaluation").gate
    if all(fitted.threshold is None for fitted in gate.forms.values()):
        return base
    kept = {form: fitted for form, fitted in base.forms.items() if form not in gate.forms}
    promised = any(fitted.threshold is not None for fitted in kept.values())
    risk = max(gate.risk, base.risk) if promised else gate.risk
    return gate.model_copy(update={"forms": kept | dict(gate.forms), "risk": risk})


def gate_pass_rates(answers: Sequence[GradedAnswer], gate: AnswerGate) -> GatePassRates:
    """What chat would give of the taught facts without looking anything up, right and wrong."""
    taught = [answer for answer in answers if answer.group == "in_distribution"]
    sure = [answer.right for answer in taught if _confident(answer, gate)]
    count = max(1, len(taught))
    return GatePassRates(right=sum(sure) / count, wrong=(len(sure) - sum(sure)) / count)


def _confident(answer: GradedAnswer, gate: AnswerGate) -> bool:
    fitted = gate.forms.get(form_of(answer.signals))
    whole = 0 < answer.signals.tokens < ANSWER_TOKENS
    if fitted is None or fitted.threshold is None or answer.abstained or not whole:
        return False
    return chance(fitted.model, gate_features(answer.signals)) >= fitted.threshold
